"""
The outcomes that are known of one partition, packed: at most 130 bytes each, a million of them in about 100 MB.

An outcome is 30 bytes: the source's offset, a hash of its id, and the moment at which it was published. They lie in
sorted blocks, each with the earliest moment of its outcomes, so that neither a look-up nor a commit walks through all.
"""

from bisect import bisect_left
from collections.abc import Iterator
from hashlib import blake2b
from math import inf

from consumer.records import SourceId

BLOCK = 512  # outcomes after which a block is split
_OFFSET, _NAME, _TIME = 8, 16, 6  # bytes: up to 2⁶³ offsets, ids without collision, milliseconds for 8,900 years
_NAMED = _OFFSET + _NAME


def _key(offset: int, outcome: SourceId) -> bytes:
    """What an outcome is found by. Sorted as bytes, lower offsets come first."""
    return offset.to_bytes(_OFFSET, "big") + blake2b(outcome.encode(), digest_size=_NAME).digest()


def _offset(entry: bytes) -> int:
    return int.from_bytes(entry[:_OFFSET], "big")


def _at(entry: bytes) -> float:
    return int.from_bytes(entry[_NAMED:], "big") / 1000


class PackedOutcomes:
    """A set of outcomes with their offsets and moments. Each is there once, at its earliest moment."""

    __slots__ = ("_blocks", "_earliest", "_firsts", "_size")

    def __init__(self) -> None:
        self._blocks: list[list[bytes]] = []  # none is empty
        self._firsts: list[bytes] = []  # of each block
        self._earliest: list[float] = []  # in each block, or earlier
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, offset: int, outcome: SourceId, at: float) -> bool:
        """Note an outcome of the record at `offset`, published at `at` or later (unix seconds); say if it is new."""
        key = _key(offset, outcome)
        number, block = self._block_of(key)
        milliseconds = max(0, int(at * 1000))  # never later than it was
        entry = key + milliseconds.to_bytes(_TIME, "big")
        place = bisect_left(block, key)
        is_new = place == len(block) or not block[place].startswith(key)
        if is_new:
            block.insert(place, entry)
            self._size += 1
        else:
            block[place] = min(block[place], entry)
        self._earliest[number] = min(self._earliest[number], milliseconds / 1000)
        self._firsts[number] = block[0]
        if len(block) > BLOCK:
            self._split(number)
        return is_new

    def __contains__(self, found: tuple[int, SourceId]) -> bool:
        if not self._blocks:
            return False
        key = _key(*found)
        _, block = self._block_of(key)
        place = bisect_left(block, key)
        return place < len(block) and block[place].startswith(key)

    def count(self, begin: int, end: int) -> int:
        """How many outcomes records from `begin` on and before `end` have."""
        return max(0, self._rank(end) - self._rank(begin))

    def offset_at(self, rank: int) -> int:
        """The offset of the outcome before which `rank` others stand."""
        for block in self._blocks:
            if rank < len(block):
                return _offset(block[rank])
            rank -= len(block)
        raise IndexError(rank)

    def earliest(self, offset: int) -> float:
        """When the first outcome of the records from `offset` on was published; infinity where there is none."""
        number, place = self._locate(offset)
        if number == len(self._blocks):
            return inf
        in_part = (_at(entry) for entry in self._blocks[number][place:]) if place else iter([self._earliest[number]])
        return min([*in_part, *self._earliest[number + 1 :]])

    def drop_below(self, offset: int) -> None:
        """Forget the outcomes of records before `offset`."""
        number, place = self._locate(offset)
        self._size -= sum(map(len, self._blocks[:number])) + place
        del self._blocks[:number], self._firsts[:number], self._earliest[:number]
        if place:
            self._keep(0, self._blocks[0][place:])

    def drop_from(self, offset: int) -> None:
        """Forget the outcomes of the record at `offset` and of all behind it."""
        number, place = self._locate(offset)
        self._size = sum(map(len, self._blocks[:number])) + place
        if place:
            self._keep(number, self._blocks[number][:place])
            number += 1
        del self._blocks[number:], self._firsts[number:], self._earliest[number:]

    def __iter__(self) -> Iterator[tuple[int, float]]:
        """Offset and moment of each, in the order of offsets."""
        return ((_offset(entry), _at(entry)) for block in self._blocks for entry in block)

    def _block_of(self, key: bytes) -> tuple[int, list[bytes]]:
        """The block in which `key` is, or belongs."""
        if not self._blocks:
            self._insert(0, [])
        number = max(0, bisect_left(self._firsts, key + b"\xff" * _TIME) - 1)
        return number, self._blocks[number]

    def _locate(self, offset: int) -> tuple[int, int]:
        """Block and place of the first outcome from `offset` on; the number of blocks where there is none."""
        key = max(0, offset).to_bytes(_OFFSET, "big")
        number = max(0, bisect_left(self._firsts, key) - 1)
        if number < len(self._blocks):
            place = bisect_left(self._blocks[number], key)
            return (number, place) if place < len(self._blocks[number]) else (number + 1, 0)
        return number, 0

    def _rank(self, offset: int) -> int:
        number, place = self._locate(offset)
        return sum(map(len, self._blocks[:number])) + place

    def _split(self, number: int) -> None:
        """Make two of a block; what comes in order leaves the first one nearly full."""
        block = self._blocks[number]
        last = number + 1 == len(self._blocks)
        half = len(block) * 7 // 8 if last else len(block) // 2
        rest = block[half:]
        self._keep(number, block[:half])
        self._insert(number + 1, rest)

    def _insert(self, number: int, block: list[bytes]) -> None:
        self._blocks.insert(number, block)
        self._firsts.insert(number, block[0] if block else b"")
        self._earliest.insert(number, min(map(_at, block), default=inf))

    def _keep(self, number: int, block: list[bytes]) -> None:
        """Put what is left of a block in its place."""
        self._blocks[number] = block
        self._firsts[number] = block[0]
        self._earliest[number] = min(map(_at, block))
