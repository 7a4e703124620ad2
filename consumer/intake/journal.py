"""
What the outputs already hold. Values only; `tail.py` reads them.

There is no database: every verdict and dead letter carries its id, so the output topics are the journal of what was
done. What is settled beyond the committed offset is read again after a crash or a rebalance, and is found here: it is
neither paid for nor published a second time.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from math import inf

from consumer.records import Delivery, Place, SourceId


@dataclass(slots=True)
class Outcomes:
    """What is published of one record."""

    earliest: float  # unix seconds
    ids: set[SourceId] = field(default_factory=set)


class Journal:
    """The outcomes of records that may be read again, those of this replica's partitions."""

    def __init__(self) -> None:
        self._known: dict[Place, dict[int, Outcomes]] = {}
        self._size = 0

    def holds(self, delivery: Delivery, outcome: SourceId) -> bool:
        """Whether the outcome is published."""
        found = self._known.get(delivery.place, {}).get(delivery.offset)
        return found is not None and outcome in found.ids

    def note(self, place: Place, offset: int, outcome: SourceId, at: float) -> None:
        """Note that an outcome of the record at `offset` is published, at `at` or later (unix seconds)."""
        outcomes = self._known.setdefault(place, {}).setdefault(offset, Outcomes(at))
        outcomes.earliest = min(outcomes.earliest, at)
        self._size -= len(outcomes.ids)
        outcomes.ids.add(outcome)
        self._size += len(outcomes.ids)

    def forget(self, place: Place, below: int) -> None:
        """Note that a partition is committed up to `below`: nothing before will be read again."""
        known = self._known.get(place, {})
        for offset in [each for each in known if each < below]:
            self._size -= len(known.pop(offset).ids)

    def keep_only(self, places: Collection[Place]) -> None:
        """Forget every other partition: its next owner publishes what this replica does not see."""
        for place in self._known.keys() - set(places):
            self._size -= sum(len(outcomes.ids) for outcomes in self._known.pop(place).values())

    def earliest(self, place: Place, offset: int) -> float:
        """When the first outcome of a partition's records from `offset` on was published; infinity without any."""
        known = self._known.get(place, {})
        return min((outcomes.earliest for each, outcomes in known.items() if each >= offset), default=inf)

    def __len__(self) -> int:
        """Outcomes known."""
        return self._size
