"""
The values that flow, in the order they appear. A second map of the service.

    Delivery → Submission (one an image) → Answer (one a service) → Assessment → Verdict

Nothing here acts, waits or knows Kafka's or the provider's client.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, NewType, Protocol

import orjson

from consumer.hits import NOTHING_MET, Hits
from consumer.locations import Image, ImageLocation, NotAskable

Headers = Sequence[tuple[str, bytes | None]]
"""Kafka record headers: names may repeat, values may be null."""

SourceId = NewType("SourceId", str)
"""32 hex digits that name one image of one message for one group: the `verdict_id`, `dataId` and `dlq_id`."""


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    number: int


def beyond(partitions: Iterable[tuple[str, int]], counts: Mapping[str, int]) -> list[Partition]:
    """The partitions that cannot be there, by these numbers of partitions of their topics."""
    return sorted(Partition(topic, number) for topic, number in partitions if number >= counts.get(topic, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """Why a batch of records could not be read. Its delivery's value is the batch, byte for byte as Kafka keeps it."""

    reason: str  # a word of `Rejection`
    detail: str
    first_offset: int
    last_offset: int
    count: int  # records, as far as the batch's header can be believed
    codec: str  # none, gzip, snappy, lz4, zstd or unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """
    One Kafka record as it was read, and when.

    Or a batch of them that cannot be read: then `unreadable` says why, and `offset` is the first of the batch's.
    """

    topic: str
    partition: int
    offset: int
    timestamp: float  # Kafka's, unix seconds
    key: bytes | None
    value: bytes | None = field(repr=False)  # an event may hold presigned URLs, which are credentials
    headers: Headers = field(repr=False)
    received: float  # unix seconds
    kept_from: float = 0.0  # from then on its retention counts at the earliest, unix seconds; see `intake/dating.py`
    epoch: int = 0  # ownership epoch of the partition: a new one begins when another replica may have had it
    unreadable: Unreadable | None = None

    @property
    def topic_partition(self) -> Partition:
        """The partition that it was read from."""
        return Partition(self.topic, self.partition)

    @property
    def size(self) -> int:
        """Bytes that this delivery holds in memory, give or take."""
        return size_of(self.key, self.value, self.headers)


HEADER_BYTES = 64  # that a header holds as an object, beside its name and value


def size_of(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> int:
    """Bytes that a message holds in memory, give or take. A header of a few bytes holds many more as an object."""
    size = len(key or b"") + len(value or b"")
    for name, content in headers:
        size += len(name) + len(content or b"") + HEADER_BYTES
    return size


MOST_MILLISECONDS = 253_402_300_799_000  # the year 9999 ends


def seconds(milliseconds: int | None) -> float:
    """A record's timestamp as unix seconds: one that no calendar holds is the nearest that one does, none is −0.001."""
    return (-1 if milliseconds is None else min(max(milliseconds, -1), MOST_MILLISECONDS)) / 1000


def source_id(group: str, delivery: Delivery, event_id: str = "", image: str = "") -> SourceId:
    """
    Name an image of a message, the same on every redelivery of it.

    The source's timestamp is part of it, so that a topic which was deleted and made again does not repeat old names.
    """
    source = [
        group,
        delivery.topic,
        delivery.partition,
        delivery.offset,
        round(delivery.timestamp * 1000),
        event_id,
        image,
    ]
    return SourceId(hashlib.sha256(orjson.dumps(source)).hexdigest()[:32])


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The thing an image belongs to."""

    id: str
    type: str | None = None
    revision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One image to be judged. Ends as exactly one verdict."""

    id: SourceId
    delivery: Delivery
    event_id: str
    event_time: str  # RFC 3339, as the producer wrote it
    tenant: str
    purpose: str
    subject: Subject
    image: Image
    of: int  # images in the event
    location: ImageLocation | NotAskable
    # Compact JSON objects, as they will be written; the images of an event share them. `extra` holds the members that
    # this version does not know.
    context: bytes = field(default=b"{}", repr=False)
    attrs: bytes = field(default=b"{}", repr=False)
    extra: bytes = field(default=b"{}", repr=False)
    omitted: tuple[str, ...] = ()  # which of the three were left out, because together they exceed 8 KiB


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message that asks for nothing, by a written rule."""

    reason: str


Decoded = Ignored | Sequence[Submission]


class Asked(NamedTuple):
    """What the provider is asked about an image."""

    services: tuple[str, ...]
    info: tuple[str, ...]


class Label(NamedTuple):
    """One element of the provider's `Result`, as it came."""

    name: str
    confidence: float | None = None  # 0 to 100
    level: str | None = None  # the label's own risk level, where the provider gives one


