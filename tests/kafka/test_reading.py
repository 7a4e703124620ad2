"""How the records of one fetch are read: batches of every kind, good and bad, without a broker."""

import struct
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consumer.kafka.reading import Fetched, PartitionRecords
from consumer.kafka.unreadable import DAMAGED, TOO_LARGE, Damage, Skip, UnreadableRecord
from tests.rig.kafka.batches import CODECS, HEADER, RawRecord, batch, sealed, varint

PARTITION = TopicPartition("uploads", 0)
BOUND = 1_000_000


class Reads:
    """What a partition's records ask of their consumer; decides as a test wants."""

    max_batch_bytes = room = BOUND

    def __init__(self, skip: bool = False, deliver: bool = True, end: int | None = None) -> None:
        self.damages: list[Damage] = []
        self.held: dict[int, int] = {}
        self._skip, self._deliver, self._end = skip, deliver, end

    def met(self, damage: Damage) -> Skip | None:
        self.damages.append(damage)
        if damage.why == TOO_LARGE or self._skip:
            return Skip(damage.next_offset or damage.offset + 1, self._deliver)
        return None

    def known_end(self, _: TopicPartition) -> int | None:
        return self._end

    def hold(self, owner: PartitionRecords, size: int) -> None:
        self.held[id(owner)] = size

    def let_go(self, owner: PartitionRecords) -> None:
        self.held.pop(id(owner), None)


def read(
    fetched: bytes | None,
    reads: Reads,
    offset: int = 0,
    aborted: Sequence[tuple[int, int]] = (),
    committed: bool = True,
) -> tuple[list[Any], int]:
    """The records, and where the next fetch begins."""
    found = PartitionRecords(
        reads, PARTITION, Fetched(fetched), list(aborted), offset, None, None, True, 1
    )  # fmt: skip
    return list(found), found.next_fetch_offset


def read_by_aiokafka(fetched: bytes, offset: int = 0, aborted: Sequence[tuple[int, int]] = ()) -> tuple[list[Any], int]:
    found = fetcher.PartitionRecords(
        PARTITION, MemoryRecords(fetched), list(aborted), offset, None, None, True, fetcher.READ_COMMITTED
    )
    return list(found), found.next_fetch_offset


def values(found: Sequence[Any]) -> list[bytes]:
    return [record.value for record in found]


def some(*named: bytes) -> list[RawRecord]:
    return [RawRecord(name, headers=[(b"n", name)]) for name in named]


@pytest.mark.parametrize("codec", range(5), ids=CODECS)
def test_good_batches_are_read_as_aiokafka_reads_them(codec: int) -> None:
    """
    Of every codec, from any offset, field by field.
    """
    fetched = batch(some(b"a", b"b", b"c"), codec=codec) + batch(some(b"d"), codec=codec, base_offset=7)

    for offset in range(8):
        assert read(fetched, Reads(), offset) == read_by_aiokafka(fetched, offset)


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", range(4), ids=CODECS[:4])
def test_old_formats_are_read_as_aiokafka_reads_them(magic: int, codec: int) -> None:
    """
    Formats 0 and 1, plain and compressed; one that had no timestamp has −1.
    """
    if magic == 0 and codec == 3:
        return  # never existed
    builder = LegacyRecordBatchBuilder(magic, codec, 10_000)
    for offset in range(3):
        builder.append(offset, 1_000 + offset, b"k", b"v%d" % offset)
    fetched = bytes(builder.build())
    if codec:
        fetched = struct.pack(">q", 2) + fetched[8:]  # as the broker numbers it: by its last

    ours, ours_next = read(fetched, Reads())
    theirs, theirs_next = read_by_aiokafka(fetched)

    assert (values(ours), ours_next) == (values(theirs), theirs_next)
    assert [each.offset for each in ours] == [each.offset for each in theirs]
    assert [each.timestamp for each in ours] == [each.timestamp if magic else -1 for each in theirs]


def test_aborted_transactions_and_their_markers_are_passed_over_as_aiokafka_does() -> None:
    """
    The batch of an aborted transaction yields nothing, the one behind its marker does.
    """
    key = struct.pack(">hh", 0, 0)
    fetched = (
        batch(some(b"aborted"), attributes=0x10, producer=9)
        + batch(some(b"other"), base_offset=1)
        + batch([RawRecord(b"\0" * 6, key)], base_offset=2, attributes=0x30, producer=9)
        + batch(some(b"kept"), base_offset=3, attributes=0x10, producer=9)
    )

    found = read(fetched, Reads(), aborted=[(9, 0)])

    assert found == read_by_aiokafka(fetched, aborted=[(9, 0)])
    assert values(found[0]) == [b"other", b"kept"]


