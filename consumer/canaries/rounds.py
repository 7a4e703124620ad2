"""
Ask about every canary once in an interval, by every service in every region, and say so where one is answered wrongly.

Whoever owns the first topic's first partition does it, so that one replica of the group does; it begins when it gets
the partition. What is said of an image holds until it is asked about again.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from math import inf
from typing import NamedTuple

import structlog

from consumer import background
from consumer.canaries.asking import Asker, CanaryCalls
from consumer.canaries.expectations import Result, Told
from consumer.clock import Clock
from consumer.config.safety_nets import CanariesSettings, CanaryImage
from consumer.errors import Lost
from consumer.observability import metrics
from consumer.observability.harmless import harmless
from consumer.observability.tracebacks import frames_of

log = structlog.get_logger()

LOOK = 1.0  # seconds after which it is looked again whether a round is due, and whose it is


class Question(NamedTuple):
    """An image, and who is asked about it."""

    canary: CanaryImage
    service: str
    region: str


class Canaries:
    """The canaries of one replica, which asks about them while it has the partition."""

    def __init__(
        self,
        settings: CanariesSettings,
        calls: CanaryCalls,
        services: Callable[[], Sequence[str]],
        asker: Callable[[], Asker | None],
        clock: Clock,
    ) -> None:
        """`services` are all that some upload is asked about; `asker` is None while another replica is to ask."""
        self._settings = settings
        self._calls = calls
        self._services = services
        self._asker = asker
        self._clock = clock
        self._due = -inf
        self._epoch: int | None = None  # in which the latest round began
        self._wrong: dict[Question, Told] = {}

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Ask until the context ends, where there is any canary."""
        if not self._settings.images:
            yield
            return
        async with background.running(self._run(), "canaries"):
            yield

    def degraded(self) -> list[str]:
        """Say which images are answered as they should not be."""
        return [] if self._asker() is None else [_reason(asked, told) for asked, told in self._wrong.items()]

    async def _run(self) -> None:
        while True:
            asker = self._asker()
            if asker is not None and self._is_due(asker.epoch):
                self._due = self._clock.now() + self._settings.interval
                with contextlib.suppress(Lost):
                    await self._round(asker)
            self._show()
            wait = LOOK if asker is None else min(LOOK, max(0.0, self._due - self._clock.now()))
            await self._clock.sleep(wait)

    def _is_due(self, epoch: int) -> bool:
        if epoch != self._epoch:
            self._epoch, self._due = epoch, -inf
            self._wrong.clear()
        return self._clock.now() >= self._due

    async def _round(self, asker: Asker) -> None:
        services = self._services()
        for asked in [asked for asked in self._wrong if asked.service not in services]:
            del self._wrong[asked]
        for canary in self._settings.images:
            for service in services:
                for region in self._calls.regions:
                    asked = Question(canary, service, region)
                    self._note(asked, await self._ask(asked, asker))

    async def _ask(self, asked: Question, asker: Asker) -> Told:
        try:
            return await self._calls.ask(*asked, asker)
        except Lost:
            raise
        except Exception as error:  # noqa: BLE001 — a bug must not end what would notice others
            metrics.UNFORESEEN.inc()
            with harmless("log"):
                log.error("canary.unexpected_error", error=type(error).__name__, frames=frames_of(error))  # noqa: TRY400
            return Told(Result.UNANSWERED, code=type(error).__name__)

    def _note(self, asked: Question, told: Told) -> None:
        name = asked.canary.name
        metrics.CANARIES.labels(name, asked.service, asked.region, told.result.value).inc()
        before = self._wrong.get(asked)
        if told.result.is_wrong:
            self._wrong[asked] = told
        elif told.result is Result.AS_EXPECTED:
            self._wrong.pop(asked, None)
        self._show()
        about = {"canary": name, "service": asked.service, "region": asked.region}
        with harmless("log"):
            if told.result is Result.UNANSWERED:
                log.warning("canary.unanswered", **about, code=told.code)
            elif told.result.is_wrong and (before is None or before.result is not told.result):
                log.error(f"canary.{told.result.value}", **about, answered=told.level)
            elif before is not None and not told.result.is_wrong:
                log.info("canary.as_expected", **about, answered=told.level)

    def _show(self) -> None:
        wrong = {} if self._asker() is None else self._wrong
        for result in (Result.MISSED, Result.FLAGGED):
            count = sum(told.result is result for told in wrong.values())
            metrics.CANARIES_WRONG.labels(result.value).set(count)


def _reason(asked: Question, told: Told) -> str:
    name, where = asked.canary.name, f"{asked.service} in {asked.region}"
    if told.result is Result.MISSED:
        return f"canaries: {name} is known to be bad, and {where} answers {told.level}: see which items are switched on"
    return f"canaries: {name} is known to be good, and {where} answers {told.level}"
