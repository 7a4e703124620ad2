"""
Batches of records as Kafka keeps them: their frames, their headers, and their records read with care.

aiokafka's compiled reader is fast, believes what it reads, and cannot read a header's name that is no UTF-8. So a
batch's frame is looked at here first, and a batch that the compiled reader gives up is read here again: slowly, within
its bounds, names with `surrogateescape`. Formats 0 and 1, which Kafka 4 writes no more, are read here only.

Values only. `Damaged`, `TooLarge` and nothing else escapes, whatever the bytes.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

from consumer.errors import ConsumerError
from consumer.kafka.unpacking import Garbled, TooLarge, codec_name, unpack

__all__ = ["Damaged", "Frame", "Header", "Record", "TooLarge", "frame_at", "header_of", "legacy_records", "records"]

HEADER = struct.Struct(">qiibIhiqqqhii")
_FRAME = struct.Struct(">qi")  # base offset, and the length of what follows
_MAGIC_AT = 16
_LEAST = {0: 14, 1: 22, 2: HEADER.size - _FRAME.size}  # bytes behind the frame, by format

_CODEC = 0x07
_LOG_APPEND_TIME = 0x08
_MOST_BYTES_OF_A_VARINT = 10


class Damaged(ConsumerError):
    """A batch that is not what Kafka writes."""


class Frame(NamedTuple):
    """Where a batch lies in what was fetched."""

    start: int
    end: int
    base_offset: int  # format 0 and 1: the last record's
    magic: int


class Header(NamedTuple):
    """The header of a batch of format 2, in Kafka's order."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    first_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def codec(self) -> int:
        return self.attributes & _CODEC

    @property
    def timestamp(self) -> int:
        """Milliseconds: the first record's, or when Kafka appended them all."""
        return self.max_timestamp if self.attributes & _LOG_APPEND_TIME else self.first_timestamp

    def unpacked(self) -> bytes:
        """The header of the same batch without compression; its checksum is no longer true."""
        return HEADER.pack(*self._replace(attributes=self.attributes & ~_CODEC))


class Record(NamedTuple):
    """A record as aiokafka's readers name its parts."""

    offset: int
    timestamp: int  # milliseconds; −1 where there is none
    timestamp_type: int | None
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    checksum: int | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(offset={self.offset})"  # what it holds may be credentials


def frame_at(fetched: bytes, start: int) -> Frame | None:
    """
    Return the frame of the batch that begins at `start`, None where it does not end in what was fetched.

    `Damaged` escapes where no batch begins there.
    """
    if len(fetched) - start < _FRAME.size + min(_LEAST.values()):
        return None
    base_offset, length = _FRAME.unpack_from(fetched, start)
    magic = struct.unpack_from(">b", fetched, start + _MAGIC_AT)[0]
    if magic not in _LEAST:
        raise Damaged(f"a batch of format {magic}, which no release of Kafka writes that this one knows")
    if length < _LEAST[magic]:
        raise Damaged(f"a batch of {length} bytes")
    if base_offset < 0:
        raise Damaged(f"a batch at offset {base_offset}")
    end = start + _FRAME.size + length
    return None if end > len(fetched) else Frame(start, end, base_offset, magic)


def header_of(fetched: bytes, start: int = 0) -> Header:
    """The header of a batch of format 2, none of which is proven. `Damaged` escapes."""
    try:
        return Header(*HEADER.unpack_from(fetched, start))
    except struct.error as error:
        raise Damaged("a batch without a whole header") from error


def records(header: Header, plain: memoryview) -> Iterator[Record]:
    """The records of a batch of format 2, whose bytes are not compressed any more, one after the other."""
    position = 0
    for index in range(header.record_count):
        length, position = _varint(plain, position)
        end = position + length
        if length < 0 or end > len(plain):
            raise Damaged(f"record {index} of {header.record_count} is of {length} bytes")
        yield _record(header, plain[position:end])
        position = end
    if position != len(plain):
        raise Damaged(f"{len(plain) - position} bytes behind the last of {header.record_count} records")


