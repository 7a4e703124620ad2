"""
Where people's decisions come from, what they may do, and how long they are remembered.
"""

from typing import Self

from pydantic import Field, PositiveInt, model_validator

from consumer.config.base import Contradictions, Settings


class ReviewSettings(Settings):
    """What `moderation-consumer feedback` reads, and how it takes people's decisions. See docs/people.md."""

    topic: str = Field("moderation.review-decisions", min_length=1, description="Where review tools publish decisions.")
    people: str = Field(
        "moderation.people-decided",
        min_length=1,
        description="What people decided is remembered here: compacted, and deleted after `keep_days`.",
    )
    group_id: str = Field(
        "moderation-feedback",
        min_length=1,
        description="The consumer group of `feedback`; another than kafka.group_id. It is part of the verdict_id of "
        "people's verdicts: a new group publishes them again.",
    )
    leads: tuple[str, ...] = Field(
        (), description="Ids of reviewers whose `override_pin` lets a decision go below the floor of a pinned rule."
    )
    remove_by_name: bool = Field(
        False,
        description="Whether a removal holds for whatever stands under the same object's name or URL, too. It blocks "
        "what is uploaded there later, until somebody approves that.",
    )
    most: PositiveInt = Field(
        1_000_000,
        description="Decisions that are remembered, about 500 bytes of memory each; beyond it the oldest go.",
    )
    keep_days: int = Field(90, ge=1, le=3_650, description="Days for which a decision holds for other uploads.")

    @model_validator(mode="after")
    def _are_two_topics(self) -> Self:
        if self.topic == self.people:
            raise Contradictions(("people", f"is {self.people}, as topic is: they are two topics", "topic"))
        return self
