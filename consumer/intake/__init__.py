"""
Read no faster than the service finishes, and commit only what is finished.

`kafka.py` reads and commits, `decode/` turns bytes into submissions, `admission.py` says what may be held, `offsets.py`
which offsets may be committed. What becomes of a submission is not known here.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from consumer.records import Delivery


class Record(Protocol):
    """A delivery that was admitted. It is held until it is settled or released, once."""

    @property
    def delivery(self) -> Delivery: ...

    def settle(self) -> None:
        """Every outcome of the delivery is durable: its offset may be committed."""

    def release(self) -> None:
        """Hold it no longer, though it has no outcome: its offset stays uncommitted and it will be read again."""


class Source(Protocol):
    """Where records come from."""

    def batches(self) -> AsyncIterator[Sequence[Record]]:
        """Yield records as they are admitted, in offset order within a partition, until `stop_reading` is called."""
        ...

    def stop_reading(self) -> None:
        """End `batches`; what was yielded can still be settled."""
        ...
