"""
Every setting with its trade-off, frozen.

Defaults, then the YAML file, then the environment (`MODERATION__KAFKA__GROUP_ID=…`), then `--set kafka.group_id=…`: the
later wins. Unknown keys are refused, and all problems are reported at once, each with the place it came from. No other
module reads the environment.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from consumer.config.base import Contradictions, Settings
from consumer.config.bindings import Binding, CloudEventsSettings, OssSettings
from consumer.config.deadline import DeadlineSettings
from consumer.config.feedback import FeedbackSettings
from consumer.config.identity import IdentitySettings
from consumer.config.images import ImagesSettings
from consumer.config.kafka import JournalSettings, KafkaSettings
from consumer.config.operation import AdmissionSettings, HealthSettings, LogSettings, ShutdownSettings, TracingSettings
from consumer.config.privacy import PrivacySettings
from consumer.config.problems import nearest, shown
from consumer.config.provider import BreakerSettings, LaneSettings, ProviderSettings, QuotaSettings, RetrySettings
from consumer.config.reviews import ReviewSettings
from consumer.config.safety_nets import BreakerOfBlocksSettings, CanariesSettings
from consumer.config.scan import ScanSettings
from consumer.config.sources import SourceSettings
from consumer.config.stores import StoreName, StoreSettings
from consumer.fairness import DEFAULT, whole_parts
from consumer.vendor_facts.scan import DEFAULT_QPS

Ordering = Literal["key", "none"]
"""Which messages publish one after the other: those of one key and tenant, or none."""


class PolicyFiles(Settings):
    """
    The policy's file, its tests, and the file of another one which only says what it would do.

    Relative to this file's folder.
    """

    file: Path = Field(Path("policy.yaml"), description="The policy that decides.")
    shadow: Path | None = Field(
        None,
        description="A whole second policy that decides nothing: verdicts say what it would have decided. No call is "
        "made for it.",
    )
    tests: Path | None = Field(
        None,
        description="The policy's tests. A policy that fails one is refused, at the start as well as later.",
    )
    reload: float | None = Field(
        None,
        ge=1,
        le=3600,
        description="Seconds between two looks at these files, 1 to 3600: what has changed takes effect without a "
        "restart, and what is wrong is refused while the policy before it stays. Null reads them at the start alone.",
    )


class Config(Settings):
    """The whole configuration."""

    kafka: KafkaSettings = KafkaSettings()
    provider: ProviderSettings = ProviderSettings()
    scan: ScanSettings = ScanSettings()
    quota: QuotaSettings = QuotaSettings()
    lanes: dict[str, LaneSettings] = Field(
        {},
        description="By name. Without any, one lane `default` has all topics. Change weights or topics only while no "
        "replica runs: replicas that divide the quota differently exceed it together.",
    )
    retries: RetrySettings = RetrySettings()
    breaker: BreakerSettings = BreakerSettings()
    admission: AdmissionSettings = AdmissionSettings()
    ordering: Ordering = Field(
        "key",
        description="`key`: verdicts of one Kafka key and tenant are published in the order of their events. `none`: "
        "as they are decided.",
    )
    journal: JournalSettings = JournalSettings()
    deadline: DeadlineSettings = DeadlineSettings()
    identity: IdentitySettings = IdentitySettings()
    shutdown: ShutdownSettings = ShutdownSettings()
    privacy: PrivacySettings = PrivacySettings()
    logs: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()
    health: HealthSettings = HealthSettings()
    cloudevents: CloudEventsSettings = CloudEventsSettings()
    bindings: tuple[Binding, ...] = ()
    images: ImagesSettings = ImagesSettings()
    stores: dict[StoreName, StoreSettings] = Field(
        {},
        description="By name: stores of objects that this service reads itself, for bindings that name one. Their keys "
        "are in files or in the environment, never here.",
    )
    oss: OssSettings = OssSettings()
    sources: dict[str, SourceSettings] = Field(
        {},
        description="By input topic: what its producers may claim. A message that claims more is a dead letter, "
        "`not_allowed`. The producers of a topic that is not here may speak for every tenant.",
    )
    breaker_of_blocks: BreakerOfBlocksSettings = BreakerOfBlocksSettings()
    canaries: CanariesSettings = CanariesSettings()
    reviews: ReviewSettings = ReviewSettings()
    feedback: FeedbackSettings = FeedbackSettings()
    policy: Path | PolicyFiles = Field(
        Path("policy.yaml"),
        description="The policy's file, relative to this file's folder; or `file`, and beside it `shadow`, a whole "
        "second policy that decides nothing, `tests`, and `reload`, the seconds between two looks at all of them.",
    )

    @property
    def policies(self) -> PolicyFiles:
        """The policy's file, and that of the one in shadow, however they are written."""
        return self.policy if isinstance(self.policy, PolicyFiles) else PolicyFiles(file=self.policy)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        problems = [
            *self._wrong_times(), *self._wrong_lanes(), *self._wrong_deadlines(), *self._wrong_bindings(),
            *self._wrong_sources(), *self._unknown_to_scan(), *self._wrong_reviews(),
        ]  # fmt: skip
        if problems:
            raise Contradictions(*problems)
        return self

    def _wrong_times(self) -> Iterator[tuple[str, ...]]:
        kafka, drain = self.kafka, self.shutdown.drain_on_revoke
        if drain >= kafka.rebalance_timeout:
            yield (
                "shutdown.drain_on_revoke",
                f"is {drain:g} s and must be shorter than kafka.rebalance_timeout, which is "
                f"{kafka.rebalance_timeout:g} s",
                "kafka.rebalance_timeout",
            )
        # A replica that hangs keeps its lease for a session; the group must not go on without it before that.
        least = kafka.session_timeout + kafka.heartbeat_interval
        if kafka.rebalance_timeout < least:
            yield (
                "kafka.rebalance_timeout",
                f"is {kafka.rebalance_timeout:g} s and must be at least kafka.session_timeout plus "
                f"kafka.heartbeat_interval, which make {least:g} s: otherwise a replica that hangs and its successor "
                "send calls at the same time",
                "kafka.session_timeout",
                "kafka.heartbeat_interval",
            )

    def _wrong_lanes(self) -> Iterator[tuple[str, ...]]:
        if not self.lanes:
            return
        named = [topic for lane in self.lanes.values() for topic in lane.topics]
        for topic in sorted(set(self.kafka.topics)):
            if named.count(topic) != 1:
                yield "lanes", f"topic {topic} must be in one lane, it is in {named.count(topic) or 'none'}"
        for name, lane in self.lanes.items():
            for topic in lane.topics:
                if topic not in self.kafka.topics:
                    yield f"lanes.{name}.topics", f"topic {topic} is not in kafka.topics"
        for name, calls in self.calls_by_lane.items():
            if not calls:
                yield (
                    f"lanes.{name}.weight",
                    f"{self.lanes[name].weight:g} of all weights is less than one call a second of "
                    f"{self.quota.qps - self.quota.reserve}",
                )

    def _wrong_deadlines(self) -> Iterator[tuple[str, ...]]:
        for name in self.deadline.by_lane:
            if name not in self.all_lanes:
                lanes = ", ".join(sorted(self.all_lanes))
                yield f"deadline.{name}", f"is neither per_minute nor a lane: the lanes are {lanes}", "lanes"
        if "per_minute" in self.lanes:
            yield "lanes.per_minute", "cannot have this name: it is a setting of deadline"

    def _wrong_bindings(self) -> Iterator[tuple[str, ...]]:
        places = [(binding.bucket, binding.prefix) for binding in self.bindings]
        for number, place in enumerate(places):
            if place in places[:number]:
                yield f"bindings.{number}", f"{'/'.join(place)} is bound already by bindings.{places.index(place)}"
        for number, store in enumerate(binding.store for binding in self.bindings):
            if store is not None and store not in self.stores:
                near = nearest(store, self.stores)
                hint = f"; did you mean {near}?" if near else ""
                yield f"bindings.{number}.store", f"{shown(store)} is not under stores{hint}", "stores"

    def _wrong_sources(self) -> Iterator[tuple[str, ...]]:
        for topic in self.sources:
            if topic not in self.kafka.topics:
                yield "sources", f"topic {topic} is not in kafka.topics", "kafka.topics"

    def _unknown_to_scan(self) -> Iterator[tuple[str, ...]]:
        """The 1.0 API reads no buckets, and its quota is another one."""
        if not self.provider.is_scan:
            return
        why = "is not for provider.api: scan-1.0, which reads no buckets"
        for number, binding in enumerate(self.bindings):
            if binding.via == "oss":
                yield f"bindings.{number}.via", f"oss {why}: use url or upload", "provider.api"
        if self.oss.buckets:
            yield "oss.buckets", f"{why}: remove it", "provider.api"
        for number, canary in enumerate(self.canaries.images):
            if canary.object is not None:
                yield f"canaries.images.{number}.object", f"{why}: use url or file", "provider.api"
        if "qps" not in self.quota.model_fields_set:
            yield (
                "quota.qps",
                f"must be set with provider.api: scan-1.0: it is images a second there (vendor: {DEFAULT_QPS} unless "
                "it was raised)",
                "provider.api",
            )

        at_once = max(1, int(self.quota.burst * (self.quota.qps - self.quota.reserve) + 1e-9))
        if self.scan.tasks_per_call > at_once:
            yield (
                "scan.tasks_per_call",
                f"is {self.scan.tasks_per_call}, and quota.burst × (quota.qps - quota.reserve) lets {at_once} depart "
                "at once: raise quota.burst, or have fewer",
                "quota.burst",
            )
        if self.scan.mode == "async" and self.scan.tasks_topic in (*self.kafka.topics, *self.kafka.outputs.all):
            yield "scan.tasks_topic", f"is {self.scan.tasks_topic}, which is read or written already", "kafka.topics"

    @property
    def tasks_topic(self) -> str | None:
        """Where tasks are written down that are paid for and have no result yet; None where there are none."""
        return self.scan.tasks_topic if self.provider.is_scan and self.scan.mode == "async" else None

    @property
    def units_per_call(self) -> int:
        """What a call about one image costs, in what the provider charges for: itself, or its scenes."""
        return len(self.scan.scenes) if self.provider.is_scan else 1

    def _wrong_reviews(self) -> Iterator[tuple[str, ...]]:
        if self.reviews.group_id == self.kafka.group_id:
            yield "reviews.group_id", f"is {shown(self.kafka.group_id)}, as kafka.group_id is", "kafka.group_id"
        for name in ("topic", "people"):
            topic = getattr(self.reviews, name)
            if topic in (*self.kafka.topics, *self.kafka.outputs.all):
                yield f"reviews.{name}", f"{topic} is a topic of kafka.topics or kafka.outputs", "kafka"
        taken = (*self.kafka.topics, *self.kafka.outputs.all, self.reviews.topic, self.reviews.people)
        if self.feedback.topic in taken:
            yield "feedback.topic", f"{self.feedback.topic} is a topic of kafka or reviews: the ledger needs its own"

    @property
    def uploads(self) -> bool:
        """Whether a binding has images uploaded by this service."""
        return any(binding.uploads for binding in self.bindings)

    @property
    def stores_read(self) -> dict[str, StoreSettings]:
        """The stores that a binding names."""
        named = {binding.store for binding in self.bindings}
        return {name: store for name, store in self.stores.items() if name in named}

    @property
    def all_lanes(self) -> Mapping[str, LaneSettings]:
        """The lanes, where none is configured the one of all topics."""
        return self.lanes or {DEFAULT: LaneSettings(topics=self.kafka.topics)}

    @property
    def weights(self) -> dict[str, float]:
        """By lane."""
        return {name: lane.weight for name, lane in self.all_lanes.items()}

    @property
    def calls_by_lane(self) -> dict[str, int]:
        """Calls a second that each lane is due; they sum to what the reserve leaves."""
        return whole_parts(self.weights, self.quota.qps - self.quota.reserve)

    @property
    def lane_by_topic(self) -> dict[str, str]:
        """Which lane each input topic is in."""
        return {topic: name for name, lane in self.all_lanes.items() for topic in lane.topics}
