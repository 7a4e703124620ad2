"""
Which offset may be committed. Knows nothing of Kafka's client, of tasks or of time.

Records open in offset order and settle in any order. The watermark is the lowest offset still open, so that a crash
repeats work but never skips it:

    settled  settled  OPEN  settled  OPEN
       10       11     12      13     15        (14 was compacted away, or is a transaction's marker)
                        └── watermark: commit 12
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class PartitionLedger:
    """The open records of one partition, for one assignment of it."""

    _open: dict[int, None] = field(default_factory=dict)  # insertion order is offset order
    _next: int | None = None

    def open(self, offset: int) -> None:
        """Note that `offset` was delivered. Offsets rise; gaps between them are normal."""
        if self._next is not None and offset < self._next:
            raise ValueError(f"offset {offset} was delivered after {self._next - 1}")
        self._open[offset] = None
        self._next = offset + 1

    def settle(self, offset: int) -> None:
        """Note that `offset` has reached its outcome. Each offset settles once."""
        del self._open[offset]

    @property
    def watermark(self) -> int | None:
        """The offset to commit, or None before the first record."""
        return next(iter(self._open), self._next)

    def __len__(self) -> int:
        """Records still open."""
        return len(self._open)
