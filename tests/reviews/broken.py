"""What people decided, and floors, with a bug that a test puts in and mends."""

from dataclasses import dataclass
from typing import Any

from consumer.reviews.floors import Floors
from consumer.reviews.memory import Memory, Remembered


@dataclass(slots=True)
class BrokenMemory(Memory):
    """It raises its `error` for as long as it has one."""

    error: Exception | None = None

    def of(self, key: bytes, now: float) -> Remembered | None:
        if self.error is not None:
            raise self.error
        return Memory.of(self, key, now)


@dataclass(slots=True)
class BrokenFloors(Floors):
    """The same."""

    error: Exception | None = None

    def line(self, verdict: Any) -> tuple[bytes, bytes] | None:
        if self.error is not None:
            raise self.error
        return Floors.line(self, verdict)