@pytest.mark.parametrize("codec", range(5), ids=CODECS)
def test_a_header_name_that_is_no_utf_8_costs_no_record(codec: int) -> None:
    """
    All records of its batch and of those around it arrive in order, its bytes as surrogates.
    """
    odd = [RawRecord(b"b", headers=[(b"fine", b"1"), (b"na\xff\xfeme", b"2")])]
    fetched = batch(some(b"a")) + batch(some(b"x") + odd + some(b"y"), base_offset=1, codec=codec)
    reads = Reads()

    found, behind = read(fetched + batch(some(b"z"), base_offset=4), reads)

    assert values(found) == [b"a", b"x", b"b", b"y", b"z"]
    assert found[2].headers == (("fine", b"1"), ("na\udcff\udcfeme", b"2"))
    assert (behind, reads.damages) == (5, [])


def flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


DAMAGES = {
    "checksum": flipped(batch(some(b"bad", b"bad"), base_offset=2)),
    "magic 7": (odd := batch(some(b"bad", b"bad"), base_offset=2))[:16] + b"\7" + odd[17:],
    "magic -1": odd[:16] + b"\xff" + odd[17:],
    "codec 7": batch(some(b"bad", b"bad"), base_offset=2, attributes=7),
    "gzip that is none": batch((), base_offset=2, count=2, attributes=1, body=b"no gzip"),
    "zstd that is none": batch((), base_offset=2, count=2, attributes=4, body=b"no zstd"),
    "snappy that is none": batch((), base_offset=2, count=2, attributes=2, body=b"\x09\xff\xff\xff"),
    "lz4 that is none": batch((), base_offset=2, count=2, attributes=3, body=b"no lz4"),
    "a record cut off": batch((), base_offset=2, count=2, body=varint(50) + b"\0"),
    "a negative length": batch((), base_offset=2, count=2, body=varint(-5) + b"\0" * 40),
    "a huge length": batch((), base_offset=2, count=2, body=varint(2**62) + b"\0" * 40),
    "a huge key": batch((), base_offset=2, count=2, body=varint(30) + b"\0\0\0" + varint(2**62) + b"\0" * 40),
    "more records than bytes": batch((), base_offset=2, count=2**31 - 1, body=b""),
    "more records than offsets": sealed(HEADER.pack(2, 49, 0, 2, 0, 0, 0, 0, 0, -1, -1, -1, 5)),
    "fewer records than none": sealed(HEADER.pack(2, 49, 0, 2, 0, 0, 0, 0, 0, -1, -1, -1, -5)),
    "offsets that end before they begin": sealed(HEADER.pack(2, 49, 0, 2, 0, 0, -9, 0, 0, -1, -1, -1, 0)),
    "a record far behind its batch": batch(
        (), base_offset=2, count=2, body=varint(10) + b"\0\0" + varint(2**30) + varint(-1) * 2 + varint(0)
    ),
    "too many headers": batch((), base_offset=2, count=2, body=varint(10) + b"\0\0\0\1\1" + varint(2**29)),
}  # fmt: skip


@pytest.mark.parametrize("damaged", DAMAGES.values(), ids=DAMAGES.keys())
def test_what_lies_before_a_damaged_batch_arrives_and_the_batch_is_met_once_it_is_the_next(damaged: bytes) -> None:
    """
    First the good records; then, fetched again from there, the damage with its offset, and nothing else.
    """
    reads = Reads(end=9)
    good = batch(some(b"a", b"b"))

    found, behind = read(good + damaged + batch(some(b"c"), base_offset=4), reads)
    again, still = read(damaged + batch(some(b"c"), base_offset=4), reads, behind)

    assert (values(found), behind, again, still) == ([b"a", b"b"], 2, [], 2)
    assert [(each.offset, each.why) for each in reads.damages] == [(2, DAMAGED)]


