"""
From a configuration to a running service. The only module that knows every concrete part.

The order of the layers around the provider is decided here, and so is the order of starting and stopping.
"""

import asyncio
import contextlib
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from functools import partial
from secrets import token_hex
from socket import gethostname
from typing import NamedTuple

import httpx
import structlog
import uvloop

from consumer.alibaba.client import ImageModerationClient
from consumer.alibaba.echoes import LearnedEchoes
from consumer.alibaba.image_moderation import ACTION
from consumer.clock import Clock, SystemClock
from consumer.config import Config
from consumer.config.credentials import Credentials
from consumer.dispatch.concurrency import ConcurrencyLimit
from consumer.dispatch.gate import Gate
from consumer.dispatch.hosts import Hosts
from consumer.dispatch.in_flight import InFlight
from consumer.dispatch.pace import Pace
from consumer.dispatch.quota import Due, Quota, Shares, WhilePublishing
from consumer.dispatch.startable import Startable
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import ConsumerError, Misconfigured
from consumer.fairness import Lanes
from consumer.holding import Holding
from consumer.http.exchange import Exchanges, Timeouts
from consumer.http.transport import Ways, open_transport
from consumer.intake.admission import Admission
from consumer.intake.decode import Bindings, Rules, decode
from consumer.intake.ownership import Ownership
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
from consumer.keys import Keys, keys_of
from consumer.moderation import Layer, Moderator, stacked
from consumer.moderation.assess import Assessing
from consumer.moderation.breaker import BreakerLimits
from consumer.moderation.paced import Limited, Paced
from consumer.moderation.regions import Guarded, Region, Regions
from consumer.moderation.retries import Retrying, RetryPolicy
from consumer.observability import metrics
from consumer.observability.changes import State, told
from consumer.observability.health import Health, serving
from consumer.observability.log_context import say_in_every_line
from consumer.pipeline import Decisions, Pipeline
from consumer.policy.decide import Deciding
from consumer.policy.drift import DriftWatch
from consumer.policy.schema import Policy
from consumer.records import Partition
from consumer.service import Service
from consumer.tracing import Tracing, tracing_of
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
    stop = asyncio.Event()
    opening = asyncio.current_task()
    opened = False

    def on_signal() -> None:
        stop.set()
        if opening and not opened:
            opening.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    try:
        async with open_service(config, policy, credentials, keyring, environment, SystemClock()) as service:
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
) -> AsyncIterator[Service]:
    """Top to bottom is the start order; closing runs bottom to top, so reading ends before publishing does."""
    async with contextlib.AsyncExitStack() as stack:
        counted = metrics.Metrics()
        metrics.count_in(counted)
        replica = token_hex(4)
        say_in_every_line(group=config.kafka.group_id, replica=f"{gethostname()}-{replica}")
        if hosts := config.kafka.hosts_in_clear:
            log.warning("kafka.clear_text", hosts=hosts, protocol=config.kafka.security.protocol)
        ways = Ways.of(config.provider, environment)
        access = KafkaAccess(config.kafka)
        in_flight, journal = InFlight(clock), Journal()
        until = config.identity.unsigned_until
        belief = None if keyring.is_empty else Belief(keyring, until, clock.wall)
        commits = Commits(config.kafka.group_id, replica, keyring, until, clock.wall)
        outputs = OutputReader(config.kafka, access, config.journal.clock_skew, belief)
        read_back = ReadBack(outputs, journal, config.journal, clock)
        quota = quota_of(config)
        partitions = Partitions(
            Ownership(config.kafka.session_timeout),
            journal,
            Admission(config.admission, config.weights, _show_held),
            config.lane_by_topic,
            config.journal.max_outcomes_per_partition,
            clock,
        )
        source = KafkaSource(config.kafka, access, partitions, read_back, quota, commits, clock)
        health = Health([access.reasons_not_ready, source.reasons_not_ready], [source.complaints], [source.degraded])
        await stack.enter_async_context(serving(config.health, health, counted.registry))
        tracing = await stack.enter_async_context(tracing_of(config, environment))
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
            calls=len(policy.settings.services),
        )
        lease_lost = partial(_lease_lost, quota, access, clock)
        health.reasons_not_ready += [provider.reasons_not_ready, lease_lost]
        holding = Holding(UnexpectedErrors(config.breaker.probe_interval), clock, held, source.owns)
        health.reasons_not_ready.append(holding.reasons_not_ready)
        health.degraded.append(holding.degraded)
        deciding = Deciding(policy)
        written: Sink = tracing.sink(sink)
        if keyring.signs:
            written = SigningSink(written, config.kafka.group_id, keyring, partitions.mark, clock)
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
                policy.settings.services,
                policy.settings.info,
                referer=config.provider.referer,
                privacy=config.privacy,
                lane_of=config.lane_by_topic.__getitem__,
            ).assess,
            decisions=Decisions(DriftWatch(deciding.decide).decide, deciding.fall_back),
            outcomes=Outcomes(Encoding(group=config.kafka.group_id, privacy=config.privacy), config.kafka.outputs),
            holding=holding,
            publisher=Publisher(journal, written, refused, clock),
            clock=clock,
        )
        service = Service(
            source,
            tracing.pipeline(pipeline),
            in_flight,
            while_held(provider, holding, held),
            config.shutdown,
            Lanes(config.weights, config.lane_by_topic),
            keep_order=config.ordering == "key",
        )
        health.offsets = service.offsets
        states = (
            State("readiness.lost", "readiness.regained", health.all_not_ready),
            State("degraded.began", "degraded.ended", health.all_degraded),
            State("lease.lost", "lease.regained", lambda: quota.reasons_not_ready(clock.now())),
        )
        await stack.enter_async_context(told(states, clock))
        retention = Retention(partial(retention_of, access, config.kafka.topics), clock)
        await stack.enter_async_context(retention.watched())
        _show_headroom(retention, service, config.kafka.topics)
        await stack.enter_async_context(source.opened(service.drain))
        yield service


