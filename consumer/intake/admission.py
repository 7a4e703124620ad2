"""
How much may be held: records, bytes, and records of each partition. Values only; `kafka.py` acts on them.

Reading pauses when a limit is reached and goes on when half of what is held is done: paused and resumed at one mark, a
partition would throw its fetched records away with every settled one.
"""

from collections.abc import Hashable

from consumer.config import AdmissionSettings
from consumer.observability import metrics


class Admission:
    """Counts what is held, by `place`: a partition's assignment."""

    def __init__(self, limits: AdmissionSettings) -> None:
        self._limits = limits
        self._records = 0
        self._bytes = 0
        self._held: dict[Hashable, int] = {}
        self.crowded = False
        """Whether nothing more may be admitted: a limit of all was reached, and half of it is not yet free again."""

    @property
    def room(self) -> int:
        """Records that may still be admitted, as far as their number goes."""
        return max(0, self._limits.max_records - self._records)

    def is_full(self, place: Hashable) -> bool:
        """Whether `place` may hold no more."""
        return self._held.get(place, 0) >= self._limits.max_records_per_partition

    def has_drained(self, place: Hashable) -> bool:
        """Whether a full `place` may be read from again."""
        return self._held.get(place, 0) <= self._limits.max_records_per_partition // 2

    def admit(self, place: Hashable, size: int) -> None:
        """Hold one more record of `size` bytes."""
        self._count(place, 1, size)

    def dismiss(self, place: Hashable, size: int) -> None:
        """Hold it no longer."""
        self._count(place, -1, -size)

    def _count(self, place: Hashable, records: int, size: int) -> None:
        self._records += records
        self._bytes += size
        held = self._held.get(place, 0) + records
        if held:
            self._held[place] = held
        else:
            self._held.pop(place, None)
        if self._records >= self._limits.max_records or self._bytes >= self._limits.max_bytes:
            self.crowded = True
        elif self._records <= self._limits.max_records // 2 and self._bytes <= self._limits.max_bytes // 2:
            self.crowded = False
        metrics.RECORDS_HELD.set(self._records)
        metrics.BYTES_HELD.set(self._bytes)
