"""
The process that decodes: `python -m consumer.images.preparing.worker MEMORY SECONDS`. One job after another, until its
input ends.

It can open no file and no connection, and has no more than so many bytes of memory (of address space, so that what it
shares is counted too) and, for each job, so many seconds of the CPU: also where the process that started it is gone.
"""

import os
import resource
import sys
from typing import BinaryIO

from consumer.images.preparing import NotPrepared, Prepared, wire
from consumer.images.preparing.decoding import prepared, set_up


def main(memory: int, seconds: int) -> None:
    """Work until there is no more to do, or until a job has met a bound."""
    given, said = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    set_up()
    _bound(memory)
    said.write(wire.READY)
    said.flush()
    while header := _header(given):
        job, size = wire.read_job(header)
        _allow(seconds)
        try:
            made = prepared(given.read(size), job)
        except NotPrepared as error:
            said.write(wire.written_refusal(error.code))
        except MemoryError:
            said.write(wire.written_refusal("decode_memory"))
            return  # what it holds is not known
        else:
            _say(said, made)
        said.flush()


def _say(said: BinaryIO, made: Prepared) -> None:
    said.write(wire.written_answer(made))
    for picture in made.pictures:
        said.write(picture.data)


def _header(given: BinaryIO) -> bytes:
    return given.read(int.from_bytes(given.read(wire.LENGTH), "big"))


def _bound(memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))  # those that are open stay
    if sys.platform == "linux":  # others have no such bound, or one that nothing heeds
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _allow(seconds: int) -> None:
    """From now on so many seconds of the CPU; the system ends a process that takes more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 1, hard))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
