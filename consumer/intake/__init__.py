"""
Read no faster than the service finishes, and commit only what is finished.

`source.py` reads, `committer.py` commits what `ledger.py` allows, `admission.py` says what may be held, `decode/` turns
bytes into submissions. What is published already is the journal's to know, and what becomes of a submission is not
known here.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from consumer.records import Delivery, Partition


class Record(Protocol):
    """A delivery that was admitted. It is held until it is settled or released, once."""

    @property
    def delivery(self) -> Delivery: ...

    def settle(self) -> None:
        """Every outcome of the delivery is durable: its offset may be committed."""

    def release(self) -> None:
        """Hold it no longer, though it has no outcome: its offset stays uncommitted and it will be read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How far a partition is read. Moments are unix seconds."""

    partition: Partition
    committed: int | None
    journal_from: float | None  # none of its outcomes from the watermark on is older
    taken_over: bool
    open: int  # records without an outcome
    oldest: Sequence[tuple[int, float]]  # the lowest offsets of them, and when they were read


class Lease(Protocol):
    """The right to make calls for the partitions that this replica owns. Moments are the clock's `now`."""

    def assigned(
        self, partitions: Iterable[tuple[str, int]], counts: Mapping[str, int], now: float, generation: int | None
    ) -> None:
        """Own these partitions of topics with so many, from `now` on, as a member of this generation of the group."""
        ...

    def revoked(self) -> None:
        """Own nothing, from this moment on."""
        ...

    def committed(self, sent_at: float) -> None:
        """A commit was acknowledged that was sent then: this replica was a member."""
        ...


class Source(Protocol):
    """Where records come from."""

    def batches(self) -> AsyncIterator[Sequence[Record]]:
        """Yield records as they are admitted, in offset order within a partition, until `stop_reading` is called."""
        ...

    def readings(self, most_open: int) -> Sequence[Reading]:
        """How far each partition is read, with at most so many of its open records."""
        ...

    async def settled_owner(self, partition: Partition, epoch: int) -> bool:
        """Wait until it is certain whether a partition is this replica's, in that ownership epoch still, and say so."""
        ...

    def stop_reading(self) -> None:
        """End `batches`; what was yielded can still be settled."""
        ...
