"""
From a configuration to a running service: its parts, and the order in which they start and stop.

Only this module and `layers.py`, which has the order of the layers around the provider, know every concrete part.
"""

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import partial
from secrets import token_hex
from socket import gethostname

import structlog
import uvloop

from consumer.canaries.asking import Asker, CanaryCalls
from consumer.canaries.rounds import Canaries
from consumer.clock import Clock, SystemClock
from consumer.config import Config
from consumer.config.credentials import Credentials
from consumer.deadline.due import Deadlines, PerMinute
from consumer.deadline.provisional import Open, Provisionals
from consumer.dispatch.in_flight import InFlight
from consumer.dispatch.quota import Due, Quota, WhilePublishing
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import ConsumerError, Misconfigured
from consumer.fairness import Lanes
from consumer.holding import Holding
from consumer.http.transport import Ways, open_transport
from consumer.intake.admission import Admission
from consumer.intake.decode import Bindings, Rules, decode
from consumer.intake.ownership import Ownership
from consumer.intake.ownership import State as PartitionState
from consumer.intake.partitions import Partitions
from consumer.intake.readback import ReadBack
from consumer.intake.retention import Retention, retention_of
from consumer.intake.source import KafkaSource
from consumer.journal.belief import Belief
from consumer.journal.commits import Commits
from consumer.journal.journal import Journal
from consumer.journal.reader import OutputReader
from consumer.journal.signatures import Keyring
from consumer.kafka.security import KafkaAccess
from consumer.keys import keys_of
from consumer.layers import layers, open_uploads, while_held
from consumer.moderation.assess import Assessing
from consumer.observability import metrics
from consumer.observability.changes import State, told
from consumer.observability.health import Health, serving
from consumer.observability.log_context import say_in_every_line
from consumer.pipeline import Decisions, Pipeline
from consumer.policy.block_shares import BlockLimits
from consumer.policy.decide import Decide
from consumer.policy.drift import DriftWatch
from consumer.policy.in_force import InForce, ReadyPolicy
from consumer.policy.mass_action import MassActionBreaker
from consumer.policy.ready import expired
from consumer.policy.schema import Policy
from consumer.policy_files.loading import policy_of
from consumer.policy_files.watching import PolicyWatch, announce
from consumer.records import Partition, PolicyName
from consumer.service import Service
from consumer.tracing import tracing_of
from consumer.unexpected import UnexpectedErrors
from consumer.verdicts import Sink
from consumer.verdicts.encode import Encoding
from consumer.verdicts.outcomes import Outcomes
from consumer.verdicts.publisher import Publisher
from consumer.verdicts.refused import RefusedOutcomes
from consumer.verdicts.signing import SigningSink
from consumer.verdicts.sink import KafkaSink
from consumer.verdicts.unconfirmed import UnconfirmedPublishes

log = structlog.get_logger()

DAY = 86_400.0  # seconds


class ServiceFailed(ConsumerError):
    """The service could not go on."""


def run(
    config: Config, policy: Policy, credentials: Credentials, keyring: Keyring, environment: Mapping[str, str]
) -> None:
    """
    Serve until SIGTERM or SIGINT.

    Raises:
        ServiceFailed: the service could not go on; the log has the traceback.
        Misconfigured: a file that the configuration names does not hold what it should.
    """
    gc.freeze()  # to look through all that was imported would hold up the loop for 25 ms, now and then
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(serve(config, policy, credentials, keyring, environment))
        except Misconfigured:
            raise
        except Exception as error:
            log.critical("service.failed", exc_info=error)
            raise ServiceFailed(f"the service could not go on: {error or type(error).__name__}") from error


async def serve(
    config: Config, policy: Policy, credentials: Credentials, keyring: Keyring, environment: Mapping[str, str]
) -> None:
    """Open the service, carry records until a signal, close it. A signal while it opens ends that at once."""
    stop, look_at_policy = asyncio.Event(), asyncio.Event()
    opening = asyncio.current_task()
    opened = False

    def on_signal() -> None:
        stop.set()
        if opening and not opened:
            opening.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    if config.policies.reload is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, look_at_policy.set)
    try:
        clock = SystemClock()
        async with open_service(config, policy, credentials, keyring, environment, clock, look_at_policy) as service:
            opened = True
            log.info("service.started", topics=config.kafka.topics, group=config.kafka.group_id, qps=config.quota.qps)
            if not config.identity.keys:
                log.warning("identity.none", meaning="whoever may write to the outputs can make images count as judged")
            await service.run(stop)
    except asyncio.CancelledError:
        if opened or not stop.is_set():
            raise
    log.info("service.stopped")


