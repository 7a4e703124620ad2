"""
What the provider's 1.0 API is asked, where `provider.api` is `scan-1.0`.
"""

from typing import Self

from pydantic import Field, model_validator

from consumer.config.base import Contradictions, Settings
from consumer.vendor_facts.scan import Scene


class ScanSettings(Settings):
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

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        for scene in self.scenes:
            if self.scenes.count(scene) > 1:
                raise Contradictions(("scenes", f"names {scene} {self.scenes.count(scene)} times"))
        return self
