"""
How much may be held: records, bytes, and records of each partition. Values only; `source.py` acts on them.

Records and bytes are shared by the lanes as `ReservedCapacity` says: what a backfill may hold leaves a reserve for
every other lane. Reading pauses when a limit is reached and goes on when half of what is held is done: paused and
resumed at one mark, a partition would throw its fetched records away with every settled one.
"""

from collections.abc import Hashable, Mapping

from consumer.config.operation import AdmissionSettings
from consumer.fairness import DEFAULT, ReservedCapacity


class Admission:
    """Counts what is held, by partition (one assignment of it) and by lane."""

    def __init__(self, limits: AdmissionSettings, weights: Mapping[str, float] | None = None) -> None:
        """`weights` are the lanes'; without them there is one."""
        self._limits = limits
        weights = weights or {DEFAULT: 1.0}
        self._records = ReservedCapacity(limits.max_records, weights)
        self._bytes = ReservedCapacity(limits.max_bytes, weights)
        self._held: dict[Hashable, int] = {}
        self._crowded = dict.fromkeys(weights, False)

    @property
    def crowded(self) -> bool:
        """Whether no lane may admit anything."""
        return all(self._crowded.values())

    def is_crowded(self, lane: str) -> bool:
        """Whether the lane may admit nothing more: it reached a limit, and half of that is not yet free again."""
        return self._crowded[lane]

    @property
    def records_held(self) -> int:
        """Records held, of all lanes."""
        return self._records.held

    @property
    def bytes_held(self) -> int:
        """Bytes held, of all lanes."""
        return self._bytes.held

    def records_held_by(self, lane: str) -> int:
        """Records held of a lane."""
        return self._records.held_by(lane)

    @property
    def free_records(self) -> int:
        """Records that may still be admitted, as far as their number goes."""
        return max(0, self._records.size - self._records.held)

    def is_full(self, partition: Hashable) -> bool:
        """Whether no more may be held of a partition."""
        return self._held.get(partition, 0) >= self._limits.max_records_per_partition

    def has_drained(self, partition: Hashable) -> bool:
        """Whether a partition that was full may be read again."""
        return self._held.get(partition, 0) <= self._limits.max_records_per_partition // 2

    def admit(self, partition: Hashable, size: int, lane: str = DEFAULT) -> None:
        """Hold one more record of `size` bytes."""
        self._count(partition, 1, size, lane)

    def dismiss(self, partition: Hashable, size: int, lane: str = DEFAULT) -> None:
        """Hold it no longer."""
        self._count(partition, -1, -size, lane)

    def _count(self, partition: Hashable, records: int, size: int, lane: str) -> None:
        self._records.take(lane, records)
        self._bytes.take(lane, size)
        held = self._held.get(partition, 0) + records
        if held:
            self._held[partition] = held
        else:
            self._held.pop(partition, None)
        for each in self._crowded:
            if not (self._records.free(each) and self._bytes.free(each)):
                self._crowded[each] = True
            elif self._crowded[each] and _half_is_free(self._records, each) and _half_is_free(self._bytes, each):
                self._crowded[each] = False


def _half_is_free(portions: ReservedCapacity, lane: str) -> bool:
    """Whether of what the lane may hold now at least half is free."""
    held = portions.held_by(lane)
    return held <= (held + portions.free(lane)) // 2
