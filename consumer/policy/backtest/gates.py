"""
What must hold before a policy is deployed, in numbers. What could not be measured does not hold.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import Field

from consumer.config.base import Settings


class Gates(Settings):
    """Bounds; those that are not named are not looked at."""

    max_flips_to_pass: int | None = Field(None, ge=0, description="Images that would pass, and do not now.")
    max_review_growth: float | None = Field(
        None, ge=-1, description="How much the reviews may grow, as a share of today's: 0.10 is a tenth."
    )
    min_block_precision: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Of the images that would be blocked and people decided about: those they removed.",
    )
    max_not_replayed: float = Field(
        0.1,
        ge=0,
        le=1,
        description="The share of answered images that could not be replayed and of which the others say nothing. "
        "Looked at wherever another gate is.",
    )

    @property
    def are_any(self) -> bool:
        """Whether any is named."""
        return bool({"max_flips_to_pass", "max_review_growth", "min_block_precision"} & self.model_fields_set) or (
            "max_not_replayed" in self.model_fields_set
        )


class GatesFile(Settings):
    """A file of gates: `gates: {…}`."""

    gates: Gates


class Gate(NamedTuple):
    """How one of them turned out."""

    name: str
    bound: float
    value: float | None  # None where it could not be measured
    held: bool
    note: str = ""


def judged(gates: Gates, result: Mapping[str, Any]) -> list[Gate]:
    """Compare a result with its gates."""
    return list(_judged(gates, result)) if gates.are_any else []


def _judged(gates: Gates, result: Mapping[str, Any]) -> Iterator[Gate]:
    sampled, records = result["sample"] < 1, result["records"]
    # A sample may have missed some: the upper end of the interval must hold.
    part, note = ("high", "upper end of the sample's interval") if sampled else ("value", "")
    if (most := gates.max_flips_to_pass) is not None:
        yield _at_most("max_flips_to_pass", most, result["flips"]["to_pass"][part], note)
    if (growth := gates.max_review_growth) is not None:
        grown = result["reviews"]["growth"]
        yield _at_most("max_review_growth", growth, grown and grown[part], note or "" if grown else "no review today")
    if (least := gates.min_block_precision) is not None:
        precision = result["people"]["candidate"]["precision"]
        value = precision and precision["value"]
        why = "" if precision else "no person decided about an image that would be blocked"
        yield Gate("min_block_precision", least, value, value is not None and value >= least, why)
    answered = records["replayed"] + records["not_replayed"]
    share = records["not_replayed"] / answered if answered else None
    why = "" if answered else "nothing was replayed"
    yield _at_most("max_not_replayed", gates.max_not_replayed, share, why)


def _at_most(name: str, bound: float, value: float | None, note: str) -> Gate:
    return Gate(name, bound, value, value is not None and value <= bound, note)
