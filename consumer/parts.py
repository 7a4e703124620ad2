"""
The parts of a running service that are made of many: what reads, what decides and publishes, what looks after both.

Each is made of what it is given, and starts nothing. `app.py` says in which order they start and stop.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from consumer.alibaba.scan.open_scans import WrittenTasks
from consumer.canaries.asking import Asker, CanaryCalls
from consumer.canaries.rounds import Canaries
from consumer.clock import Clock
from consumer.config import Config
from consumer.config.kafka import KafkaSettings
from consumer.deadline.due import Deadlines, PerMinute
from consumer.deadline.provisional import Open, Provisionals
from consumer.dispatch.quota import Due, Quota
from consumer.fairness import Lanes
from consumer.intake import Lease
from consumer.intake.admission import Admission
from consumer.intake.decode import Bindings, Rules, decode
from consumer.intake.ownership import Ownership
from consumer.intake.ownership import State as PartitionState
from consumer.intake.partitions import Partitions
from consumer.intake.readback import ReadBack
from consumer.intake.retention import Retention
from consumer.intake.source import KafkaSource
from consumer.journal.belief import Belief
from consumer.journal.commits import Commits
from consumer.journal.journal import Journal
from consumer.journal.reader import OutputReader
from consumer.journal.signatures import Keyring
from consumer.kafka.security import KafkaAccess
from consumer.moderation import Moderator
from consumer.moderation.apart import Apart
from consumer.moderation.assess import Assessing
from consumer.observability import metrics
from consumer.observability.changes import State
from consumer.observability.health import Health
from consumer.policy.block_shares import BlockLimits
from consumer.policy.decide import Decide
from consumer.policy.in_force import InForce
from consumer.policy.mass_action import MassActionBreaker
from consumer.policy.ready import expired
from consumer.policy_files.loading import policy_of
from consumer.policy_files.watching import PolicyWatch
from consumer.records import Decoded, Delivery, Partition, PolicyName
from consumer.service import Service
from consumer.verdicts import Sink
from consumer.verdicts.encode import Encoding
from consumer.verdicts.outcomes import Outcomes
from consumer.verdicts.publisher import Publisher
from consumer.verdicts.tasks import TaskRecords

DAY = 86_400.0  # seconds


class Reads(NamedTuple):
    """What is read, as which group, and what each partition of it gives a right to."""

    kafka: KafkaSettings
    lanes: Lanes
    lease: Lease
    tasks_topic: str | None = None


class Intake(NamedTuple):
    """What reads messages, and what it knows of their partitions."""

    outputs: OutputReader
    journal: Journal
    read_back: ReadBack
    partitions: Partitions
    source: KafkaSource


def uploads_of(config: Config, quota: Quota) -> Reads:
    """What the service reads."""
    return Reads(config.kafka, Lanes(config.weights, config.lane_by_topic), quota, config.tasks_topic)


def intake_of(
    config: Config, reads: Reads, access: KafkaAccess, keyring: Keyring, replica: str, clock: Clock
) -> Intake:
    """What reads, as the process `replica` of its group."""
    kafka, lanes = reads.kafka, reads.lanes
    until = config.identity.unsigned_until
    belief = None if keyring.is_empty else Belief(keyring, until, clock.wall)
    journal = Journal()
    outputs = OutputReader(kafka, access, config.journal.clock_skew, belief, tasks_topic=reads.tasks_topic)
    read_back = ReadBack(outputs, journal, config.journal, clock)
    admission = Admission(config.admission, lanes.weights)
    show_held(admission, lanes.weights)
    partitions = Partitions(
        Ownership(kafka.session_timeout),
        journal,
        admission,
        lanes.by_topic,
        config.journal.max_outcomes_per_partition,
        clock,
    )
    commits = Commits(kafka.group_id, replica, keyring, until, clock.wall)
    source = KafkaSource(kafka, access, partitions, read_back, reads.lease, commits, clock)
    return Intake(outputs, journal, read_back, partitions, source)


def written_tasks_of(config: Config, sink: Sink, intake: Intake, health: Health, clock: Clock) -> WrittenTasks | None:
    """Where tasks are written down, if answers are results of tasks."""
    if config.tasks_topic is None:
        return None
    records = TaskRecords(config.tasks_topic, config.kafka.group_id, sink, intake.journal, clock)
    health.degraded.append(records.degraded)
    return WrittenTasks(intake.read_back.tasks, records.write)


def outcomes_of(config: Config) -> Outcomes:
    """What writes verdicts and dead letters."""
    encoding = Encoding(group=config.kafka.group_id, privacy=config.privacy, provider=config.provider.name)
    return Outcomes(encoding, config.kafka.outputs)


def assessing_of(config: Config, moderator: Moderator, in_force: InForce) -> Assessing:
    """What has a message's images judged, as the policy in force asks for it."""
    return Assessing(
        moderator,
        in_force.ready,
        referer=config.provider.referer,
        privacy=config.privacy,
        lane_of=config.lane_by_topic.__getitem__,
    )


