"""
Every setting with its trade-off, frozen.

Defaults, then the YAML file, then the environment (`MODERATION__KAFKA__GROUP_ID=…`), then `--set kafka.group_id=…`: the
later wins. Unknown keys are refused, and all problems are reported at once, each with the place it came from. No other
module reads the environment.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from consumer.config.base import Settings
from consumer.config.bindings import Binding, CloudEventsSettings
from consumer.config.kafka import JournalSettings, KafkaSettings
from consumer.config.operation import AdmissionSettings, HealthSettings, LogSettings, ShutdownSettings, TracingSettings
from consumer.config.privacy import PrivacySettings
from consumer.config.provider import BreakerSettings, LaneSettings, ProviderSettings, QuotaSettings, RetrySettings
from consumer.fairness import DEFAULT, whole_parts


class Config(Settings):
    """The whole configuration."""

    kafka: KafkaSettings = KafkaSettings()
    provider: ProviderSettings = ProviderSettings()
    quota: QuotaSettings = QuotaSettings()
    lanes: dict[str, LaneSettings] = Field(
        {},
        description="By name. None means one lane, `default`, of all topics. Change weights or topics only while no "
        "replica runs: replicas that divide the quota differently exceed it together.",
    )
    retries: RetrySettings = RetrySettings()
    breaker: BreakerSettings = BreakerSettings()
    admission: AdmissionSettings = AdmissionSettings()
    ordering: Literal["key", "none"] = Field(
        "key",
        description="`key`: verdicts of one Kafka key are published in the order of its events. `none`: as they come.",
    )
    journal: JournalSettings = JournalSettings()
    shutdown: ShutdownSettings = ShutdownSettings()
    privacy: PrivacySettings = PrivacySettings()
    logs: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()
    health: HealthSettings = HealthSettings()
    cloudevents: CloudEventsSettings = CloudEventsSettings()
    bindings: tuple[Binding, ...] = ()
    policy: Path = Field(Path("policy.yaml"), description="The policy's file, seen from this file's folder.")

    @model_validator(mode="after")
    def _drains_before_it_is_evicted(self) -> Self:
        if self.shutdown.drain_on_revoke >= self.kafka.rebalance_timeout:
            raise ValueError(
                f"shutdown.drain_on_revoke ({self.shutdown.drain_on_revoke} s) must be shorter than "
                f"kafka.rebalance_timeout ({self.kafka.rebalance_timeout} s)"
            )
        return self

    @model_validator(mode="after")
    def _is_evicted_for_silence_first(self) -> Self:
        # A replica that has stopped keeps its lease for a session; the group must not go on without it before that.
        least = self.kafka.session_timeout + self.kafka.heartbeat_interval
        if self.kafka.rebalance_timeout < least:
            raise ValueError(
                f"kafka.rebalance_timeout ({self.kafka.rebalance_timeout} s) must be kafka.session_timeout plus "
                f"kafka.heartbeat_interval ({least} s) or more, or a replica that hangs calls beside its successor"
            )
        return self

    @model_validator(mode="after")
    def _has_each_topic_in_one_lane(self) -> Self:
        if not self.lanes:
            return self
        named = [topic for lane in self.lanes.values() for topic in lane.topics]
        problems = [
            f"topic {topic} must be in one lane, it is in {named.count(topic)}"
            for topic in sorted(set(self.kafka.topics))
            if named.count(topic) != 1
        ]
        problems += [
            f"lanes.{name}.topics: {topic} is none of kafka.topics"
            for name, lane in self.lanes.items()
            for topic in lane.topics
            if topic not in self.kafka.topics
        ]
        problems += [
            f"lanes.{name}.weight: {self.lanes[name].weight:g} of all weights is less than one call a second of "
            f"{self.quota.qps - self.quota.reserve}"
            for name, calls in self.calls_by_lane.items()
            if not calls
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

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

    @model_validator(mode="after")
    def _binds_each_place_once(self) -> Self:
        places = [(binding.bucket, binding.prefix) for binding in self.bindings]
        if twice := sorted({f"{bucket}/{prefix}" for bucket, prefix in places if places.count((bucket, prefix)) > 1}):
            raise ValueError(f"bindings: bound more than once: {', '.join(twice)}")
        return self
