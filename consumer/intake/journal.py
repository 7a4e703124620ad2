"""
What the outputs already hold. Values only; `tail.py` reads them.

There is no database: every verdict and dead letter carries its id, so the output topics are the journal of what was
done. What is settled beyond the committed offset is read again after a crash or a rebalance, and is found here: it is
neither paid for nor published a second time.
"""

from collections.abc import Collection
from math import inf

from consumer.intake.outcomes import PackedOutcomes
from consumer.records import Delivery, Place, SourceId

NOTHING = PackedOutcomes()


class Journal:
    """The outcomes of records that may be read again, those of this replica's partitions."""

    def __init__(self) -> None:
        self._known: dict[Place, PackedOutcomes] = {}

    def holds(self, delivery: Delivery, outcome: SourceId) -> bool:
        """Whether the outcome is published."""
        return (delivery.offset, outcome) in self._of(delivery.place)

    def note(self, place: Place, offset: int, outcome: SourceId, at: float) -> None:
        """Note that an outcome of the record at `offset` is published, at `at` or later (unix seconds)."""
        self._known.setdefault(place, PackedOutcomes()).add(offset, outcome, at)

    def forget(self, place: Place, below: int) -> None:
        """Note that a partition is committed up to `below`: nothing before will be read again."""
        self._of(place).drop_below(below)

    def keep_only(self, places: Collection[Place]) -> None:
        """Forget every other partition: its next owner publishes what this replica does not see."""
        for place in self._known.keys() - set(places):
            del self._known[place]

    def keep_lowest(self, place: Place, begin: int, count: int) -> int:
        """
        Forget a partition's outcomes but for `count` of the lowest offsets from `begin` on, and say from which offset
        on; a record's outcomes stay together, those of the lowest record in any case.
        """
        known = self._of(place)
        before = known.count(0, begin)
        if before + count >= len(known):
            raise ValueError(f"{place} has no more than {count} outcomes from {begin} on")
        limit = max(known.offset_at(before + count), known.offset_at(before) + 1)
        known.drop_from(limit)
        return limit

    def count(self, place: Place, begin: int = 0, end: int | None = None) -> int:
        """How many outcomes are known of a partition's records from `begin` on and before `end`."""
        known = self._of(place)
        return len(known) if begin == 0 and end is None else known.count(begin, 2**63 - 1 if end is None else end)

    def earliest(self, place: Place, offset: int) -> float:
        """When the first outcome of a partition's records from `offset` on was published; infinity without any."""
        return self._known[place].earliest(offset) if place in self._known else inf

    def __len__(self) -> int:
        """Outcomes known."""
        return sum(map(len, self._known.values()))

    def _of(self, place: Place) -> PackedOutcomes:
        return self._known.get(place, NOTHING)