def decoding_of(config: Config) -> Callable[[Delivery], Decoded]:
    """What reads a message, and counts its format."""
    return partial(
        decode,
        bindings=Bindings.of(config),
        group=config.kafka.group_id,
        rules=Rules.of(config),
        count_format=count_format,
    )


def canaries_of(
    config: Config, apart: Mapping[str, Apart], in_force: InForce, ownership: Ownership, clock: Clock
) -> Canaries:
    """What asks about images of which it is known what they are; `apart` is asked outside of the breakers."""
    return Canaries(
        config.canaries,
        CanaryCalls(apart, config.provider.referer),
        lambda: in_force.ready().policy.settings.all_asked.services,
        partial(asker_of, ownership, config),
        clock,
    )


def policy_watch_of(config: Config, in_force: InForce, clock: Clock, look: asyncio.Event | None) -> PolicyWatch:
    """What has a change of the policy's files take effect."""
    regions = [region.name for region in config.provider.regions]
    load = partial(policy_of, regions=regions, config=config)
    return PolicyWatch(config.policies, load, in_force, clock, look)


def states_of(health: Health, quota: Quota, in_force: InForce, clock: Clock) -> Sequence[State]:
    """What the log tells of when it begins and ends."""

    def expired_rules() -> list[str]:
        return expired(in_force.ready().policy.settings.all_rules, clock.wall())

    metrics.POLICY_RULES_EXPIRED.set_function(lambda: len(expired_rules()))
    return (
        State("readiness.lost", "readiness.regained", health.all_not_ready),
        State("degraded.began", "degraded.ended", health.all_degraded),
        State("policy.rules_expired", "policy.rules_renewed", expired_rules, reminder=DAY),
        State("lease.lost", "lease.regained", lambda: quota.reasons_not_ready(clock.now())),
    )


def decide_of(config: Config, in_force: InForce, health: Health, clock: Clock) -> Decide:
    """What decides: the policy in force, and before people, where that is configured, the breaker of blocks."""
    limits = config.breaker_of_blocks
    if limits.share is None:
        return in_force.decide
    breaker = MassActionBreaker(in_force.decide, BlockLimits(limits.window, limits.least, limits.share), clock)
    health.degraded.append(breaker.degraded)
    return breaker.decide


def provisionals_of(
    config: Config,
    service: Service,
    partitions: Partitions,
    outcomes: Outcomes,
    policy: Callable[[], PolicyName],
    publisher: Publisher,
    clock: Clock,
) -> Provisionals:
    """What tells subscribers of uploads without an answer; `policy` is the one in force."""
    decoding = partial(decode, bindings=Bindings.of(config), group=config.kafka.group_id, rules=Rules.of(config))
    return Provisionals(
        deadlines=Deadlines(config.deadline.by_lane, Lanes(config.weights, config.lane_by_topic)),
        room=PerMinute(config.deadline.per_minute),
        open=Open(
            service.open_deliveries,
            lambda delivery: not service.is_draining and partitions.is_certainly_ours(delivery),
            decoding,
        ),
        outcome=lambda submission, now: outcomes.provisional(submission, policy(), now),
        publisher=publisher,
        clock=clock,
    )


def lease_lost(quota: Quota, access: KafkaAccess, clock: Clock) -> list[str]:
    """Say that nothing is sent for want of a commit, where that is not for want of a broker, which is said already."""
    return [] if access.reasons_not_ready() else quota.reasons_not_ready(clock.now())


def asker_of(ownership: Ownership, config: Config) -> Asker | None:
    """In whose name canaries are asked about, where that is this replica: one of the group has the partition."""
    topic = config.kafka.topics[0]
    first = Partition(topic, 0)
    if ownership.state(first) is not PartitionState.OWNED:
        return None
    return Asker(first, ownership.epoch(first), config.lane_by_topic[topic])


def quota_of(config: Config) -> Quota:
    """This replica's share of the quota, which follows from its assignments and commits."""
    calls = config.calls_by_lane
    return Quota(
        {name: Due(lane.topics, calls[name]) for name, lane in config.all_lanes.items()},
        session_timeout=config.kafka.session_timeout,
        window=1 + config.quota.jitter,
    )


def count_format(name: str) -> None:
    """Count a message by the format that it was recognised as."""
    metrics.EVENTS.labels(name).inc()


def show_held(admission: Admission, lanes: Iterable[str]) -> None:
    """Let the metrics of what is held be worked out when they are scraped."""
    metrics.RECORDS_HELD.set_function(lambda: admission.records_held)
    metrics.BYTES_HELD.set_function(lambda: admission.bytes_held)
    for lane in lanes:
        metrics.LANE_RECORDS_HELD.labels(lane).set_function(partial(admission.records_held_by, lane))


def show_headroom(retention: Retention, service: Service, topics: Iterable[str]) -> None:
    """Let the metric be worked out when it is scraped: it runs out though nothing happens."""

    def headroom(topic: str) -> float:
        return retention.headroom(topic, service.oldest_upload(topic))

    for topic in topics:
        metrics.RETENTION_HEADROOM_SECONDS.labels(topic).set_function(partial(headroom, topic))
