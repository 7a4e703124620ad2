"""
Whether the provider is told what reviewers agree on, and of what.
"""

from typing import Self

from pydantic import Field, PositiveInt, model_validator

from consumer.config.base import Contradictions, Settings
from consumer.config.provider import Endpoint, GivenEndpoint
from consumer.vendor_facts.scan import FEEDBACK_QPS, REGIONS


class FeedbackScenes(Settings):
    """Which labels are in each scene that feedback can be about: patterns of labels, as in a policy."""

    porn: tuple[str, ...] = ()
    terrorism: tuple[str, ...] = ()
    ad: tuple[str, ...] = ()


class FeedbackSettings(Settings):
    """
    What reviewers agree on, told to the provider's 1.0 service.

    It cannot be taken back by a call: the provider's feedback library can be neither switched off nor deleted.
    """

    enabled: bool = Field(
        False,
        description="Tell the provider. Its 1.0 service refuses, or passes, similar images from then on; whether "
        "Image Moderation 2.0 does so too is not established.",
    )
    topic: str = Field(
        "moderation.feedback",
        min_length=1,
        description="The ledger: votes, what was sent, and what was not. Keep it for good (retention.ms=-1): votes are "
        "counted from it after every start.",
    )
    quorum: PositiveInt = Field(
        2, description="Different reviewers that must decide the same, and propose it, while nobody decides otherwise."
    )
    scenes: FeedbackScenes = FeedbackScenes()
    region: str = Field(REGIONS[0], description="The region of the 1.0 service that is told.")
    endpoint: Endpoint = Field(
        None, description="Base URL instead of the region's, such as `http://127.0.0.1:8080` for the emulator."
    )
    calls_a_second: float = Field(
        FEEDBACK_QPS, gt=0, le=FEEDBACK_QPS, description="For all replicas together. Vendor: 20."
    )
    most: PositiveInt = Field(
        100_000, description="Submissions whose votes are remembered, about a kilobyte each; the oldest are forgotten."
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        problems: list[tuple[str, ...]] = []
        if self.enabled and self.scenes == FeedbackScenes():
            text = "has no label: nothing could be sent; name those of porn, terrorism or ad"
            problems.append(("scenes", text, "enabled"))
        if self.endpoint is None and self.region not in REGIONS:
            problems.append(("region", f"must be one of {', '.join(REGIONS)}"))
        if self.endpoint is not None and GivenEndpoint.of(self.endpoint).goes_in_clear:
            problems.append(
                ("endpoint", "is http:// to another machine: everyone on the way could read it; use https://")
            )
        if problems:
            raise Contradictions(*problems)
        return self
