"""
What every part of the configuration is.
"""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A frozen part of the tree that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


Model = TypeVar("Model", bound=Settings)
