"""
Records and answers that no one would send on purpose, through a real Kafka and the service as a process.

    documents.py   what stands in a record's value: each event format, valid and changed          (pure)
    records.py     case number N of a seed: key, value, headers, codec, time, and what must come   (pure)
    answers.py     case number N of a seed: what the provider sends, and what may be made of it    (pure)
    batches.py     Kafka's record batches as bytes, so that nothing a client forbids is left out   (pure)
    wire.py        batches to and from a broker
    provider.py    a provider on a raw socket that answers as it is told
    service.py     the service under test, and what it says and leaves behind
    uploads.py     plays records; checks every one of them; reads all of it back as a journal
    replies.py     plays answers; checks every one of them

The same seed makes the same cases, and a case depends on the seed and its own number alone: one that fails is played
alone by `python -m bench.fuzz --seed S --only N`.
"""
