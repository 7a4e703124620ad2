"""
What goes between this process and a worker: a length, a header as JSON, and bytes. Pure.

What a worker says is not trusted: a decoder that a file has taken over can say anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from consumer.images.preparing import Job, NotPrepared, Picture, Prepared

LENGTH = 4  # bytes of a header's length
MOST_HEADER = 65_536  # bytes
READY = b"ready\n"
"""What a worker says once it can work."""
FORMATS = frozenset({"jpeg", "png"})
SAID = frozenset({"too_large", "side_too_long", "too_many_pixels", "no_decoder", "undecodable", "decode_memory"})


class Garbled(Exception):
    """A worker said what no worker says."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What a worker has made: its pictures' bytes follow, one after the other."""

    sizes: tuple[int, ...]
    formats: tuple[str, ...]
    frames_taken: tuple[int | None, ...]
    frames: int | None
    scaled: bool

    def with_bytes(self, contents: Sequence[bytes]) -> Prepared:
        """The same with its pictures."""
        pictures = zip(contents, self.formats, self.frames_taken, strict=True)
        return Prepared(pictures=tuple(Picture(*each) for each in pictures), frames=self.frames, scaled=self.scaled)


def with_length(header: bytes) -> bytes:
    """A header behind its length."""
    return len(header).to_bytes(LENGTH, "big") + header


def written_job(job: Job, size: int) -> bytes:
    """A job about a file of so many bytes, which follow."""
    return with_length(orjson.dumps({**asdict(job), "size": size}))


def read_job(header: bytes) -> tuple[Job, int]:
    """A job and the size of its file."""
    members = orjson.loads(header)
    size = members.pop("size")
    return Job(**members), size


def written_answer(prepared: Prepared) -> bytes:
    """What was made; the pictures' bytes follow."""
    pictures = [[len(each.data), each.format_name, each.frame] for each in prepared.pictures]
    answer = {"pictures": pictures, "frames": prepared.frames, "scaled": prepared.scaled}
    return with_length(orjson.dumps(answer))


def written_refusal(code: str) -> bytes:
    """Why nothing was made."""
    return with_length(orjson.dumps({"code": code}))


def read_answer(header: bytes, job: Job) -> Announced:
    """
    What a worker made of a file.

    Raises:
        NotPrepared: nothing, and why.
        Garbled: it is no answer to this job.
    """
    try:
        members = orjson.loads(header)
    except ValueError:
        raise Garbled from None
    if not isinstance(members, Mapping):
        raise Garbled
    code = members.get("code")
    if isinstance(code, str):
        raise NotPrepared(code if code in SAID else "undecodable")
    return _announced(members, job)


def _announced(members: Mapping[str, Any], job: Job) -> Announced:
    frames, scaled, pictures = members.get("frames"), members.get("scaled"), members.get("pictures")
    if not (frames is None or _is_count(frames)) or not isinstance(scaled, bool) or not isinstance(pictures, list):
        raise Garbled
    if len(pictures) > job.frames or not (pictures or job.as_it_is) or (scaled and not job.scales):
        raise Garbled
    if not all(_is_picture(each) for each in pictures) or sum(each[0] for each in pictures) > job.most_prepared:
        raise Garbled
    sizes, formats, taken = zip(*pictures, strict=True) if pictures else ((), (), ())
    return Announced(sizes, formats, taken, frames, scaled)


def _is_picture(each: Any) -> bool:
    if not isinstance(each, list) or len(each) != 3:
        return False
    size, format_name, frame = each
    return (
        _is_count(size)
        and isinstance(format_name, str)
        and format_name in FORMATS
        and (frame is None or _is_count(frame, least=0))
    )


def _is_count(value: Any, least: int = 1) -> bool:
    return type(value) is int and value >= least
