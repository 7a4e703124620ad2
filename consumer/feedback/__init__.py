"""
What reviewers agree on about an image, told to the provider: off unless it is configured, and never from a machine's
verdict.

    a reviewer's decision ──► vote ──► the ledger's topic ──► quorum ──► scenes, URL ──► the provider
                                            ▲                                                │
                                            └──────────── sent, or why it never will be ◄────┘

The ledger is all the memory there is. Whoever owns one of its partitions reads it from its beginning, so votes are
counted again after every start, and a vote that is written twice is one vote. A process that is killed between a call
and its line makes that call again: at most those that were in flight.
"""

from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

from consumer.locations import ObjectRef

Said = Literal["approve", "remove", "escalate"]
"""What a reviewer decided."""
Suggestion = Literal["pass", "block"]
"""What the provider is told of an image."""
Scene = Literal["porn", "terrorism", "ad"]
"""Vendor: feedback can be about these, and no others."""
SCENES: tuple[Scene, ...] = ("porn", "terrorism", "ad")


class About(NamedTuple):
    """A submission: an image of an upload event, which stands there in Kafka."""

    topic: str
    partition: int
    offset: int
    image: str


class Place(NamedTuple):
    """Where a decision stands in Kafka. All that are about one submission stand in one partition."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one reviewer decided about one submission, as far as feedback needs it."""

    about: About
    tenant: str
    verdict_id: str  # that the reviewer saw
    said: Said
    proposes: bool  # whether the reviewer wants the provider to be told
    reviewer: str  # an opaque id
    place: Place
    decided_at: str  # RFC 3339, as the reviewer's tool wrote it
    labels: tuple[str, ...]  # that it confirms, of a removal; that it rejects, of an approval
    object: ObjectRef | None  # that was judged; None where the event named a URL alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What the provider is told."""

    about: About
    tenant: str
    suggestion: Suggestion
    scenes: tuple[Scene, ...]
    url: str = field(repr=False)
    reviewers: tuple[str, ...]
    verdict_ids: tuple[str, ...]

    def sent(self, at: str, request_id: str | None) -> "Sent":
        """The same, once the provider has answered."""
        members: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        return Sent(**members, sent_at=at, request_id=request_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent(Feedback):
    """What the provider was told. It cannot be taken back by any call."""

    sent_at: str  # RFC 3339
    request_id: str | None  # the provider's


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """Why the provider is not told what reviewers agree on: a word of `REASONS`."""

    about: About
    tenant: str
    suggestion: Suggestion
    reason: str
    code: str = ""  # the provider's, where it refused
    noted_at: str = ""  # RFC 3339


Line = Vote | Sent | NotSent
"""What the ledger has."""

REFUSED = "refused"
REASONS = {
    "no_object": "the event named a URL and no object: it may be presigned, and is not kept",
    "no_binding": "no binding covers the object",
    "no_url": "the object's binding has no URL that the provider downloads from",
    "query": "the binding's URL has a query with more than bucket, key and version, or a user: it may be a credential",
    "no_version": "an image is told to be harmless only by a URL that names its version: another may be there by now",
    "no_scene": "too few of those who agree confirm, or reject, a label that feedback.scenes has in a scene",
    REFUSED: "the provider refused it, and would again",
}
"""Why feedback is not sent. All but the last may be otherwise after a restart with another configuration."""
