"""
Images that the provider cannot fetch: this service does, and uploads them to the provider's temporary store.

    Regions chose a region ──► fetch ──► upload to its store
    Regions chose it again ──► ask about the copy ──► (pace) ──► the call

Token, copy and call belong to one region. The image's bytes are held from its fetching to the end of its upload, and
by nothing that waits for the provider: an image is fetched only once its region may be asked, and where it must wait
after that, the copy waits. Fetching takes no call's slot, no permit of the service's, and no moment of the pace.
"""

import asyncio
import contextlib
import hashlib
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from consumer.clock import Clock
from consumer.dispatch.concurrency import ConcurrencyLimit
from consumer.dispatch.flows import Flow
from consumer.dispatch.gate import GrantRevoked
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import (
    AccountRefused,
    CallFailed,
    CopyUnreachable,
    ImageRefused,
    NotFetchable,
    StoreAway,
    Unavailable,
    Unreachable,
)
from consumer.images.errors import NotFetched
from consumer.images.formats import format_of, problem_of
from consumer.images.frames import frames_in
from consumer.images.held import BytesHeld, Room
from consumer.moderation import CallContext, ModerationRequest, Moderator
from consumer.moderation.copies import ASKED_ABOUT, Copy
from consumer.moderation.regions import STORE, reported
from consumer.observability import metrics
from consumer.records import ByObject, ByUpload, ByUrl, ModerationResult, StoredObject

_AT_ONCE = 65_536  # bytes that are read in a fraction of a millisecond
_STATUS = re.compile(r"http_(\d)\d\d")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class TemporaryStore(Protocol):
    """A region's store for images that are to be judged."""

    async def put(self, image: bytes, format_name: str) -> ByObject:
        """Upload an image of a format such as `jpeg`. `CallFailed` escapes; nothing is billed."""
        ...


class ImageFetcher(Protocol):
    """Fetches images."""

    async def fetch(self, source: str | StoredObject, room: Room) -> bytes:
        """
        Fetch what is at a URL, or an object, once `room` for it was taken.

        Raises:
            NotFetched: saying why, and whether another try may help.
            AccountRefused: the object's store refuses this service, which is no image's fault.
        """
        ...


@dataclass(frozen=True, slots=True)
class FetchedImage:
    """An image's bytes, their format, such as `jpeg`, and what is told of them."""

    data: bytes = field(repr=False)
    format_name: str
    sha256: str
    frames: int | None


@dataclass(slots=True)
class _Place:
    """A bucket of a store: of how many of its images it gave bytes or said something, and how many are on their way."""

    answered: int = 0
    in_flight: int = 0

    @contextlib.contextmanager
    def asked(self) -> Iterator[None]:
        """Ask for one."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1


class Fetching:
    """Fetches images, so many at once and so many bytes of them, and looks whether the provider would take them."""

    def __init__(self, fetcher: ImageFetcher, limit: ConcurrencyLimit, held: BytesHeld) -> None:
        self._fetcher = fetcher
        self._limit = limit
        self._held = held
        self._places: dict[str, _Place] = defaultdict(_Place)

    @contextlib.asynccontextmanager
    async def fetched(self, source: str | StoredObject, call: CallContext) -> AsyncIterator[FetchedImage]:
        """
        Hold an image's bytes.

        Raises:
            Unreachable: it could not be fetched, and another attempt may.
            NotFetchable: another attempt would fail as well.
            StoreAway, AccountRefused: its store fails, or refuses this service.
            ImageRefused: the provider would not take it; it is not asked.
        """
        flow = call.slot.flow if call.slot is not None else Flow()
        async with self._limit.slot(call.lane, flow, first=call.paid):
            with self._held.room() as room:
                yield await _looked_at(await self._fetch(source, room, call), call)

    async def _fetch(self, source: str | StoredObject, room: Room, call: CallContext) -> bytes:
        place = self._places[_place(source)]
        try:
            with place.asked():
                data = await self._fetcher.fetch(source, room)
        except (NotFetched, AccountRefused) as error:
            failure = error if isinstance(error, AccountRefused) else _failure(error, source)
            metrics.IMAGES_FETCHED.labels(_outcome(error)).inc()
            if isinstance(failure, Unavailable):
                # Those on their way may have been let in before what is wrong began: only later ones count.
                first = call.first_departures.setdefault(_place(source), place.answered + place.in_flight)
                call.others_answered = max(0, place.answered - first)
            else:
                place.answered += 1
            raise failure from error.__cause__
        metrics.IMAGES_FETCHED.labels("ok").inc()
        place.answered += 1
        return data


def _outcome(error: NotFetched | AccountRefused) -> str:
    """The metric's word. A host can answer with any status: it knows hundreds only."""
    return _STATUS.sub(r"http_\1xx", error.code) if isinstance(error, NotFetched) else "refused"


def _place(source: str | StoredObject) -> str:
    """Whose answers are counted together: a bucket's, and those of all hosts."""
    return f"store {source.store}/{source.bucket}" if isinstance(source, StoredObject) else "hosts"


def _failure(error: NotFetched, source: str | StoredObject) -> CallFailed:
    """An outage of a store of ours is no image's fault; a host that strangers name may be."""
    if error.code == "too_large":
        return ImageRefused(error.code)
    if error.again and (isinstance(source, StoredObject) or error.code == "proxy"):  # it is away for every image
        return StoreAway(error.code, detail=error.detail)
    return (Unreachable if error.again else NotFetchable)(error.code, detail=error.detail)


async def _looked_at(data: bytes, call: CallContext) -> FetchedImage:
    """Raise where the provider would refuse the image, or where it is another than the event says."""
    if (problem := problem_of(data)) is not None:
        raise ImageRefused(problem)
    format_name, copies = format_of(data) or "", call.copies
    # Of megabytes this takes milliseconds.
    sha256, frames = (
        await asyncio.to_thread(_read, data, format_name) if len(data) > _AT_ONCE else _read(data, format_name)
    )
    claimed = copies.claimed_sha256
    is_as_claimed = claimed is None or not _SHA256.fullmatch(claimed) or claimed.lower() == sha256
    if not is_as_claimed or any(copy.sha256 != sha256 for copy in copies.judged):
        raise NotFetchable("changed")
    return FetchedImage(data, format_name, sha256, frames)


def _read(data: bytes, format_name: str) -> tuple[str, int | None]:
    return hashlib.sha256(data).hexdigest(), frames_in(data, format_name)


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
        try:
            answer = await self._inner.ask(replace(request, location=location.or_upload), call)
        finally:
            call.attempt += before
        return replace(answer, attempts=answer.attempts + before)