@pytest.mark.parametrize("damaged", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_batch_that_is_skipped_is_delivered_with_its_bytes_and_what_is_behind_it_arrives(
    damaged: bytes,
) -> None:
    """
    The next batch says where it ends, or it is fetched from the next offset.
    """
    reads = Reads(skip=True, end=9)

    found, behind = read(damaged + batch(some(b"c"), base_offset=4), reads, 2)

    assert isinstance(found[0], UnreadableRecord)
    assert (found[0].offset, found[0].timestamp) == (2, -1)
    assert found[0].value is not None
    assert damaged in found[0].value
    if len(found) == 2:
        assert (found[1].value, behind) == (b"c", 5)
    else:
        assert behind == 3  # nothing tells where the damage ends


def test_a_good_part_of_a_damaged_batch_arrives() -> None:
    """
    Its checksum is right, its third record is not.
    """
    whole = batch(some(b"a", b"b"))[HEADER.size :]
    reads = Reads()

    found, behind = read(batch((), count=3, body=whole + varint(9) + b"\0"), reads)

    assert (values(found), behind) == ([b"a", b"b"], 2)


@pytest.mark.parametrize("codec", range(1, 5), ids=CODECS[1:])
def test_a_batch_beyond_the_bound_is_one_record_of_its_compressed_bytes(codec: int) -> None:
    """
    With its first and last offset, count and codec; what lies around it arrives, and so again on redelivery.
    """
    large = batch([RawRecord(b" " * BOUND), *some(b"small")], codec=codec, base_offset=1)
    fetched = batch(some(b"a")) + large + batch(some(b"z"), base_offset=3)

    found, behind = read(fetched, Reads())

    assert values(found) == [b"a", large, b"z"]
    assert behind == 4
    assert read(fetched, Reads()) == (found, behind)
    told = found[1].unreadable
    assert (told.reason, told.first_offset, told.last_offset, told.count, told.codec) == (
        TOO_LARGE, 1, 2, 2, CODECS[codec],
    )  # fmt: skip


def test_what_is_unpacked_can_be_let_go_and_is_read_on_from_where_it_was() -> None:
    """
    In the middle of a compressed batch, of one behind it, and once all is read.
    """
    fetched = batch(some(b"a", b"b", b"c"), codec=4) + batch(some(b"d", b"e"), codec=1, base_offset=3)
    reads = Reads()
    found = PartitionRecords(reads, PARTITION, Fetched(fetched), [], 0, None, None, True, 1)

    came = []
    found.release()
    for record in found:
        came.append(record.value)
        found.release()

    assert came == [b"a", b"b", b"c", b"d", b"e"]
    assert not reads.held


def test_the_broker_s_own_word_that_a_batch_is_damaged_is_a_damage() -> None:
    """
    Nothing was fetched, and nothing tells where it ends.
    """
    reads = Reads()

    assert read(None, reads, 5) == ([], 5)
    assert [(each.offset, each.next_offset) for each in reads.damages] == [(5, None)]


GOOD = [batch(some(b"a", b"b", b"c"), codec=codec) for codec in range(5)]
LEGACY = []
for _magic, _codec in ((0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (1, 3)):
    _builder = LegacyRecordBatchBuilder(_magic, _codec, 10_000)
    for _offset in range(3):
        _builder.append(_offset, 1_000, b"k", b"v")
    LEGACY.append(bytes(_builder.build()))


@st.composite
def fetches(draw: st.DrawFn) -> bytes:
    """Batches with some bytes changed, some of them with a checksum that is right again; or any bytes."""
    parts = []
    for part in draw(st.lists(st.sampled_from(GOOD + LEGACY) | st.binary(max_size=120), max_size=4)):
        content = bytearray(part)
        for place, byte in draw(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4)):
            if content:
                content[place % len(content)] = byte
        if draw(st.booleans()) and len(content) > HEADER.size and content[16] == 2:
            content = bytearray(sealed(content))
        parts.append(bytes(content))
    return b"".join(parts)


@settings(max_examples=600)
@given(fetches(), st.integers(0, 5), st.booleans(), st.none() | st.integers(0, 10))
@example(struct.pack(">qi", 0, -12) * 4, 0, True, None)
def test_whatever_is_fetched_nothing_is_raised_and_nothing_goes_backward(
    fetched: bytes, offset: int, skip: bool, end: int | None
) -> None:
    """
    It ends, offsets rise, and it moves on or says why not.
    """
    reads = Reads(skip=skip, end=end)

    found, behind = read(fetched, reads, offset)

    offsets = [each.offset for each in found]
    assert offsets == sorted(set(offsets))
    assert all(offset <= each < behind for each in offsets)
    assert behind > offset or reads.damages or not fetched
