"""
From a configuration to a running service. The only module that knows every concrete part.

The order of the layers around the provider is decided here, and so is the order of starting and stopping.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from secrets import token_hex
from typing import NamedTuple

import httpx
import structlog
import uvloop

from consumer.clock import Clock, SystemClock
from consumer.config import Config, Credentials, Policy
from consumer.errors import ConsumerError
from consumer.flight import Flight
from consumer.intake.admission import Admission
from consumer.intake.decode import Bindings, decode
from consumer.intake.journal import Journal
from consumer.intake.kafka import KafkaSource
from consumer.intake.tail import Tail
from consumer.moderation import Moderator
from consumer.moderation.assess import Assessing
from consumer.moderation.breaker import BreakerLimits
from consumer.moderation.client import HttpModerator, Timeouts, open_transport
from consumer.moderation.keys import Keys, keys_of
from consumer.moderation.lobby import Lobby
from consumer.moderation.pace import LONGEST_LOOK, Pace, Paced
from consumer.moderation.regions import Guarded, Region, Regions
from consumer.moderation.retries import Retrying, RetryPolicy
from consumer.moderation.slots import Limited, Slots
from consumer.observability import metrics
from consumer.observability.health import Health, serving
from consumer.pipeline import Pipeline
from consumer.records import Place, source_id
from consumer.service import Service
from consumer.verdicts.doubts import Doubts
from consumer.verdicts.encode import Encoding
from consumer.verdicts.kafka import KafkaSink
from consumer.verdicts.noticing import Noticing
from consumer.verdicts.policy import Deciding

log = structlog.get_logger()


class ServiceFailed(ConsumerError):
    """The service could not go on."""


def run(config: Config, policy: Policy, credentials: Credentials) -> None:
    """
    Serve until SIGTERM or SIGINT.

    Raises:
        ServiceFailed: the service could not go on; the log has the traceback.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(serve(config, policy, credentials))
        except Exception as error:
            log.critical("service.failed", exc_info=error)
            raise ServiceFailed(f"the service could not go on: {error or type(error).__name__}") from error


async def serve(config: Config, policy: Policy, credentials: Credentials) -> None:
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
        async with open_service(config, policy, credentials, SystemClock()) as service:
            opened = True
            log.info("service.started", topics=config.kafka.topics, group=config.kafka.group_id, qps=config.quota.qps)
            await service.run(stop)
    except asyncio.CancelledError:
        if opened or not stop.is_set():
            raise
    log.info("service.stopped")


@contextlib.asynccontextmanager
async def open_service(
    config: Config, policy: Policy, credentials: Credentials, clock: Clock
) -> AsyncIterator[Service]:
    """Top to bottom is the start order; closing runs bottom to top, so reading ends before publishing does."""
    async with contextlib.AsyncExitStack() as stack:
        flight, journal, tail = Flight(clock), Journal(), Tail(config.kafka, config.journal.clock_skew)
        source = KafkaSource(
            config.kafka, Admission(config.admission), journal, tail, config.journal, flight, token_hex(4), clock
        )
        health = Health([source.reasons_not_ready])
        await stack.enter_async_context(serving(config.health, health))
        encoding = Encoding(group=config.kafka.group_id, privacy=config.privacy)
        doubts = Doubts(tail.find, clock)
        sink = await stack.enter_async_context(KafkaSink.open(config.kafka, encoding, doubts, flight, clock))
        health.reasons_not_ready.append(sink.reasons_not_ready)

        def may_depart() -> bool:
            """Nothing is paid for whose verdict could be another replica's, or could not be published."""
            return not flight.grounded and source.is_member() and sink.takes_more()

        keys = keys_of(config.provider, credentials, clock)
        transport = await stack.enter_async_context(open_transport(config.provider.max_in_flight))
        provider = layers(config, keys, transport, clock, flight, may_depart, source.owns)
        health.reasons_not_ready.append(provider.reasons_not_ready)
        pipeline = Pipeline(
            decode=partial(decode, bindings=Bindings(config.bindings), group=config.kafka.group_id),
            assess=Assessing(
                provider.moderator,
                policy.settings.services,
                policy.settings.info,
                referer=config.provider.referer,
                privacy=config.privacy,
            ).assess,
            decide=Noticing(Deciding(policy).decide).decide,
            name_dead_letter=partial(source_id, config.kafka.group_id),
            journal=journal,
            sink=sink,
            clock=clock,
        )
        service = Service(
            source,
            pipeline,
            flight,
            provider.room,
            provider.give_up_waiting,
            config.shutdown,
            keep_order=config.ordering == "key",
        )
        health.offsets = service.offsets
        await stack.enter_async_context(source.opened(service.drain))
        yield service


class Provider(NamedTuple):
    """The provider as the service sees it."""

    moderator: Moderator
    room: Callable[[], Awaitable[None]]
    """Returns when another question could be asked at once."""
    give_up_waiting: Callable[[], None]
    """Cancels who waits for a provider that is away."""
    reasons_not_ready: Callable[[], list[str]]


def layers(
    config: Config,
    keys: Keys,
    transport: httpx.AsyncBaseTransport,
    clock: Clock,
    flight: Flight,
    may_depart: Callable[[], bool],
    owns: Callable[[Place], bool],
) -> Provider:
    """
    Stack what is done about pace, capacity, outages and failures around the call.

    Inside out: the breaker is told how a call ended; a call departs at its moment, holding a slot while it waits for
    that; it waits for a region without one; and a retry does all of it again. Pace and slots are the account's, and
    shared by its regions.
    """
    timeouts = Timeouts(connect=config.provider.connect_timeout, read=config.provider.read_timeout)
    slots = Slots(config.provider.max_in_flight)
    pace = Pace(config.quota.qps, jitter=config.quota.jitter, burst=config.quota.burst)
    metrics.QUOTA_QPS.set(config.quota.qps)
    breaker = BreakerLimits(
        **config.breaker.model_dump(), others=config.retries.others_answered, full=config.provider.max_in_flight
    )
    answered_services, lobby = set[str](), Lobby()

    def region(name: str, base_url: str) -> Region:
        http = HttpModerator(transport, base_url, name, keys, timeouts, clock)
        guarded = Guarded(http, name, answered_services, clock)
        paced = Paced(guarded, pace, clock, flight=flight, lobby=lobby, may_depart=may_depart, owns=owns)
        return Region(name, Limited(paced, slots), breaker)

    regions = Regions([region(*each) for each in config.provider.regions], clock, lobby)

    async def room() -> None:
        while not may_depart():
            await clock.sleep(LONGEST_LOOK)
        await regions.room()
        await slots.room()

    return Provider(
        moderator=Retrying(regions, RetryPolicy(**config.retries.model_dump()), clock, lobby),
        room=room,
        give_up_waiting=lobby.close,
        reasons_not_ready=lambda: regions.reasons_not_ready() + pace.reasons_not_ready(clock.now()),
    )
