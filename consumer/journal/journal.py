"""
What the outputs already hold. Values only; `reader.py` reads them.

There is no database: every verdict and dead letter carries its id, so the output topics are the journal of what was
done. What is settled beyond the committed offset is read again after a crash or a rebalance, and is found here: it is
neither paid for nor published a second time.
"""

from collections.abc import Collection
from math import inf

from consumer.journal.outcomes import PackedOutcomes
from consumer.records import Delivery, Partition, SourceId

NOTHING = PackedOutcomes()


class Journal:
    """The outcomes of records that may be read again, those of this replica's partitions."""

    def __init__(self) -> None:
        self._known: dict[Partition, PackedOutcomes] = {}

    def holds(self, delivery: Delivery, outcome: SourceId) -> bool:
        """Whether the outcome is published."""
        return self.knows(delivery.topic_partition, delivery.offset, outcome)

    def knows(self, partition: Partition, offset: int, outcome: SourceId) -> bool:
        """The same, of the record at `offset` of a partition."""
        return (offset, outcome) in self._of(partition)

    def note(self, partition: Partition, offset: int, outcome: SourceId, at: float) -> bool:
        """
        Note that an outcome of the record at `offset` is published, at `at` or later (unix seconds); say if it is new.
        """
        known = self._known.get(partition)
        if known is None:
            known = self._known[partition] = PackedOutcomes()
        return known.add(offset, outcome, at)

    def forget(self, partition: Partition, below: int) -> None:
        """Note that a partition is committed up to `below`: nothing before will be read again."""
        self._of(partition).drop_below(below)

    def keep_only(self, partitions: Collection[Partition]) -> None:
        """Forget every other partition: its next owner publishes what this replica does not see."""
        for partition in self._known.keys() - set(partitions):
            del self._known[partition]

    def keep_lowest(self, partition: Partition, begin: int, count: int) -> int:
        """
        Forget a partition's outcomes but for `count` of the lowest offsets from `begin` on, and say from which offset
        on; a record's outcomes stay together, those of the lowest record in any case.
        """
        known = self._of(partition)
        before = known.count(0, begin)
        if before + count >= len(known):
            raise ValueError(f"{partition} has no more than {count} outcomes from {begin} on")
        limit = max(known.offset_at(before + count), known.offset_at(before) + 1)
        known.drop_from(limit)
        return limit

    def count(self, partition: Partition, begin: int = 0, end: int | None = None) -> int:
        """How many outcomes are known of a partition's records from `begin` on and before `end`."""
        known = self._of(partition)
        return len(known) if begin == 0 and end is None else known.count(begin, 2**63 - 1 if end is None else end)

    def earliest(self, partition: Partition, offset: int) -> float:
        """When the first outcome of a partition's records from `offset` on was published; infinity without any."""
        return self._known[partition].earliest(offset) if partition in self._known else inf

    def __len__(self) -> int:
        """Outcomes known."""
        return sum(map(len, self._known.values()))

    def _of(self, partition: Partition) -> PackedOutcomes:
        return self._known.get(partition, NOTHING)
