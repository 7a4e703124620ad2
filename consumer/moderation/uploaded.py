"""
Images that the provider cannot fetch: this service does, and uploads them to the provider's temporary store.

    Regions chose a region ──► fetch ──► upload to its store
    Regions chose it again ──► ask about the copy ──► (pace) ──► the call

Token, copy and call belong to one region. The image's bytes are held from its fetching to the end of its upload, and
by nothing that waits for the provider: an image is fetched only once its region may be asked, and where it must wait
after that, the copy waits. Fetching takes no call's slot, no permit of the service's, and no moment of the pace.
"""

import contextlib
from dataclasses import replace
from typing import Protocol

from consumer.clock import Clock
from consumer.dispatch.gate import GrantRevoked
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import (
    CallFailed,
    CopyUnreachable,
    NotFetchable,
    Unreachable,
)
from consumer.moderation import CallContext, ModerationRequest, Moderator
from consumer.moderation.copies import ASKED_ABOUT, Copy
from consumer.moderation.fetching import FetchedImage, Fetching
from consumer.moderation.regions import STORE, reported
from consumer.observability import metrics
from consumer.records import ByObject, ByUpload, ByUrl, ModerationResult, StoredObject


class TemporaryStore(Protocol):
    """A region's store for images that are to be judged."""

    async def put(self, image: bytes, format_name: str) -> ByObject:
        """Upload an image of a format such as `jpeg`. `CallFailed` escapes; nothing is billed."""
        ...


class Uploaded:
    """
    A `Moderator` that asks about the copy in its region's temporary store, where the image must be uploaded.

    Where there is no copy yet it uploads one, under the permit of the store, and `GrantRevoked` escapes: the region is
    chosen again, now for the call.
    """

    def __init__(
        self, inner: Moderator, region: str, store: TemporaryStore, fetching: Fetching, waits: InterruptibleWaits,
        clock: Clock,
    ) -> None:  # fmt: skip
        self._inner = inner
        self._region = region
        self._store = store
        self._fetching = fetching
        self._waits = waits
        self._clock = clock

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        if not isinstance(request.location, ByUpload):
            return await self._inner.ask(request, call)
        copy = call.copies.in_region(self._region, self._clock.now())
        if copy is None or call.permit is None:
            await self._upload(request.location.source, call)
            raise GrantRevoked
        try:
            answer = await self._inner.ask(replace(request, location=copy.location), call)
        except CopyUnreachable:  # the store may have lost it
            call.copies.forget(self._region)
            raise
        call.copies.judged.append(copy)
        return answer

    async def _upload(self, source: str | StoredObject, call: CallContext) -> None:
        permit = call.store_permit
        if permit is None:  # the copy has become too old since the region was chosen
            return
        if call.slot is not None:
            call.slot.give_back()
        with contextlib.nullcontext() if call.paid else self._waits.interruptible():
            try:
                async with self._fetching.fetched(source, call) as image:
                    with reported(permit, call, f"{self._region}: {STORE}", self._clock):
                        until = self._clock.now() + ASKED_ABOUT
                        stored = await self._put(image)
                        call.copies.add(self._region, Copy(stored, until, image.sha256, image.frames))
            except (NotFetchable, Unreachable):
                if not call.copies.any(self._clock.now()):
                    raise
                call.copies.only_these = True  # what another region has is all that is left to ask about

    async def _put(self, image: FetchedImage) -> ByObject:
        try:
            stored = await self._store.put(image.data, image.format_name)
        except CallFailed as error:
            metrics.UPLOADS.labels(self._region, error.kind).inc()
            raise
        metrics.UPLOADS.labels(self._region, "ok").inc()
        return stored


class CopiesKept:
    """A `Moderator` that lets no call depart about a copy that has become too old while it waited for its moment."""

    def __init__(self, inner: Moderator, region: str, clock: Clock) -> None:
        self._inner = inner
        self._region = region
        self._clock = clock

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        location = request.location
        if isinstance(location, ByObject) and location.region is None:
            copy = call.copies.in_region(self._region, self._clock.now())
            if copy is None or copy.location != location:
                raise GrantRevoked
        return await self._inner.ask(request, call)


class OrUploaded:
    """
    A `Moderator` that has an image uploaded which the provider cannot fetch, where its binding says so.

    The two ways have attempts of their own; the answer, or the failure, counts those of both.
    """

    def __init__(self, inner: Moderator) -> None:
        self._inner = inner

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        try:
            return await self._inner.ask(request, call)
        except Unreachable:
            location = request.location
            if not isinstance(location, ByUrl | ByObject) or location.or_upload is None:
                raise
        before, call.attempt, call.received = call.attempt, 1, None
        call.unreachable = call.throttled = 0
        try:
            answer = await self._inner.ask(replace(request, location=location.or_upload), call)
        finally:
            call.attempt += before
        return replace(answer, attempts=answer.attempts + before)
