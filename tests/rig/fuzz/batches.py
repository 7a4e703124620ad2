"""
Kafka's record batches (magic 2) as bytes, written and read without a client.

A client refuses what another one may well have sent: header names that are no UTF-8, records whose times lie ages
apart, a batch of 150 MB of blanks. Reading is as strict as Kafka's documentation, and keeps names as bytes.
"""

import gzip
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cramjam
from aiokafka.record.util import calc_crc32c

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
"""By their number in a batch's attributes."""

_HEAD = struct.Struct(">qiibIhiqqqhii")
_XERIAL = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"
_XERIAL_BLOCK = 32 * 1024
_CODEC_BITS = 0x07
_LOG_APPEND_TIME = 0x08
_CONTROL = 0x20


class RawRecord(NamedTuple):
    """A record as it stands in a batch."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[bytes, bytes | None]]
    timestamp: int
    """Milliseconds since the epoch; −1: none."""

    offset: int = 0
    partition: int = 0


def written(records: Sequence[RawRecord], codec: str = "none") -> bytes:
    """Encode a batch, uncompressed or compressed, from offset 0 on; the broker gives it its offsets."""
    base = records[0].timestamp
    body = b"".join(_record(index, record, base) for index, record in enumerate(records))
    return batch(body, len(records), base, max(record.timestamp for record in records), codec)


def batch(body: bytes, count: int, first_time: int, last_time: int, codec: str) -> bytes:
    """Encode a batch around records that are encoded already."""
    packed = compressed(body, codec)
    rest = struct.pack(">hiqqqhii", CODECS.index(codec), count - 1, first_time, last_time, -1, -1, -1, count) + packed
    crc = calc_crc32c(rest)
    return struct.pack(">qiibI", 0, len(rest) + 9, -1, 2, crc) + rest


def compressed(body: bytes, codec: str) -> bytes:
    """Compress as Java's clients do: snappy in xerial's framing, lz4 in frames of independent blocks."""
    match codec:
        case "gzip":
            return gzip.compress(body, compresslevel=1)
        case "snappy":
            return _XERIAL + b"".join(
                _block(body[at : at + _XERIAL_BLOCK]) for at in range(0, len(body), _XERIAL_BLOCK)
            )
        case "lz4":
            compressor = cramjam.lz4.Compressor(level=1, content_checksum=False, block_linked=False)
            compressor.compress(body)
            return bytes(compressor.finish())
        case "zstd":
            return bytes(cramjam.zstd.compress(body))
    return body


def _block(part: bytes) -> bytes:
    packed = bytes(cramjam.snappy.compress_raw(part))
    return struct.pack(">i", len(packed)) + packed


def _decompressed(body: bytes, codec: str) -> bytes:
    match codec:
        case "gzip":
            return zlib.decompress(body, wbits=31)
        case "snappy" if body.startswith(_XERIAL[:8]):
            return b"".join(_unblocked(body))
        case "snappy":
            return bytes(cramjam.snappy.decompress_raw(body))
        case "lz4":
            return bytes(cramjam.lz4.decompress(body))
        case "zstd":
            return bytes(cramjam.zstd.decompress(body))
    return body


def _unblocked(body: bytes) -> Iterator[bytes]:
    at = len(_XERIAL)
    while at < len(body):
        (length,) = struct.unpack_from(">i", body, at)
        at += 4 + length
        yield bytes(cramjam.snappy.decompress_raw(body[at - length : at]))


def read(data: bytes, partition: int = 0) -> Iterator[RawRecord]:
    """Yield the records of the whole batches in `data`, a fetch's answer, without those that mark transactions."""
    at = 0
    while at + _HEAD.size <= len(data):
        fields = _HEAD.unpack_from(data, at)
        base_offset, length, attributes, first_time, last_time, count = (fields[i] for i in (0, 1, 5, 7, 8, 12))
        end = at + 12 + length
        if end > len(data):
            return
        if not attributes & _CONTROL:
            body = _decompressed(data[at + _HEAD.size : end], CODECS[attributes & _CODEC_BITS])
            time = last_time if attributes & _LOG_APPEND_TIME else None
            yield from _records(body, count, base_offset, first_time, time, partition)
        at = end


def next_offset(data: bytes) -> int | None:
    """Return the offset behind the last whole batch in `data`; None where there is none."""
    at, found = 0, None
    while at + _HEAD.size <= len(data):
        base_offset, length = struct.unpack_from(">qi", data, at)
        if at + 12 + length > len(data):
            break
        found = base_offset + struct.unpack_from(">i", data, at + 23)[0] + 1
        at += 12 + length
    return found


def _records(
    body: bytes, count: int, base_offset: int, first_time: int, time: int | None, partition: int
) -> Iterator[RawRecord]:
    at = 0
    for _ in range(count):
        _, at = _varint(body, at)
        at += 1  # attributes
        delta_time, at = _varint(body, at)
        delta_offset, at = _varint(body, at)
        key, at = _bytes(body, at)
        value, at = _bytes(body, at)
        many, at = _varint(body, at)
        headers = []
        for _ in range(many):
            name, at = _bytes(body, at)
            content, at = _bytes(body, at)
            headers.append((name or b"", content))
        stamp = first_time + delta_time if time is None else time
        yield RawRecord(key, value, headers, stamp, base_offset + delta_offset, partition)


def _record(index: int, record: RawRecord, base: int) -> bytes:
    parts = [b"\x00", _zigzag(record.timestamp - base), _zigzag(index), *_sized(record.key), *_sized(record.value)]
    parts.append(_zigzag(len(record.headers)))
    for name, content in record.headers:
        parts += _sized(name)
        parts += _sized(content)
    whole = b"".join(parts)
    return _zigzag(len(whole)) + whole


def _sized(data: bytes | None) -> tuple[bytes, ...]:
    return (_zigzag(-1),) if data is None else (_zigzag(len(data)), data)


def _zigzag(number: int) -> bytes:
    value = (number << 1) ^ (number >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    shift = value = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7


def _bytes(data: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = _varint(data, at)
    return (None, at) if length < 0 else (data[at : at + length], at + length)
