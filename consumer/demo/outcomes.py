"""
What was uploaded, what must become of it, and what was seen to. Pure; `comparison.py` holds one against the other.

An upload is known by its source, the partition and offset that Kafka gave it: every verdict and every dead letter names
them. What the service ignored leaves no message behind, so it is known by the service's own count of each reason.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

WHOLE = ""
"""Stands for an image's id where the outcome is the whole message's."""


class Place(StrEnum):
    """Where an image or a message ends up."""

    BLOCK = "block"
    REVIEW = "review"
    PASS = "pass"
    DEAD_LETTER = "dead letter"
    IGNORED = "ignored"


class Outcome(NamedTuple):
    """Where, and why: a risk level, the class of an error, or a reason, as the service words it."""

    place: Place
    why: str

    def __str__(self) -> str:
        return f"{self.place} ({self.why})"


class Source(NamedTuple):
    """Where an upload stands in its topic."""

    partition: int
    offset: int


class Fetched(NamedTuple):
    """What the service comes to know of an image that it fetches."""

    sha256: str  # in hex
    frames: int = 1
    """That are judged, each by a call of its own."""
    deciding: int | None = None
    """Which of them decides, from 0, where there are several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A message to publish, and the outcome to expect of each of its images, by id, or of the `WHOLE` of it."""

    kind: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    expected: Mapping[str, Outcome]
    fetched: Mapping[str, Fetched] = field(default_factory=dict)
    """The images that the service itself is to fetch, and to get, by id."""

    @property
    def ignored(self) -> bool:
        """Whether no message is to come of it."""
        return any(outcome.place is Place.IGNORED for outcome in self.expected.values())


@dataclass(frozen=True, slots=True)
class Published:
    """An upload that Kafka has acknowledged. `at` is its timestamp there, in unix seconds."""

    upload: Upload
    source: Source
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A message from one of the outputs. Moments are in unix seconds, `at` is its Kafka timestamp."""

    source: Source
    image: str
    outcome: Outcome
    at: float
    called: float | None = None
    """When the call departed that was answered."""
    provider_seconds: float | None = None
    sha256: str | None = None
    """Of the image, where the service had its bytes."""
    frames: int | None = None
    """Of the image that were judged."""
    deciding: frozenset[int] = frozenset()
    """Those of them, from 0, that are why."""
    content: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Tally:
    """All that was published and seen so far."""

    published: dict[Source, Published] = field(default_factory=dict)
    seen: dict[Source, list[Seen]] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)
    """The service's count of ignored messages, by reason."""
    places: Counter[Place] = field(default_factory=Counter)
    _settled: set[Source] = field(default_factory=set)

    def publish(self, published: Published) -> None:
        """Note an upload."""
        self.published[published.source] = published
        self._look_at(published.source)

    def see(self, seen: Seen) -> None:
        """Note an outcome. It may be quicker than the acknowledgement of its upload."""
        self.seen.setdefault(seen.source, []).append(seen)
        self.places[seen.outcome.place] += 1
        self._look_at(seen.source)

    @property
    def settled(self) -> int:
        """Uploads of which every image has an outcome."""
        return len(self._settled) + self.ignored.total()

    def seconds_to_verdict(self) -> list[float]:
        """From an upload's timestamp in Kafka to that of each of its verdicts, rising."""
        return sorted(
            seen.at - self.published[source].at
            for source, all_seen in self.seen.items()
            if source in self.published
            for seen in all_seen
        )

    def provider_seconds(self) -> list[float]:
        """What the calls took that were answered, rising."""
        return sorted(
            seen.provider_seconds
            for all_seen in self.seen.values()
            for seen in all_seen
            if seen.provider_seconds is not None
        )

    def _look_at(self, source: Source) -> None:
        published = self.published.get(source)
        if published is not None and not published.upload.ignored:
            images = {seen.image for seen in self.seen.get(source, ())}
            if published.upload.expected.keys() <= images:
                self._settled.add(source)