def _lease_lost(quota: Quota, access: KafkaAccess, clock: Clock) -> list[str]:
    """Say that nothing is sent for want of a commit, where that is not for want of a broker, which is said already."""
    return [] if access.reasons_not_ready() else quota.reasons_not_ready(clock.now())


class Provider(NamedTuple):
    """The provider as the service sees it. See `service.Calls`."""

    moderator: Moderator
    wait_for_capacity: Callable[[Collection[str]], Awaitable[None]]
    """Returns when another message of one of these lanes may begin."""
    has_capacity: Callable[[str], bool]
    """Whether another message of this lane may begin."""
    give_up_waiting: Callable[[], None]
    """Cancels requests that wait for a provider that is away."""
    reasons_not_ready: Callable[[], list[str]]


def while_held(provider: Provider, holding: Holding, held: InterruptibleWaits) -> Provider:
    """The provider for which nothing begins while every image meets an unexpected error; a stop waits for none held."""

    def give_up_waiting() -> None:
        held.close()
        provider.give_up_waiting()

    return provider._replace(
        wait_for_capacity=holding.wait_for_capacity(provider.wait_for_capacity),
        has_capacity=holding.has_capacity(provider.has_capacity),
        give_up_waiting=give_up_waiting,
    )


def quota_of(config: Config) -> Quota:
    """This replica's share of the quota, which follows from its assignments and commits."""
    calls = config.calls_by_lane
    return Quota(
        {name: Due(lane.topics, calls[name]) for name, lane in config.all_lanes.items()},
        session_timeout=config.kafka.session_timeout,
        window=1 + config.quota.jitter,
    )


