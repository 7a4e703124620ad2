"""
Kafka's own records of commits.
"""

import struct

from bench.chaos.commits import Commit, commit_of


def offset_key(version: int, group: str, topic: str, partition: int) -> bytes:
    texts = b"".join(struct.pack(">h", len(text)) + text.encode() for text in (group, topic))
    return struct.pack(">h", version) + texts + struct.pack(">i", partition)


def test_a_commit_is_read() -> None:
    """
    Group, topic, partition and offset stand in key and value; what follows in the value is left alone.
    """
    value = struct.pack(">hqi", 3, 9182, -1) + b"\x00\x04meta"

    assert commit_of(offset_key(1, "grüppe"[:2], "uploads", 7), value) == Commit("gr", "uploads", 7, 9182)


def test_members_and_tombstones_are_no_commits() -> None:
    """
    Group metadata has another key version; a removed offset has no value.
    """
    assert commit_of(struct.pack(">h", 2) + b"\x00\x01g", b"\x00\x03") is None
    assert commit_of(offset_key(1, "g", "uploads", 7), None) is None
