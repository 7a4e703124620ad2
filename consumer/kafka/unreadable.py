"""
Batches that cannot be read, as values: what is damaged, and what is decided about it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from aiokafka import ConsumerRecord, TopicPartition

from consumer.records import Unreadable

TOO_LARGE, DAMAGED = "batch_too_large", "batch_damaged"


class Damage(NamedTuple):
    """A batch that cannot be read, or not within the bound."""

    partition: TopicPartition
    offset: int  # the first that was not read
    why: str  # TOO_LARGE or DAMAGED
    detail: str
    next_offset: int | None  # behind the batch; None where nothing that was fetched tells


class Skip(NamedTuple):
    """Go on behind a batch that cannot be read."""

    to: int
    deliver: bool  # as an `UnreadableRecord`


Decide = Callable[[Damage], Skip | None]
"""None: not yet. The partition is paused and stays where it is."""


@dataclass
class UnreadableRecord(ConsumerRecord):  # type: ignore[misc]
    """A batch in place of its records: the value is its bytes, the offset the first that was not read."""

    unreadable: Unreadable | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.topic}/{self.partition}@{self.offset})"  # bytes may be credentials
