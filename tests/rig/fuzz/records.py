"""
Case number N of a seed: a record, where it goes, how it is packed, and what must become of it. Pure.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from tests.rig.fuzz.batches import CODECS, RawRecord
from tests.rig.fuzz.documents import KINDS, SECRET, Document, encoded

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Topic:
    """An input topic of the play."""

    name: str
    partitions: int
    log_append_time: bool = False
    compression: str = "producer"


TOPICS: Sequence[Topic] = (
    Topic("live", 4),
    Topic("append", 4, log_append_time=True),
    *(Topic(f"in-{codec}", 1, compression=codec) for codec in CODECS[1:]),
    Topic("in-uncompressed", 1, compression="uncompressed"),
)
"""Topics whose setting differs from the producers' codec are packed anew by the broker."""

OUTPUT_COMPRESSION = {"block": "lz4", "review": "zstd", "pass": "snappy", "dead_letter": "gzip"}
LARGEST_BATCH = 4 * MIB  # bytes, packed: what the input topics take
LARGEST_BOMB = 150 * MIB  # bytes, unpacked
MATES = 40  # records of a batch, at most

_MADE = [kind for kind, _, _ in KINDS]
_WEIGHTS = [weight for _, _, weight in KINDS]
_RARE = 0.004
_SOMETIMES = 0.08


@dataclass(frozen=True, slots=True)
class Case:
    """One record and what is known of it."""

    number: int
    kind: str
    topic: str
    partition: int
    codec: str
    record: RawRecord
    document: Document
    alone: bool = False
    """Whether its batch holds nothing else."""


def case(seed: int, number: int, largest_bomb: int = LARGEST_BOMB) -> Case:
    """Make case `number` of a seed."""
    dice = Random(f"{seed} {number}")
    name = f"{seed}x{number}"
    topic = dice.choice(TOPICS)
    codec = dice.choice(CODECS)
    alone = False
    if dice.random() < _RARE:
        kind, document, topic, alone = _rare(dice, name, codec, topic, largest_bomb)
    else:
        kind = dice.choices(_MADE, _WEIGHTS)[0]
        document = next(make for made, make, _ in KINDS if made == kind)(dice, name)
    value = None if document.value is None else encoded(document.value)
    record = RawRecord(
        _key(dice, name), value, [*document.headers, *_headers(dice, kind)], _time(dice, topic.log_append_time)
    )
    return Case(number, kind, topic.name, dice.randrange(topic.partitions), codec, record, document, alone)


def _rare(dice: Random, name: str, codec: str, topic: Topic, largest_bomb: int) -> tuple[str, Document, Topic, bool]:
    """What costs the harness too much to be frequent."""
    if dice.random() < 0.12:  # one in two thousand
        # Snappy cannot pack 150 MB of blanks into what a topic takes.
        most = min(largest_bomb, 60 * MIB if codec == "snappy" else largest_bomb)
        size = LARGEST_BATCH // 2 if codec == "none" else dice.randrange(8 * MIB, most)
        blanks = dice.choice((b" ", b"\x00", b"a"))
        return "bomb", Document(blanks * size, "dead"), TOPICS[dice.randrange(2)], True
    size = dice.choice((100_000, 600_000, 1_000_000, 1_100_000, 3_000_000))
    if dice.random() < 0.5:
        return "large", Document(dice.randbytes(size), "dead"), topic, True
    event = KINDS[0][1](dice, name).value
    event["context"] = {"noise": dice.randbytes(size // 2).hex()}
    return "large-event", Document(event, "seen"), topic, True


def _key(dice: Random, name: str) -> bytes | None:
    draw = dice.random()
    if draw < 0.15:
        return None
    if draw < 0.20:
        return b""
    if draw < 0.25:
        return dice.randbytes(dice.randrange(1, 64))
    if draw < 0.30:
        return f"hot-{dice.randrange(50)}".encode()
    if draw < 0.3005:
        return dice.randbytes(dice.choice((10_000, 100_000, 1_000_000)))
    return f"shop-eu|{name}".encode()


_NAMES = (
    b"ce_id", b"ce_type", b"ce_source", b"ce_specversion", b"source_topic", b"source_offset", b"source_partition",
    b"source_group", b"source_image", b"sequence", b"dlq_reason", b"dlq_id", b"dlq_source_offset", b"dlq_error",
    b"traceparent", b"tracestate", b"content-type", b"Content-Type", b"original_ce_id", b"", b"x", b"\xff\xfe",
    b"caf\xe9",
    b"\xed\xa0\x80",
    "名".encode(), b"n" * 300, b"a b\n", b"baggage",
)  # fmt: skip
_CONTENTS = (
    None, b"", b"\xff\xfe", b"1.0", b"image.uploaded.v1", b"application/cloudevents+json", b"application/json",
    b"x" * 2000,
    b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", b"00-0-0-0",
    b"ff-" + b"0" * 32 + b"-" + b"0" * 16 + b"-00",
    b"9999999999999999999999", b"-1", b"moderation.verdict.v1",
)  # fmt: skip


def _headers(dice: Random, kind: str) -> list[tuple[bytes, bytes | None]]:
    draw = dice.random()
    if draw < 0.65:
        return []
    if draw < 0.651:
        return [(b"many-%d" % (number % 7), b"v") for number in range(dice.choice((1_000, 5_000)))]
    if draw < 0.70:
        return [(b"authorization", b"Bearer " + SECRET.encode())]
    names = [dice.choice(_NAMES) for _ in range(dice.randrange(1, 5))]
    if kind != "binary":  # these would make another format of it, or break the one that it has
        names = [name for name in names if not name.startswith(b"ce_") or dice.random() < 0.5]
    return [(name, dice.choice(_CONTENTS)) for name in names]


def _time(dice: Random, log_append_time: bool) -> int:
    draw = dice.random()
    if draw < _SOMETIMES:
        # Beyond year 9999, at the epoch, none at all.
        return dice.choice((-1, 0, 1, 2**31 * 1000, 253_402_300_800_000, 2**53, 2**62 if log_append_time else 2**60))
    return 1_795_600_000_000 + dice.randrange(10**7)


def tells_the_format(case: Case) -> bool:
    """Whether a header of ours may have made another format of the value than was meant."""
    own = len(case.document.headers)
    return any(
        name.lower().startswith(b"ce_") or name.lower() == b"content-type" for name, _ in case.record.headers[own:]
    )


def batches(cases: Iterator[Case]) -> Iterator[list[Case]]:
    """
    Gather cases into batches, each of one partition and packed as its first case says.

    What is large is alone, so that what a topic takes is not exceeded.
    """
    open_batches: dict[tuple[str, int], list[Case]] = {}
    for each in cases:
        if each.alone or _size(each) > 50_000:
            yield [each]
            continue
        place = (each.topic, each.partition)
        gathered = open_batches.setdefault(place, [])
        gathered.append(each)
        if len(gathered) >= 1 + int(hashlib.blake2b(str(gathered[0].number).encode()).hexdigest()[:4], 16) % MATES:
            yield open_batches.pop(place)
    yield from open_batches.values()


def _size(case: Case) -> int:
    return len(case.record.key or b"") + len(case.record.value or b"") + 300 * len(case.record.headers)
