"""
What every part of the configuration is.
"""

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """A frozen part of the tree that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)


MOST_SECONDS = 2_147_483
"""Kafka's protocol: milliseconds have 31 bits. No wait of this service is meant to be longer than these 24 days."""

Seconds = Annotated[float, Field(gt=0, le=MOST_SECONDS)]
"""How long something may take, or lasts."""


Model = TypeVar("Model", bound=BaseModel)


class Contradictions(ValueError):
    """
    Settings that do not go together: for each contradiction the key of a setting, and what is wrong with it.

    Keys are dotted, as seen from the section that raises this. Keys after the message name the other settings involved.
    """

    def __init__(self, *found: tuple[str, ...]) -> None:
        super().__init__("; ".join(f"{key}: {message}" for key, message, *_ in found))
        self.found = found