def _record(header: Header, body: memoryview) -> Record:
    timestamp_delta, position = _varint(body, 1)
    offset_delta, position = _varint(body, position)
    if not 0 <= offset_delta <= header.last_offset_delta:
        raise Damaged(f"a record {offset_delta} behind the first of {header.last_offset_delta + 1}")
    key, position = _bytes(body, position)
    value, position = _bytes(body, position)
    count, position = _varint(body, position)
    if not 0 <= count <= len(body):
        raise Damaged(f"a record with {count} headers")
    headers = []
    for _ in range(count):
        name, position = _bytes(body, position)
        if name is None:
            raise Damaged("a header without a name")
        content, position = _bytes(body, position)
        headers.append((name.decode(errors="surrogateescape"), content))
    if position != len(body):
        raise Damaged(f"{len(body) - position} bytes behind a record's last header")
    appended = bool(header.attributes & _LOG_APPEND_TIME)
    timestamp = header.max_timestamp if appended else header.first_timestamp + timestamp_delta
    return Record(header.base_offset + offset_delta, timestamp, int(appended), key, value, headers)


def _bytes(body: memoryview, position: int) -> tuple[bytes | None, int]:
    length, position = _varint(body, position)
    if length < 0:
        return None, position
    end = position + length
    if end > len(body):
        raise Damaged(f"{length} bytes where {len(body) - position} are left")
    return bytes(body[position:end]), end


def _varint(body: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for index in range(_MOST_BYTES_OF_A_VARINT):
        if position >= len(body):
            raise Damaged("the batch ends within a number")
        byte = body[position]
        position += 1
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), position
    raise Damaged("a number that does not end")


_LEGACY = {0: struct.Struct(">qiIbb"), 1: struct.Struct(">qiIbbq")}


class _Message(NamedTuple):
    """One message of format 0 or 1, which may hold others."""

    offset: int
    crc: int
    attributes: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    end: int

    def __repr__(self) -> str:
        return f"{type(self).__name__}(offset={self.offset})"  # what it holds may be credentials


def legacy_records(batch: memoryview, magic: int, bound: int) -> list[Record]:
    """The records of a message of format 0 or 1: those packed in it, or itself."""
    outer = _message(batch, 0, magic)
    if crc32(batch[_MAGIC_AT:]) != outer.crc:
        raise Damaged("its checksum is wrong")
    appended = bool(magic and outer.attributes & _LOG_APPEND_TIME)
    codec = outer.attributes & _CODEC
    if not codec:
        return [_legacy(outer, 0, outer.timestamp, appended, magic)]
    if outer.value is None or codec > 3 or (codec == 3 and magic == 0):
        raise Damaged(f"format {magic} has no {codec_name(codec)}")
    try:
        plain = memoryview(unpack(codec, memoryview(outer.value), bound))
    except Garbled as error:
        raise Damaged(str(error)) from error
    inner, position = [], 0
    while position < len(plain):
        message = _message(plain, position, magic)
        if message.attributes & _CODEC:
            raise Damaged("packed twice")
        inner.append(message)
        position = message.end
    if not inner:
        return []
    shift = outer.offset - inner[-1].offset if magic else 0  # format 1 counts from the first
    return [_legacy(each, shift, outer.timestamp if appended else each.timestamp, appended, magic) for each in inner]


def _message(plain: memoryview, start: int, magic: int) -> _Message:
    layout = _LEGACY[magic]
    if len(plain) - start < layout.size + 8:
        raise Damaged("the batch ends within a message")
    offset, length, crc, _, attributes, *rest = layout.unpack_from(plain, start)
    end = start + _FRAME.size + length
    if length < _LEAST[magic] or end > len(plain):
        raise Damaged(f"a message of {length} bytes")
    key, position = _sized(plain, start + layout.size, end)
    value, _ = _sized(plain, position, end)
    return _Message(offset, crc, attributes, rest[0] if rest else -1, key, value, end)


def _sized(plain: memoryview, position: int, end: int) -> tuple[bytes | None, int]:
    if end - position < 4:
        raise Damaged("a message without a length")
    (length,) = struct.unpack_from(">i", plain, position)
    position += 4
    if length == -1:
        return None, position
    if not 0 <= length <= end - position:
        raise Damaged(f"{length} bytes where {end - position} are left")
    return bytes(plain[position : position + length]), position + length


def _legacy(message: _Message, shift: int, timestamp: int, appended: bool, magic: int) -> Record:
    kind = None if magic == 0 or timestamp == -1 else int(appended)
    return Record(message.offset + shift, timestamp, kind, message.key, message.value, [], message.crc)
