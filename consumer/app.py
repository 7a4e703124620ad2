"""
From a configuration to a running service: its parts, and the order in which they start and stop.

Only this module, `parts.py`, which makes what is made of many, and `layers.py`, which has the order of the layers
around the provider, know every concrete part.
"""

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from secrets import token_hex
from socket import gethostname

import structlog
import uvloop

from consumer import background
from consumer.background import Loops
from consumer.clock import Clock, SystemClock
from consumer.config import Config
from consumer.config.credentials import Credentials
from consumer.dispatch.in_flight import InFlight
from consumer.dispatch.quota import WhilePublishing
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import ConsumerError, Misconfigured
from consumer.fairness import Lanes
from consumer.holding import Holding
from consumer.http.transport import Ways, open_transport
from consumer.intake.retention import Retention, retention_of
from consumer.journal.signatures import Keyring
from consumer.kafka.security import KafkaAccess
from consumer.keys import keys_of
from consumer.layers import layers, open_uploads, while_held
from consumer.observability import metrics
from consumer.observability.changes import told
from consumer.observability.health import Health, serving
from consumer.observability.log_context import say_in_every_line
from consumer.parts import (
    assessing_of,
    canaries_of,
    decide_of,
    decoding_of,
    intake_of,
    lease_lost,
    outcomes_of,
    policy_watch_of,
    provisionals_of,
    quota_of,
    show_headroom,
    states_of,
    uploads_of,
    written_tasks_of,
)
from consumer.pipeline import Decisions, Pipeline
from consumer.policy.drift import DriftWatch
from consumer.policy.in_force import InForce, ReadyPolicy
from consumer.policy.schema import Policy
from consumer.policy_files.watching import announce
from consumer.service import Service
from consumer.tracing import tracing_of
from consumer.unexpected import UnexpectedErrors
from consumer.verdicts import Sink
from consumer.verdicts.publisher import Publisher
from consumer.verdicts.refused import RefusedOutcomes
from consumer.verdicts.signing import SigningSink
from consumer.verdicts.sink import KafkaSink
from consumer.verdicts.unconfirmed import UnconfirmedPublishes

log = structlog.get_logger()

GC_THRESHOLD = 10_000
"""
New objects after which the garbage collector looks at them. What a message had is freed without it, however it ended
(`tests/moderation/test_garbage.py`); with Python's 700 it took 6 % of the CPU with 64 calls in flight, 25 % with 2,048.
"""


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
    gc.set_threshold(GC_THRESHOLD)
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
    """Carry records until a signal."""
    look_at_policy = asyncio.Event()
    if config.policies.reload is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, look_at_policy.set)

    def started() -> None:
        log.info("service.started", topics=config.kafka.topics, group=config.kafka.group_id, qps=config.quota.qps)
        if not config.identity.keys:
            log.warning("identity.none", meaning="whoever may write to the outputs can make images count as judged")

    clock = SystemClock()
    await run_until_signal(
        open_service(config, policy, credentials, keyring, environment, clock, look_at_policy), started
    )
    log.info("service.stopped")


async def run_until_signal(
    opening: contextlib.AbstractAsyncContextManager[Service], started: Callable[[], None]
) -> None:
    """Open a service, run it until SIGTERM or SIGINT, close it. A signal while it opens ends that at once."""
    stop, task, opened = asyncio.Event(), asyncio.current_task(), False

    def on_signal() -> None:
        stop.set()
        if task and not opened:
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    try:
        async with opening as service:
            opened = True
            started()
            await service.run(stop)
    except asyncio.CancelledError:
        if opened or not stop.is_set():
            raise


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
        loops = Loops()
        background.own(loops)
        replica = token_hex(4)
        say_in_every_line(group=config.kafka.group_id, replica=f"{gethostname()}-{replica}")
        if hosts := config.kafka.hosts_in_clear:
            log.warning("kafka.clear_text", hosts=hosts, protocol=config.kafka.security.protocol)
        ways = Ways.of(config.provider, environment)
        access = KafkaAccess(config.kafka)
        in_flight, in_force = InFlight(clock), InForce(ReadyPolicy(policy))
        quota = quota_of(config)
        intake = intake_of(config, uploads_of(config, quota), access, keyring, replica, clock)
        source, partitions = intake.source, intake.partitions
        health = Health(
            [loops.reasons_not_ready, access.reasons_not_ready, source.reasons_not_ready],
            [source.complaints],
            [source.degraded],
        )
        await stack.enter_async_context(serving(config.health, health, counted.registry))
        tracing = await stack.enter_async_context(tracing_of(config, environment))
        uploads = await stack.enter_async_context(open_uploads(config, ways, environment, clock))
        unconfirmed = UnconfirmedPublishes(intake.outputs.find, clock)
        sink = await stack.enter_async_context(KafkaSink.open(config.kafka, access, unconfirmed, in_flight, clock))
        sink.acknowledged = intake.read_back.acknowledged
        health.reasons_not_ready.append(sink.reasons_not_ready)
        await stack.enter_async_context(access.watched(clock))
        keys = keys_of(config.provider, credentials, clock)
        transport = await stack.enter_async_context(open_transport(config.provider.max_in_flight, ways))
        held = InterruptibleWaits()
        refused = RefusedOutcomes(clock, held.interruptible)
        health.reasons_not_ready.append(refused.reasons_not_ready)
        health.degraded.append(refused.degraded)
        shares = WhilePublishing(quota, lambda: sink.takes_more() and refused.takes_more())
        written: Sink = tracing.sink(sink)
        if keyring.signs:
            written = SigningSink(written, config.kafka.group_id, keyring, partitions.mark, clock)
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
            written=written_tasks_of(config, written, intake, health, clock),
        )
        if provider.open_scans is not None:
            await stack.enter_async_context(provider.open_scans.running())
        health.reasons_not_ready += [provider.reasons_not_ready, partial(lease_lost, quota, access, clock)]
        holding = Holding(UnexpectedErrors(config.breaker.probe_interval), clock, held, source.owns)
        health.reasons_not_ready.append(holding.reasons_not_ready)
        health.degraded.append(holding.degraded)
        outcomes = outcomes_of(config)
        pipeline = Pipeline(
            decode=decoding_of(config),
            assess=assessing_of(config, provider.moderator, in_force).assess,
            decisions=Decisions(DriftWatch(decide_of(config, in_force, health, clock)).decide, in_force.fall_back),
            outcomes=outcomes,
            holding=holding,
            publisher=Publisher(intake.journal, written, refused, clock),
            clock=clock,
        )
        canaries = canaries_of(config, provider.apart, in_force, partitions.ownership, clock)
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
        loops.stop_by(service.fail)
        announce(policy)
        if (interval := config.policies.reload) is not None:
            watch = policy_watch_of(config, in_force, clock, look_at_policy)
            health.warnings.append(watch.warnings)
            await stack.enter_async_context(watch.watched(interval))
        health.offsets = service.offsets
        await stack.enter_async_context(told(states_of(health, quota, in_force, clock), clock))
        retention = Retention(partial(retention_of, access, config.kafka.topics), clock)
        await stack.enter_async_context(retention.watched())
        show_headroom(retention, service, config.kafka.topics)
        await stack.enter_async_context(source.opened(service.drain))
        if config.deadline.by_lane:
            provisionals = provisionals_of(
                config, service, partitions, outcomes, lambda: in_force.ready().name, pipeline.publisher, clock
            )
            await stack.enter_async_context(provisionals.running())
        await stack.enter_async_context(canaries.watched())
        yield service
