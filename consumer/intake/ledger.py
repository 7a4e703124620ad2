"""
Which offset may be committed, and since when its journal must be read. Knows nothing of Kafka's client or of tasks.

Records open in offset order and settle in any order. The watermark is the lowest offset still open, so that a crash
repeats work but never skips it:

    settled  settled  OPEN  settled  OPEN
       10       11     12      13     15        (14 was compacted away, or is a transaction's marker)
                        └── watermark: commit 12

What is settled beyond the watermark (13) is not committed, and is read again after a crash. Its verdict stands in an
output topic, where the next owner finds it, if it reads from early enough: from when 12 was admitted, because records
are admitted in order and publish after that.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class PartitionLedger:
    """The open records of one partition, for one assignment of it."""

    _open: dict[int, float] = field(default_factory=dict)  # admission, unix seconds; insertion order is offset order
    _next: int | None = None

    def begin(self, offset: int) -> None:
        """Note where this assignment begins to read, unless records have come already."""
        if self._next is None:
            self._next = offset

    def open(self, offset: int, now: float) -> None:
        """Note that `offset` is admitted at `now`. Offsets rise; gaps between them are normal."""
        if self.is_behind(offset):
            raise ValueError(f"offset {offset} was delivered where {self._next} was due")
        self._open[offset] = now
        self._next = offset + 1

    def settle(self, offset: int) -> None:
        """Note that `offset` has reached its outcome. Each offset settles once."""
        del self._open[offset]

    def skip_to(self, offset: int) -> None:
        """Note that no record lies between the last one and `offset`: what a transaction's marker leaves at the end."""
        if self._next is not None:
            self._next = max(self._next, offset)

    def is_behind(self, offset: int) -> bool:
        """Whether `offset` lies before what has been read: the log was begun anew, or its end was lost."""
        return self._next is not None and offset < self._next

    @property
    def next(self) -> int | None:
        """The offset behind all that was read, or None before it is known where reading begins."""
        return self._next

    @property
    def watermark(self) -> int | None:
        """The offset to commit, or None before it is known where reading begins."""
        return next(iter(self._open), self._next)

    def earliest_output(self, now: float) -> float:
        """The earliest moment at which an outcome of a record that is not behind the watermark can be published."""
        return next(iter(self._open.values()), now)

    def oldest(self, count: int) -> list[tuple[int, float]]:
        """The lowest `count` offsets still open, with their admission."""
        return [each for each, _ in zip(self._open.items(), range(count), strict=False)]

    def __len__(self) -> int:
        """Records still open."""
        return len(self._open)