@contextlib.asynccontextmanager
async def open_service(
    config: Config,
    policy: Policy,
    credentials: Credentials,
    keyring: Keyring,
    environment: Mapping[str, str],
    clock: Clock,
    look_at_policy: asyncio.Event | None = None,
) -> AsyncIterator[Service]:
    """
    Top to bottom is the start order; closing runs bottom to top, so reading ends before publishing does.

    Setting `look_at_policy` has the policy's files looked at at once, where they are looked at.
    """
    async with contextlib.AsyncExitStack() as stack:
        counted = metrics.Metrics()
        metrics.count_in(counted)
        replica = token_hex(4)
        say_in_every_line(group=config.kafka.group_id, replica=f"{gethostname()}-{replica}")
        if hosts := config.kafka.hosts_in_clear:
            log.warning("kafka.clear_text", hosts=hosts, protocol=config.kafka.security.protocol)
        ways = Ways.of(config.provider, environment)
        access = KafkaAccess(config.kafka)
        in_flight, journal, in_force = InFlight(clock), Journal(), InForce(ReadyPolicy(policy))
        until = config.identity.unsigned_until
        belief = None if keyring.is_empty else Belief(keyring, until, clock.wall)
        commits = Commits(config.kafka.group_id, replica, keyring, until, clock.wall)
        outputs = OutputReader(config.kafka, access, config.journal.clock_skew, belief)
        read_back = ReadBack(outputs, journal, config.journal, clock)
        quota, admission = quota_of(config), Admission(config.admission, config.weights)
        _show_held(admission, config.weights)
        partitions = Partitions(
            Ownership(config.kafka.session_timeout),
            journal,
            admission,
            config.lane_by_topic,
            config.journal.max_outcomes_per_partition,
            clock,
        )
        source = KafkaSource(config.kafka, access, partitions, read_back, quota, commits, clock)
        health = Health([access.reasons_not_ready, source.reasons_not_ready], [source.complaints], [source.degraded])
        await stack.enter_async_context(serving(config.health, health, counted.registry))
        tracing = await stack.enter_async_context(tracing_of(config, environment))
        uploads = await stack.enter_async_context(open_uploads(config, ways, environment, clock))
        unconfirmed = UnconfirmedPublishes(outputs.find, clock)
        sink = await stack.enter_async_context(KafkaSink.open(config.kafka, access, unconfirmed, in_flight, clock))
        sink.acknowledged = read_back.acknowledged
        health.reasons_not_ready.append(sink.reasons_not_ready)
        await stack.enter_async_context(access.watched(clock))
        keys = keys_of(config.provider, credentials, clock)
        transport = await stack.enter_async_context(open_transport(config.provider.max_in_flight, ways))
        held = InterruptibleWaits()
        refused = RefusedOutcomes(clock, held.interruptible)
        health.reasons_not_ready.append(refused.reasons_not_ready)
        health.degraded.append(refused.degraded)
        shares = WhilePublishing(quota, lambda: sink.takes_more() and refused.takes_more())
        provider = layers(
            config,
            keys,
            tracing.transport(transport),
            clock,
            tracing,
            shares,
            in_flight,
            source.owns,
            calls=lambda: in_force.ready().most_services,
            uploads=uploads,
        )
        lease_lost = partial(_lease_lost, quota, access, clock)
        health.reasons_not_ready += [provider.reasons_not_ready, lease_lost]
        holding = Holding(UnexpectedErrors(config.breaker.probe_interval), clock, held, source.owns)
        health.reasons_not_ready.append(holding.reasons_not_ready)
        health.degraded.append(holding.degraded)
        written: Sink = tracing.sink(sink)
        if keyring.signs:
            written = SigningSink(written, config.kafka.group_id, keyring, partitions.mark, clock)
        encoding = Encoding(group=config.kafka.group_id, privacy=config.privacy, provider=config.provider.name)
        outcomes = Outcomes(encoding, config.kafka.outputs)
        pipeline = Pipeline(
            decode=partial(
                decode,
                bindings=Bindings.of(config),
                group=config.kafka.group_id,
                rules=Rules.of(config),
                count_format=count_format,
            ),
            assess=Assessing(
                provider.moderator,
                in_force.ready,
                referer=config.provider.referer,
                privacy=config.privacy,
                lane_of=config.lane_by_topic.__getitem__,
            ).assess,
            decisions=Decisions(DriftWatch(_decide(config, in_force, health, clock)).decide, in_force.fall_back),
            outcomes=outcomes,
            holding=holding,
            publisher=Publisher(journal, written, refused, clock),
            clock=clock,
        )
        canaries = Canaries(
            config.canaries,
            CanaryCalls(provider.apart, config.provider.referer),
            lambda: in_force.ready().policy.settings.all_asked.services,
            partial(_asker, partitions.ownership, config),
            clock,
        )
        health.degraded.append(canaries.degraded)
        service = Service(
            source,
            tracing.pipeline(pipeline),
            in_flight,
            while_held(provider, holding, held),
            config.shutdown,
            Lanes(config.weights, config.lane_by_topic),
            ordering=config.ordering,
        )
        announce(policy)
        if (interval := config.policies.reload) is not None:
            regions = [region.name for region in config.provider.regions]
            load = partial(policy_of, regions=regions, config=config)
            watch = PolicyWatch(config.policies, load, in_force, clock, look_at_policy)
            health.warnings.append(watch.warnings)
            await stack.enter_async_context(watch.watched(interval))
        health.offsets = service.offsets

        def expired_rules() -> list[str]:
            return expired(in_force.ready().policy.settings.all_rules, clock.wall())

        metrics.POLICY_RULES_EXPIRED.set_function(lambda: len(expired_rules()))
        states = (
            State("readiness.lost", "readiness.regained", health.all_not_ready),
            State("degraded.began", "degraded.ended", health.all_degraded),
            State("policy.rules_expired", "policy.rules_renewed", expired_rules, reminder=DAY),
            State("lease.lost", "lease.regained", lambda: quota.reasons_not_ready(clock.now())),
        )
        await stack.enter_async_context(told(states, clock))
        retention = Retention(partial(retention_of, access, config.kafka.topics), clock)
        await stack.enter_async_context(retention.watched())
        _show_headroom(retention, service, config.kafka.topics)
        await stack.enter_async_context(source.opened(service.drain))
        if config.deadline.by_lane:
            provisionals = provisionals_of(
                config, service, partitions, outcomes, lambda: in_force.ready().name, pipeline.publisher, clock
            )
            await stack.enter_async_context(provisionals.running())
        await stack.enter_async_context(canaries.watched())
        yield service


