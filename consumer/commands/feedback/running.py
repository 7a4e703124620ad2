"""From a configuration to a running `feedback`: its parts, and the order in which they start and stop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from secrets import token_hex
from socket import gethostname

import structlog
import uvloop
from aiokafka.errors import KafkaError

from consumer import background
from consumer.app import ServiceFailed, run_until_signal
from consumer.background import Loops
from consumer.clock import Clock, SystemClock
from consumer.commands.feedback.room import Places, Room
from consumer.commands.feedback.sending import ProviderAccess, sending
from consumer.config import Config
from consumer.dispatch.in_flight import InFlight
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import Misconfigured
from consumer.fairness import Lanes
from consumer.holding import Holding
from consumer.journal.signatures import Keyring
from consumer.journal.verdict_records import Believing
from consumer.kafka.security import KafkaAccess
from consumer.observability import metrics, review_metrics
from consumer.observability.changes import State, told
from consumer.observability.health import Health, serving
from consumer.observability.log_context import say_in_every_line
from consumer.parts import Reads, intake_of
from consumer.reviews.carrying import Carrying, Published, Remembering
from consumer.reviews.decided import Told
from consumer.reviews.floors import Floors
from consumer.reviews.following import Following
from consumer.reviews.lookup import VerdictLookup, groupless
from consumer.reviews.memory import DAY, Memory
from consumer.reviews.writing import person_record
from consumer.service import Service
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

LONGEST = 600.0
"""Seconds that a decision which meets a bug is held: meanwhile no verdict of a machine is compared with people's."""

AT_ONCE = 200  # records of a lane
RETRY_DELAY = 1.0  # seconds
DECISIONS, VERDICTS = "decisions", "verdicts"
WEIGHTS = {DECISIONS: 3.0, VERDICTS: 1.0}


class NoLease:
    """Nothing is paid for, so nothing is leased."""

    def assigned(
        self, partitions: Iterable[tuple[str, int]], counts: Mapping[str, int], now: float, generation: int | None
    ) -> None: ...

    def revoked(self) -> None: ...

    def committed(self, sent_at: float) -> None: ...


def read_by(config: Config) -> Reads:
    """What `feedback` reads as which group. The verdicts are among its inputs."""
    verdicts = tuple(config.kafka.outputs.by_decision.values())
    topics = (config.reviews.topic, *verdicts)
    settings = config.kafka.model_copy(
        update={"group_id": config.reviews.group_id, "topics": topics, "auto_offset_reset": "earliest"}
    )
    lane_by_topic = {config.reviews.topic: DECISIONS, **dict.fromkeys(verdicts, VERDICTS)}
    return Reads(settings, Lanes(WEIGHTS, lane_by_topic), NoLease())


