"""
The 1.0 API, which stands beside that of 2.0 on every port: what is asked under `/green/…`.

    codes.py        its codes, and the answer's envelope
    parameters.py   what a call asks
    verdicts.py     what an image answers, from the rules that answer 2.0
    likeness.py     which images are similar
    feedback.py     what people said of images
    judging.py      one image: fetched, looked at, judged
    tasks.py        the asynchronous tasks, and what is said of them
    callbacks.py    their results, sent to whoever asked for it
    later.py        what goes on behind the answers
    calls.py        gateway, quota, operations
"""