def layers(
    config: Config,
    keys: Keys,
    transport: httpx.AsyncBaseTransport,
    clock: Clock,
    tracing: Tracing,
    shares: Shares,
    in_flight: InFlight,
    owns: Callable[[Partition, int], bool],
    *,
    calls: int,
) -> Provider:
    """
    Stack what is done about pace, capacity, outages and failures around the call.

    Inside out: a call has its span; the breaker learns how it ended; it departs at its moment; the region that it goes
    to is chosen once it has a slot, which it gives back while it waits for one; and a retry does all of it again. Pace
    and slots are the account's, and shared by its regions. `shares` says what this replica may send; an image needs so
    many `calls`.
    """
    timeouts = Timeouts(connect=config.provider.connect_timeout, read=config.provider.read_timeout)
    exchanges = Exchanges(transport, timeouts, clock)
    waits, line = InterruptibleWaits(), InterruptibleWaits()
    slots, hosts = ConcurrencyLimit(config.provider.max_in_flight, config.weights), defaultdict[str, Hosts](Hosts)
    pace = Pace(0, jitter=config.quota.jitter, burst=config.quota.burst)
    gate = Gate(pace, shares, clock, line)
    startable = Startable(shares, slots, calls, config.shutdown.drain_timeout, clock)
    breaker = BreakerLimits(
        **config.breaker.model_dump(), others=config.retries.others_answered, full=config.provider.max_in_flight
    )
    answered_services = set[str]()

    def region(name: str, base_url: str) -> Region:
        echoes = LearnedEchoes() if config.provider.data_id == "learn" else None
        client = ImageModerationClient(exchanges, base_url, name, keys, clock, echoes)
        # `Paced` stands outside of `Guarded`, which looks at the permit when the call departs.
        around: list[Layer] = [
            lambda inner: Paced(inner, gate, pace, in_flight, owns, clock, name),
            lambda inner: Guarded(inner, name, answered_services, clock),
            lambda inner: tracing.moderator(inner, ACTION, name, base_url),
        ]
        return Region(name, stacked(client, around), breaker)

    regions = Regions([region(*each) for each in config.provider.regions], clock, waits)

    async def wait_for_capacity(lanes: Collection[str] = ()) -> None:
        while True:
            await regions.wait_for_capacity()
            await slots.wait_for_capacity(lanes)
            if startable.has_capacity():
                return
            await startable.wait_for_capacity()

    def give_up_waiting() -> None:
        waits.close()
        line.close()

    _show(shares, pace, clock, config.weights)
    return Provider(
        # `Limited` may stand anywhere: out here the region is chosen once there is a slot.
        moderator=Retrying(
            Limited(regions, slots, hosts, line), RetryPolicy(**config.retries.model_dump()), clock, waits
        ),
        wait_for_capacity=wait_for_capacity,
        has_capacity=lambda lane: regions.has_capacity() and slots.has_capacity(lane) and startable.has_capacity(),
        give_up_waiting=give_up_waiting,
        reasons_not_ready=lambda: regions.reasons_not_ready() + pace.reasons_not_ready(clock.now()),
    )


def count_format(name: str) -> None:
    """Count a message by the format that it was recognised as."""
    metrics.EVENTS.labels(name).inc()


def _show(shares: Shares, pace: Pace, clock: Clock, lanes: Iterable[str]) -> None:
    """Let the metrics of the quota be read when they are scraped: a lease runs out though nothing happens."""

    def lane_share(lane: str) -> int:
        return shares.share(clock.now()).by_lane[lane]

    metrics.QUOTA_QPS.set_function(lambda: shares.share(clock.now()).total)
    metrics.QUOTA_RATE.set_function(lambda: pace.rate(clock.now()))
    metrics.QUOTA_LEASE_SECONDS.set_function(lambda: max(0.0, shares.ends - clock.now()))
    for lane in lanes:
        metrics.LANE_SHARE.labels(lane).set_function(partial(lane_share, lane))


def _show_held(admission: Admission, lane: str) -> None:
    """Let the metrics say what is held, whenever that changes."""
    metrics.RECORDS_HELD.set(admission.records_held)
    metrics.BYTES_HELD.set(admission.bytes_held)
    metrics.LANE_RECORDS_HELD.labels(lane).set(admission.records_held_by(lane))


def _show_headroom(retention: Retention, service: Service, topics: Iterable[str]) -> None:
    """Let the metric be worked out when it is scraped: it runs out though nothing happens."""

    def headroom(topic: str) -> float:
        return retention.headroom(topic, service.oldest_upload(topic))

    for topic in topics:
        metrics.RETENTION_HEADROOM_SECONDS.labels(topic).set_function(partial(headroom, topic))
