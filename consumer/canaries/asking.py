"""
Ask about one canary, once. It is counted and billed as any call is, and nobody is told but the operator.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from consumer.canaries.expectations import Result, Told, location_of, told_by
from consumer.config.safety_nets import CanaryImage
from consumer.errors import CallFailed
from consumer.fairness import DEFAULT
from consumer.images.formats import format_of
from consumer.locations import ByObject, ByUrl
from consumer.moderation import CallContext, ModerationRequest
from consumer.moderation.apart import Apart, HeldBack
from consumer.moderation.retries import count_failure
from consumer.observability import metrics
from consumer.records import Partition
from consumer.vendor_facts.images import MOST_BYTES


class Asker(NamedTuple):
    """In whose name a call is made: who has the partition in the epoch may call."""

    partition: Partition
    epoch: int
    lane: str = DEFAULT


class Unreadable(Exception):
    """A canary's file cannot be read, or is no image."""


class CanaryCalls:
    """Asks about canaries, region by region."""

    def __init__(self, regions: Mapping[str, Apart], referer: str | None = None) -> None:
        """`referer` is that of calls about uploads."""
        self._regions = regions
        self._referer = referer

    @property
    def regions(self) -> tuple[str, ...]:
        """Those that can be asked."""
        return tuple(self._regions)

    async def ask(self, canary: CanaryImage, service: str, region: str, asker: Asker) -> Told:
        """Say what came of it. Of `errors.py` only `Lost` escapes."""
        try:
            return await self._ask(canary, service, self._regions[region], asker)
        except HeldBack:
            return Told(Result.UNANSWERED, code="breaker_open")
        except Unreadable as error:
            return Told(Result.UNANSWERED, code=str(error))
        except CallFailed as error:
            count_failure(error)
            return Told(Result.UNANSWERED, code=f"{error.kind} {error.code}")

    async def _ask(self, canary: CanaryImage, service: str, region: Apart, asker: Asker) -> Told:
        request = ModerationRequest(
            submission=f"canary-{canary.name}",
            location=await self._located(canary, region),
            service=service,
            referer=self._referer,
        )
        call = CallContext(partition=asker.partition, epoch=asker.epoch, lane=asker.lane)
        answer = await region.ask(request, call)
        metrics.CALLS_BILLED.inc(answer.billed)
        return told_by(answer, canary)

    async def _located(self, canary: CanaryImage, region: Apart) -> ByUrl | ByObject:
        if (location := location_of(canary)) is not None:
            return location
        assert canary.file is not None
        data = await asyncio.to_thread(_read, canary.file)
        if (format_name := format_of(data)) is None:
            raise Unreadable("file: is no image")
        return await region.store.put(data, format_name)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Unreadable(f"file: {error.strerror or type(error).__name__}") from None
    if len(data) > MOST_BYTES:
        raise Unreadable("file: is larger than the provider takes")
    return data
