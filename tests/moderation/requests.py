"""Requests to ask, and a moderator that answers them as it is told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from consumer.clock import Clock
from consumer.dispatch.quota import Share
from consumer.errors import CallFailed
from consumer.locations import ByUrl
from consumer.moderation import CallContext, ModerationRequest
from consumer.records import Label, ModerationResult, Partition

PARTITION = Partition("uploads", 0)


def request(data_id: str = "image-1", url: str = "https://img.example.com/1.jpg") -> ModerationRequest:
    return ModerationRequest(submission=data_id, location=ByUrl(url), service="baselineCheck_global")


def context(**changes: Any) -> CallContext:
    """Who asks: a message of `PARTITION`."""
    return CallContext(partition=PARTITION, **changes)


def answer(service: str = "baselineCheck_global") -> ModerationResult:
    """An answer that found nothing."""
    return ModerationResult(service=service, request_id="R", risk_level="none", labels=(Label("nonLabel"),))


@dataclass
class GivenShares:
    """Shares that a test gives and takes; a new lease each time."""

    by_lane: Mapping[str, int]
    lease: int = 0
    ends: float = inf

    def share(self, now: float) -> Share:
        return Share(self.by_lane, inf, self.lease)

    def give(self, **by_lane: int) -> None:
        self.by_lane = by_lane
        self.lease += 1


class ScriptedModerator:
    """Fails as often as it has failures left, then answers; notes when it was asked. Each call takes `latency`."""

    def __init__(
        self, clock: Clock, failures: list[Callable[[], CallFailed]] | None = None, latency: float = 0.0
    ) -> None:
        self._clock = clock
        self._failures = failures or []
        self._latency = latency
        self.asked_at: list[float] = []
        self.asked: list[str] = []
        self.in_flight = 0
        self.most_in_flight = 0

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        if call.before_sending:
            call.before_sending()
        if call.after_sending:
            call.after_sending()
        self.asked_at.append(self._clock.now())
        self.asked.append(request.submission)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self._latency:
                await self._clock.sleep(self._latency)
            if self._failures:
                raise self._failures.pop(0)()
            return answer(request.service)
        finally:
            self.in_flight -= 1