def run(config: Config, keyring: Keyring, told: Sequence[Told] = (), access: ProviderAccess | None = None) -> None:
    """
    Take decisions until SIGTERM or SIGINT; with `access` the provider is told what reviewers agree on.

    Raises:
        ServiceFailed: it could not go on; the log has the traceback.
        Misconfigured: a file that the configuration names does not hold what it should.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(serve(config, keyring, told, access))
        except Misconfigured:
            raise
        except Exception as error:
            log.critical("feedback.failed", exc_info=error)
            raise ServiceFailed(f"feedback could not go on: {error or type(error).__name__}") from error


async def serve(
    config: Config, keyring: Keyring, told: Sequence[Told] = (), access: ProviderAccess | None = None
) -> None:
    """Carry records until a signal."""

    def started() -> None:
        log.info("feedback.started", topic=config.reviews.topic, group=config.reviews.group_id)

    await run_until_signal(open_feedback(config, keyring, SystemClock(), told, access), started)
    log.info("feedback.stopped")


@contextlib.asynccontextmanager
async def open_feedback(
    config: Config,
    keyring: Keyring,
    clock: Clock,
    told_of_decisions: Sequence[Told] = (),
    provider: ProviderAccess | None = None,
) -> AsyncIterator[Service]:
    """Top to bottom is the start order; closing runs bottom to top, so reading ends before publishing does."""
    async with contextlib.AsyncExitStack() as stack:
        counted = metrics.Metrics()
        metrics.count_in(counted)
        reads = read_by(config)
        settings, lanes = reads.kafka, reads.lanes
        replica = token_hex(4)
        say_in_every_line(group=settings.group_id, replica=f"{gethostname()}-{replica}")
        access, in_flight, loops = KafkaAccess(settings), InFlight(clock), Loops()
        background.own(loops)
        intake = intake_of(config, reads, access, keyring, replica, clock)
        source = intake.source
        health = Health(
            [loops.reasons_not_ready, access.reasons_not_ready, source.reasons_not_ready],
            [source.complaints],
            [source.degraded],
        )
        await stack.enter_async_context(serving(config.health, health, counted.registry))
        unconfirmed = UnconfirmedPublishes(intake.outputs.find, clock)
        sink = await stack.enter_async_context(KafkaSink.open(settings, access, unconfirmed, in_flight, clock))
        sink.acknowledged = intake.read_back.acknowledged
        await stack.enter_async_context(access.watched(clock))
        held = InterruptibleWaits()
        refused = RefusedOutcomes(clock, held.interruptible)
        places = Places(lanes.by_topic, AT_ONCE)
        holding = Holding(
            UnexpectedErrors(config.breaker.probe_interval, LONGEST), clock, held, source.owns, places.given_back
        )
        health.reasons_not_ready += [sink.reasons_not_ready, refused.reasons_not_ready, holding.reasons_not_ready]
        health.degraded += [refused.degraded, holding.degraded]
        memory = Memory(config.reviews.most, config.reviews.keep_days * DAY)
        floors = Floors()
        _show(memory, floors)
        following = Following(
            consumer=await stack.enter_async_context(groupless(access, settings.max_batch_bytes)),
            access=access,
            settings=config.reviews,
            memory=memory,
            floors=floors,
            keyring=keyring,
            clock=clock,
        )
        health.reasons_not_ready.append(following.reasons_not_ready)
        health.degraded.append(following.degraded)
        await stack.enter_async_context(following.followed())
        lookup = VerdictLookup(
            await stack.enter_async_context(groupless(access, settings.max_batch_bytes)),
            tuple(settings.outputs.by_decision.values()),
            clock,
        )
        written: Sink = sink
        if keyring.signs:
            written = SigningSink(written, settings.group_id, keyring, intake.partitions.mark, clock)
        votes = [*told_of_decisions]
        if provider is not None:
            votes.append(await stack.enter_async_context(sending(config, keyring, provider, health, clock)))
        carrying = Carrying(
            settings=config.reviews,
            published=published_by(config, keyring, clock, lookup),
            people=Remembering(
                memory=memory, floors=floors, write=remembering(config, keyring, sink, clock), taken=following.taken
            ),
            outcomes=Outcomes(Encoding(group=settings.group_id), settings.outputs),
            holding=holding,
            publisher=Publisher(intake.journal, written, refused, clock),
            told=votes,
        )
        room = Room(carrying, places, held)
        service = Service(source, room, in_flight, room, config.shutdown, lanes)
        loops.stop_by(service.fail)
        health.offsets = service.offsets
        states = (
            State("readiness.lost", "readiness.regained", health.all_not_ready),
            State("degraded.began", "degraded.ended", health.all_degraded),
        )
        await stack.enter_async_context(told(states, clock))
        await stack.enter_async_context(source.opened(service.drain))
        yield service


def published_by(config: Config, keyring: Keyring, clock: Clock, lookup: VerdictLookup) -> Published:
    """Which verdicts are the service's, and which are people's."""
    until = config.identity.unsigned_until
    groups = (config.kafka.group_id, config.reviews.group_id)
    return Published(
        believing=[(group, Believing(group, keyring, until, clock.wall)) for group in groups],
        group=config.reviews.group_id,
        by_decision=config.kafka.outputs.by_decision,
        record=lookup.record,
    )


def remembering(
    config: Config, keyring: Keyring, sink: KafkaSink, clock: Clock
) -> Callable[[bytes, bytes], Awaitable[None]]:
    """What writes a decision where it is remembered, until Kafka has it; to write it twice changes nothing."""
    topic, group = config.reviews.people, config.reviews.group_id
    send = partial(sink.producers.send, topic, alone=True)

    async def remember(key: bytes, value: bytes) -> None:
        record = person_record(group, topic, key, value, keyring)
        while True:
            try:
                with sink.in_flight:
                    await send(record)
            except KafkaError as error:
                log.warning("people.not_written", topic=topic, error=type(error).__name__, retry_in=RETRY_DELAY)
                await clock.sleep(RETRY_DELAY)
            else:
                return

    return remember


def _show(memory: Memory, floors: Floors) -> None:
    """Let the metrics of what is remembered be worked out when they are scraped."""
    review_metrics.REVIEWS_REMEMBERED.set_function(lambda: len(memory))
    review_metrics.REVIEWS_MEMORY_BYTES.set_function(lambda: memory.size)
    review_metrics.REVIEWS_FORGOTTEN.set_function(lambda: memory.forgotten + floors.forgotten)
