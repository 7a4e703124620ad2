"""
The worst input of each kind: batches by partition, and what the provider answers about their images. Pure.
"""

import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

import orjson

from tests.rig.fuzz.answers import MIB, Sent
from tests.rig.fuzz.batches import RawRecord, written
from tests.rig.fuzz.provider import good, response

BOMB = 150_000_000  # bytes, unpacked
MANY = 64  # records, partitions, or answers at once
_TIME = 1_795_600_000_000
_LABELS = 6_000
_LARGE = 1_000_000  # bytes: just what a message may have

Batches = Iterator[tuple[int, bytes]]
"""Partition and batch."""

Answer = Callable[[str], Sent]
"""Takes a data id."""


def well(data_id: str) -> Sent:
    """Say that the image is harmless."""
    return Sent("good", response(good(data_id)))


@dataclass(frozen=True, slots=True)
class Case:
    """What is sent."""

    name: str
    about: str
    batches: Callable[[], Batches]
    answer: Answer = well
    """To the first attempt at an image; the others are answered well."""

    partitions: int = 1
    latency: float = 0.0
    """Seconds until the provider answers, so that much is held."""

    verdicts: int = 0
    letters: int = 0


def event(number: int, **members: object) -> bytes:
    """Encode an upload event of one image."""
    image = {"url": f"https://img.example.com/{number}.jpg"}
    whole = {"schema": "image.uploaded.v1", "event_id": f"m-{number}", "event_time": "2026-11-20T10:00:00Z"}
    return orjson.dumps({**whole, "subject": {"id": str(number)}, "images": [image], **members})


def _record(value: bytes, key: bytes | None = None, headers: Sequence[tuple[bytes, bytes | None]] = ()) -> RawRecord:
    return RawRecord(key, value, headers, _TIME)


def _ordinary(many: int) -> Batches:
    for start in range(0, many, 100):
        yield 0, written([_record(event(number)) for number in range(start, start + 100)], "lz4")


def _bomb(codec: str) -> Batches:
    yield 0, written([_record(b" " * BOMB)], codec)


def _partitions() -> Batches:
    for partition in range(MANY):
        yield partition, written([_record(b" " * (MIB // 2)) for _ in range(16)], "zstd")


def _tiny() -> Batches:
    """One batch of as many records as may be."""
    yield 0, written([RawRecord(None, None, (), _TIME)] * 200_000, "zstd")


def _no_event() -> Batches:
    for _ in range(16):
        yield 0, written([_record(b"\x00\xff" * 1_500_000)], "none")


def _keys() -> Batches:
    for number in range(MANY):
        yield 0, written([_record(event(number), key=b"k" * _LARGE)], "zstd")


def _contexts(context: object) -> Batches:
    for number in range(MANY):
        yield 0, written([_record(event(number, context=context))], "zstd")


def _headers(each: tuple[bytes, bytes | None], many: int) -> Batches:
    for number in range(MANY // 8):
        yield 0, written([_record(event(number), headers=[each] * many)], "zstd")


def _images(many: int = MANY) -> Batches:
    yield 0, written([_record(event(number)) for number in range(many)], "none")


def _endless(data_id: str) -> Sent:
    head = b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\n\r\n"
    return Sent("endless", head, b" " * 65_536, endless=True, keeps=False)


_TREE: Sequence[object] = [{}] * (_LARGE // 3)
_BRACES = b"[" + b"{}," * (MIB // 3 - 1_000) + b"{}]"
_FINDINGS = orjson.dumps([{"Label": f"violent_{n}", "Confidence": 81.5, "RiskLevel": "high"} for n in range(_LABELS)])


@cache  # takes a second, and few need it
def _gzipped() -> bytes:
    return gzip.compress(b" " * BOMB, 9)


def _gzip_bomb(data_id: str) -> Sent:
    return Sent("bomb", response(_gzipped(), 200, ("Content-Encoding", "gzip")))


def _labels(data_id: str) -> Sent:
    whole = good(data_id, "high")
    start, end = whole.index(b'"Result":') + 9, whole.rindex(b"}}")
    return Sent("labels", response(whole[:start] + _FINDINGS + whole[end:]))


def _tree(data_id: str) -> Sent:
    return Sent("tree", response(good(data_id)[:-1] + b',"Ext":' + _BRACES + b"}"))


def _header_flood(data_id: str) -> Sent:
    head = b"HTTP/1.1 200 X\r\n" + b"".join(b"x-%d: y\r\n" % n for n in range(50_000)) + b"\r\n"
    return Sent("headers", head, keeps=False)


def _long_header(data_id: str) -> Sent:
    return Sent("header", b"HTTP/1.1 200 X\r\nX-Y: " + b"a" * 20 * MIB, keeps=False)


CASES: Mapping[str, Case] = {
    case.name: case
    for case in (
        Case("rest", "1,000 ordinary events", lambda: _ordinary(1_000), verdicts=1_000),
        *(
            Case(f"bomb-{codec}", "150 MB of blanks in one record", partial(_bomb, codec), letters=1)
            for codec in ("gzip", "snappy", "lz4", "zstd")
        ),
        Case("partitions", "64 partitions × a batch of 8 MB", _partitions, partitions=MANY, letters=16 * MANY),
        Case("tiny", "200,000 records without a value in one batch", _tiny, letters=-1),
        Case("no-event", "16 × 3 MB that are no event", _no_event, letters=16),
        Case("keys", "64 × a key of 1 MB", _keys, verdicts=MANY, latency=1.0),
        Case("context", "64 × a context of 1 MB, one text", partial(_contexts, {"a": "x" * _LARGE}), latency=1.0,
             verdicts=MANY),
        Case("context-tree", "64 × a context of 1 MB, 330,000 members", partial(_contexts, {"a": _TREE}), latency=1.0,
             verdicts=MANY),
        Case("refused-tree", "64 × the same where no list may be", partial(_contexts, _TREE), letters=MANY),
        Case("headers", "8 × a message with 500,000 headers", lambda: _headers((b"x", None), 500_000),
             letters=MANY // 8),
        Case("header", "8 × a message with a header of 8 MB", lambda: _headers((b"x", b"y" * 8_000_000), 1),
             letters=-1),
        Case("endless", "64 answers without end", _images, _endless, verdicts=MANY),
        Case("gzip-answers", "64 answers of 150 MB in 146 kB of gzip", _images, _gzip_bomb, verdicts=MANY),
        Case("labels", "64 answers with 6,000 labels", _images, _labels, verdicts=MANY),
        Case("answer-tree", "64 answers of 1 MiB, 350,000 members", _images, _tree, verdicts=MANY),
        Case("answer-headers", "64 answers with 50,000 headers", _images, _header_flood, verdicts=MANY),
        Case("answer-header", "64 answers with a header of 20 MiB", _images, _long_header, verdicts=MANY),
    )
}  # fmt: skip
"""By name, in the order in which they are measured."""
