"""
Images are asked about, by the layers that the service has, at a pace that does not change.

    items ──► (the provider has capacity) ──► a task each: assess ─► decide ──► told
                         ▲
    a stop: none begins, what waits is let go of, what is in flight is paid for and ends
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Protocol

import structlog

from consumer.clock import Clock
from consumer.commands.scan.answers import Kept, Remembering
from consumer.commands.scan.files import FilesToo, Seen
from consumer.commands.scan.finding import Found
from consumer.commands.scan.inputs import Inputs
from consumer.commands.scan.items import Item
from consumer.commands.scan.patience import Patience, Reading
from consumer.dispatch.in_flight import InFlight
from consumer.dispatch.quota import Share
from consumer.errors import Misconfigured
from consumer.fairness import DEFAULT
from consumer.http.transport import Ways, open_transport
from consumer.keys import keys_of
from consumer.layers import Provider, layers, open_uploads
from consumer.locations import ByUpload, ByUrl, Image
from consumer.moderation.assess import Assessing
from consumer.observability import metrics
from consumer.observability.tracebacks import frames_of
from consumer.policy.in_force import InForce, ReadyPolicy
from consumer.records import Assessment, Delivery, Failure, Subject, Submission, Verdict
from consumer.tracing import Untraced

log = structlog.get_logger()

LOOK = 0.2  # seconds after which it is looked again whether anything is answered


class ConstantShare:
    """Calls a second that do not change. See `Shares`."""

    def __init__(self, calls: int, lane: str = DEFAULT) -> None:
        self._share = Share({lane: calls}, inf, lease=0)

    def share(self, now: float) -> Share:
        """See `Shares`."""
        return self._share

    @property
    def ends(self) -> float:
        """See `Shares`."""
        return inf


class Judges(Protocol):
    """Judges an image. Nothing escapes but cancellation."""

    async def __call__(self, submission: Submission) -> Verdict: ...


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges an image as the service does."""

    assessing: Assessing
    deciding: InForce
    clock: Clock

    async def __call__(self, submission: Submission) -> Verdict:
        """Reach a verdict. An unexpected error is one, too: nothing but cancellation escapes."""
        try:
            assessment = await self.assessing.assess(submission)
        except Exception as error:  # noqa: BLE001 — what cannot be judged goes to review
            log.error("scan.error", error=type(error).__name__, frames=frames_of(error))  # noqa: TRY400 — no text of it
            assessment = Assessment(failure=Failure(kind="internal", code=type(error).__name__, attempts=0))
        return self.deciding.decide(submission, assessment, self.clock.wall())


class Stopping:
    """Whether a scan is to end before all is judged, and why."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._give_up: list[Callable[[], None]] = []

    def before(self, give_up: Callable[[], None]) -> None:
        """Call `give_up` when it begins."""
        self._give_up.append(give_up)

    def begin(self, reason: str) -> None:
        """Begin, unless it has begun."""
        if self.reason is None:
            self.reason = reason
            for give_up in self._give_up:
                give_up()

    def by_failure(self, error: OSError) -> None:
        """Begin because something cannot be written: what nobody gets is not to be paid for."""
        self.begin(f"the results cannot be written: {error.strerror or error}")


class Asking:
    """Has images judged, many at once."""

    def __init__(self, provider: Provider, judge: Judges, reading: Callable[[], Reading], clock: Clock) -> None:
        self._provider = provider
        self._judge = judge
        self._reading = reading
        self._clock = clock

    async def ask_all(
        self,
        submissions: AsyncIterator[tuple[Item, Submission]],
        told: Callable[[Item, Verdict], None],
        stopping: Stopping,
        patience: Patience,
    ) -> None:
        """Return once all are told, or once a stop has ended what was in flight."""
        stopping.before(self._provider.give_up_waiting)

        async def one(item: Item, submission: Submission) -> None:
            told(item, await self._judge(submission))

        watch = asyncio.create_task(self._watch(stopping, patience))
        try:
            async with asyncio.TaskGroup() as tasks:
                async for item, submission in submissions:
                    await self._provider.wait_for_capacity(())
                    if stopping.reason is not None:
                        break
                    tasks.create_task(one(item, submission))
                    await asyncio.sleep(0)  # it takes its place
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    async def _watch(self, stopping: Stopping, patience: Patience) -> None:
        while stopping.reason is None:
            await self._clock.sleep(LOOK)
            reason = patience.look(self._reading(), self._clock.now())
            if reason is not None:
                held_back = self._provider.reasons_not_ready()
                stopping.begin("; ".join([reason, *held_back]))


@contextlib.asynccontextmanager
async def open_asking(
    inputs: Inputs, found: Found, environment: Mapping[str, str], clock: Clock, seen: Seen | None, kept: Kept | None
) -> AsyncIterator[Asking]:
    """
    The service's layers, without its Kafka, around them what was `kept` of earlier answers.

    Raises:
        Misconfigured: a proxy or the authorities to trust cannot be read.
    """
    config, settings, credentials = inputs.config, inputs.policy.settings, inputs.credentials
    if credentials is None:
        raise Misconfigured(["there is no key"])
    counted = metrics.Metrics()
    metrics.count_in(counted)
    ways = Ways.of(config.provider, environment)
    async with (
        open_transport(config.provider.max_in_flight, ways) as transport,
        open_uploads(config, ways, environment, clock, always=True) as uploads,
    ):
        assert uploads is not None
        stamps = {item.source: item.stamp for item in found.items}
        files = FilesToo(uploads.sources, stamps, found.stdin, config.images.max_fetch_bytes, seen)
        provider = layers(
            config,
            keys_of(config.provider, credentials, clock),
            transport,
            clock,
            Untraced(),
            ConstantShare(inputs.qps),
            InFlight(clock),
            lambda partition, epoch: True,
            calls=lambda: settings.most_services,
            uploads=uploads._replace(sources=files),
        )
        moderator = provider.moderator
        if kept is not None:
            moderator = Remembering(moderator, kept, None if settings.asks_by_tenant else settings.services[-1])
        in_force = InForce(ReadyPolicy(inputs.policy))
        assessing = Assessing(
            moderator,
            in_force.ready,
            referer=config.provider.referer,
            privacy=config.privacy,
        )
        judge = Judge(assessing, in_force, clock)
        yield Asking(provider, judge, lambda: Reading.of(counted.registry), clock)


def submitted(item: Item, number: int, *, by_tenant: bool) -> Submission:
    """
    An item as the service's code has it: the one image of a message that no topic holds.

    `by_tenant` where what is asked differs by tenant and purpose.
    """
    now = time.time()
    return Submission(
        id=item.submitted_as(by_tenant=by_tenant),
        delivery=Delivery(
            topic="scan", partition=0, offset=number, timestamp=now, key=None, value=None, headers=(), received=now
        ),
        event_id=item.asked[:32],  # the same in another scan, so that a rollout takes the same images
        event_time="",
        tenant=item.tenant,
        purpose=item.purpose,
        subject=Subject(id=""),
        image=Image(id="0", size=item.stamp.size if item.stamp else None),
        of=1,
        location=ByUrl(item.source) if item.is_web and not item.by_upload else ByUpload(item.source),
    )