def _decide(config: Config, in_force: InForce, health: Health, clock: Clock) -> Decide:
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


def _lease_lost(quota: Quota, access: KafkaAccess, clock: Clock) -> list[str]:
    """Say that nothing is sent for want of a commit, where that is not for want of a broker, which is said already."""
    return [] if access.reasons_not_ready() else quota.reasons_not_ready(clock.now())


def _asker(ownership: Ownership, config: Config) -> Asker | None:
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


def _show_held(admission: Admission, lanes: Iterable[str]) -> None:
    """Let the metrics of what is held be worked out when they are scraped."""
    metrics.RECORDS_HELD.set_function(lambda: admission.records_held)
    metrics.BYTES_HELD.set_function(lambda: admission.bytes_held)
    for lane in lanes:
        metrics.LANE_RECORDS_HELD.labels(lane).set_function(partial(admission.records_held_by, lane))


def _show_headroom(retention: Retention, service: Service, topics: Iterable[str]) -> None:
    """Let the metric be worked out when it is scraped: it runs out though nothing happens."""

    def headroom(topic: str) -> float:
        return retention.headroom(topic, service.oldest_upload(topic))

    for topic in topics:
        metrics.RETENTION_HEADROOM_SECONDS.labels(topic).set_function(partial(headroom, topic))
