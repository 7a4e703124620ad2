"""
What is told to whoever goes on from a person's decision: an escalation, or one whose final verdict is durable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from consumer.records import Delivery
from consumer.reviews.review import Review


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision that was taken: approve or remove, which has a final verdict, or escalate, which has none."""

    review: Review
    verdict: Mapping[str, Any] = field(repr=False)  # that it is about, as published and believed
    delivery: Delivery = field(repr=False)  # the decision's record: its place names the decision


class Told(Protocol):
    """Goes on from decisions."""

    async def decided(self, decided: Decided) -> None:
        """
        Take a decision; return once it needs no repetition, as its offset may be committed then.

        Each is told at least once, and again after a crash: its place, `delivery`, says that it is the same.
        """
        ...
