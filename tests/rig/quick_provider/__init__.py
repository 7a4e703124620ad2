"""
A quick stand-in for ImageModeration, in a process of its own.

    request.py   bytes → one HTTP request
    script.py    what a call is answered, and how late                    (pure)
    log.py       which calls arrived when
    server.py    the connections: stamp, decide, answer in time
    process.py   the stand-in as a child process, for benchmarks and tests

It checks no signature and looks at no image: what it offers is an arrival log that can be trusted at a thousand calls
a second. `python -m tests.rig.quick_provider --help` tells how to start it by hand.
"""
