"""
What the provider's 1.0 API is asked, where `provider.api` is `scan-1.0`.
"""

from typing import Self

from pydantic import Field, PositiveInt, model_validator

from consumer.config.base import Contradictions
from consumer.config.scan_tasks import TaskSettings
from consumer.vendor_facts.scan import Scene


class ScanSettings(TaskSettings):
    """What the 1.0 API is asked about each image, instead of the policy's services."""

    scenes: tuple[Scene, ...] = Field(
        ("porn", "terrorism", "ad"),
        min_length=1,
        description="The scenes that every image is judged in, all in one call. Each is billed per image.",
    )
    biz_type: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="The business scenario of the account's console whose settings and libraries count. Null: the "
        "account's default.",
    )
    tasks_per_call: PositiveInt = Field(
        1,
        le=100,
        description="Images of one call at the most. More make fewer calls, and no more images a second: each counts "
        "in `quota`. An image waits up to `quota.burst` seconds for others, and only while others wait to depart. At "
        "most what `quota.burst` has depart at once; how many the provider takes is not documented.",
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        twice = [scene for scene in dict.fromkeys(self.scenes) if self.scenes.count(scene) > 1]
        problems: list[tuple[str, ...]] = [
            ("scenes", f"names {scene} {self.scenes.count(scene)} times") for scene in twice
        ]
        if problems := [*problems, *self.contradictions()]:
            raise Contradictions(*problems)
        return self