class ModerationResult(NamedTuple):
    """The provider's accepted answer about one image by one service."""

    service: str
    request_id: str | None
    risk_level: str | None  # the overall one
    labels: tuple[Label, ...]
    hits: Hits = NOTHING_MET
    region: str = ""  # which of the provider's regions answered
    sent: float = 0.0  # unix seconds at which the call departed
    took: float = 0.0  # seconds from there to the answer
    attempts: int = 1
    frame: int | None = None  # that was asked about, from 0, where this service took it out of the file
    billed: int = 1  # what the provider charges for: one call, or so many scenes


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an image could not be judged: our class and the provider's code, no text of the provider's."""

    kind: str
    code: str
    service: str = ""  # that could not answer; none where none was asked
    request_id: str | None = None  # the provider's, of the last call
    region: str = ""  # which of the provider's regions failed
    attempts: int = 1
    billed_calls: int = 0
    frame: int | None = None  # as a result has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of an image was looked at."""

    seen: int = 1  # of its frames
    frames: int | None = None  # that there are; None where this service cannot tell
    scaled: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether all of it was looked at; not where that is not known."""
        return self.frames is not None and self.frames <= self.seen and not self.scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """All that was learned of one image: what the services answered, or why one could not."""

    answers: tuple[ModerationResult, ...] = ()
    failure: Failure | None = None  # of the first service that could not answer
    later_failures: tuple[Failure, ...] = ()  # of the others
    sha256: str | None = None  # of the bytes that were judged, where this service had them
    coverage: Coverage | None = None  # None where no service has answered
    queued: float | None = None  # seconds from reading the event to the call that was answered
    provider: float | None = None  # seconds that the answered calls took
    judge: "Judge | None" = field(default=None, compare=False, repr=False)  # who asked; None where no call departed

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Why services could not answer, the first one first."""
        return (self.failure, *self.later_failures) if self.failure else ()

    @property
    def attempts(self) -> int:
        """Calls sent, failed ones included."""
        return sum(answer.attempts for answer in self.answers) + sum(each.attempts for each in self.failures)

    @property
    def billed_calls(self) -> int:
        """
        Calls that were answered with `Code` 200, or where scenes are asked about the scenes of these. Vendor: only
        those are charged.
        """
        return sum(answer.billed for answer in self.answers) + sum(failure.billed_calls for failure in self.failures)


class Judge(Protocol):
    """One policy: what is asked about an image, and what the answers lead to."""

    def asked(self, submission: Submission) -> Asked:
        """Return what the provider is asked about an image."""
        ...

    def decide(self, submission: Submission, assessment: Assessment, now: float) -> "Verdict":
        """Reach the verdict at `now` (unix seconds)."""
        ...

    def fall_back(
        self, submission: Submission, assessment: Assessment, decided: "Decision | None", now: float
    ) -> "Verdict":
        """Reach a verdict about an image for which deciding, or writing what was decided, met an unexpected error."""
        ...


class Decision(StrEnum):
    """What is to become of an image. Strictness is `STRICTNESS`."""

    PASS = "pass"
    REVIEW = "review"
    BLOCK = "block"


DECISIONS = (Decision.PASS, Decision.REVIEW, Decision.BLOCK)
"""From the mildest to the strictest."""
STRICTNESS = {decision: rank for rank, decision in enumerate(DECISIONS)}


class Finding(NamedTuple):
    """One thing that a service found, with the level that counts."""

    service: str
    label: str
    level: str
    confidence: float | None
    level_source: str  # "label", "overall" or "coverage"
    frame: int | None = None  # that it was found in, as a result has it


class Reason(NamedTuple):
    """A finding that made the decision, and the rule it met."""

    rule: str
    finding: Finding


class Floor(NamedTuple):
    """The decision that no machine makes milder, and the pinned rule that asks for it."""

    rule: str
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyName:
    """Which policy decided."""

    id: str
    version: int
    sha256: str


class Trial(NamedTuple):
    """Another decision, which does not count, and the rules that make it."""

    decision: Decision
    rules: tuple[str, ...]


class CandidateTrial(NamedTuple):
    """The decision of a policy in shadow, which does not count either, and the rules that make it."""

    decision: Decision
    rules: tuple[str, ...]
    policy: PolicyName
    unknown: tuple[str, ...] = ()  # what it would have asked for, and was not asked


class Verdict(NamedTuple):
    """
    The decision about one submission, with all that a reader needs to understand it.

    One is made of every image: a frozen dataclass of as many members costs three times as much.
    """

    submission: Submission
    assessment: Assessment
    decision: Decision
    decided_by: str  # "policy"; "fallback" where it could not be judged; "breaker" where the policy says block
    risk_level: str | None
    reasons: tuple[Reason, ...]
    findings: tuple[Finding, ...]
    policy: PolicyName
    decided: float  # unix seconds
    cause: str = "upload"  # why there is a verdict: a word of `verdicts/schema.py`
    sequence: int = 1  # of verdicts about one image the higher one counts; a provisional one has 0
    provisional: bool = False
    info: tuple[str, ...] = ()  # what the policy wanted to know beside the labels
    floor: Floor | None = None
    trial: Trial | None = None  # with the rules that do not count for this image; None where all is the same
    candidate: CandidateTrial | None = None

    @property
    def of_policy(self) -> Decision:
        """What the policy decides, whatever has become of that."""
        return Decision.BLOCK if self.decided_by == "breaker" else self.decision
