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
from consumer.images.preparing import Picture
from consumer.locations import ByObject, ByUpload, ByUrl
from consumer.moderation import CallContext, ModerationRequest, Moderator
from consumer.moderation.breaker import Permit
from consumer.moderation.copies import ASKED_ABOUT, Copies, Copy
from consumer.moderation.fetching import FetchedImage, Fetching
from consumer.moderation.regions import STORE, reported
from consumer.observability import metrics
from consumer.records import ModerationResult


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
        wanted = request.location
        if not isinstance(wanted, ByUpload):
            return await self._inner.ask(request, call)
        copy = call.copies.in_region(self._region, self._clock.now(), wanted.nth)
        if copy is not None and not call.copies.goes_with(copy):
            call.copies.forget(self._region, wanted.nth)
            copy = None
        if copy is None or call.permit is None:
            await self._upload(wanted, call)
            if wanted.nth >= call.copies.pictures:  # it never will be there
                raise NotFetchable("changed")
            raise GrantRevoked
        try:
            answer = await self._inner.ask(replace(request, location=copy.location), call)
        except CopyUnreachable:  # the store may have lost it
            call.copies.forget(self._region, wanted.nth)
            raise
        call.copies.judged.append(copy)
        return answer if copy.frame is None else answer._replace(frame=copy.frame)

    async def _upload(self, wanted: ByUpload, call: CallContext) -> None:
        permit = call.store_permit
        if permit is None:  # the copy has become too old since the region was chosen
            return
        if call.slot is not None:
            call.slot.give_back()
        with contextlib.nullcontext() if call.paid else self._waits.interruptible():
            async with call.uploading:
                if call.copies.in_region(self._region, self._clock.now(), wanted.nth) is None:
                    await self._fetch_and_put(wanted, permit, call)

    async def _fetch_and_put(self, wanted: ByUpload, permit: Permit, call: CallContext) -> None:
        try:
            async with self._fetching.fetched(wanted.source, call) as image:
                with reported(permit, call, f"{self._region}: {STORE}", self._clock):
                    await self._put_all(image, call.copies)
        except (NotFetchable, Unreachable):
            if not call.copies.any(self._clock.now(), wanted.nth):
                raise
            call.copies.only_these = True  # what another region has is all that is left to ask about

    async def _put_all(self, image: FetchedImage, copies: Copies) -> None:
        """Put each picture of which the region has no copy, or one of another file."""
        copies.pictures = len(image.pictures)
        for nth, picture in enumerate(image.pictures):
            now = self._clock.now()
            known = copies.in_region(self._region, now, nth)
            if known is None or known.sha256 != image.sha256:
                stored = await self._put(picture)
                copy = Copy(stored, now + ASKED_ABOUT, image.sha256, image.frames, picture.frame, image.scaled)
                copies.add(self._region, copy, nth)

    async def _put(self, picture: Picture) -> ByObject:
        try:
            stored = await self._store.put(picture.data, picture.format_name)
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
            now = self._clock.now()
            if not call.copies.holds(self._region, location, now):
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
        call.failures.clear()
        try:
            answer = await self._inner.ask(replace(request, location=location.or_upload), call)
        finally:
            call.attempt += before
        return answer._replace(attempts=answer.attempts + before)
