"""
Reads what the group's coordinator wrote down: records of Kafka's own topic `__consumer_offsets`. Pure.

    key     int16 version (0, 1: an offset)  string group  string topic  int32 partition
    value   int16 version                    int64 offset  …
"""

import struct
from typing import NamedTuple

_OFFSET_KEYS = (0, 1)


class Commit(NamedTuple):
    """One committed offset."""

    group: str
    topic: str
    partition: int
    offset: int


def commit_of(key: bytes | None, value: bytes | None) -> Commit | None:
    """Return the commit that a record is, or None where it tells of members or is a tombstone."""
    if key is None or value is None:
        return None
    (version,) = struct.unpack_from(">h", key)
    if version not in _OFFSET_KEYS:
        return None
    group, at = _text(key, 2)
    topic, at = _text(key, at)
    (partition,) = struct.unpack_from(">i", key, at)
    _, offset = struct.unpack_from(">hq", value)
    return Commit(group, topic, partition, offset)


def _text(data: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">h", data, at)
    end = at + 2 + length
    return data[at + 2 : end].decode(), end
