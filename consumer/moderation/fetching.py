"""
Fetching images that are to be uploaded: so many at once, and so many bytes of them; and whose fault it is where one
cannot be fetched.
"""

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from consumer.clock import Clock
from consumer.dispatch.concurrency import SLOTS_OF_WORKERS, ConcurrencyLimit
from consumer.dispatch.flows import Flow
from consumer.dispatch.gate import GrantRevoked
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import (
    AccountRefused,
    CallFailed,
    ImageRefused,
    NotFetchable,
    StoreAway,
    StoreBusy,
    Unavailable,
    Unreachable,
    WorkersAway,
)
from consumer.images.errors import NotFetched
from consumer.images.formats import format_of, problem_of
from consumer.images.frames import frames_in
from consumer.images.held import BytesHeld, Room
from consumer.images.preparing import Job, NotPrepared, Picture, Prepared, WorkerNotStarted
from consumer.images.preparing.plan import NOTHING, Wanted, is_mended, job_for
from consumer.locations import ByUpload, StoredObject
from consumer.moderation import CallContext, ModerationRequest, Moderator
from consumer.moderation.origins import Origin, Origins, Turn
from consumer.moderation.retries import BUSY_ATTEMPTS
from consumer.observability import metrics
from consumer.records import ModerationResult

_AT_ONCE = 65_536  # bytes that are read in a fraction of a millisecond
_STATUS = re.compile(r"http_(\d)\d\d")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


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


class Preparer(Protocol):
    """Makes pictures of images that are not uploaded as they are."""

    def prepared(self, data: bytes, job: Job) -> contextlib.AbstractAsyncContextManager[Prepared]:
        """Hold what is made of a file. `NotPrepared` escapes where nothing can be, `WorkerNotStarted` where not now."""
        ...


@dataclass(frozen=True, slots=True)
class FetchedImage:
    """The pictures that an image is uploaded as, which is mostly itself, and what is told of it."""

    pictures: tuple[Picture, ...]
    sha256: str
    frames: int | None
    scaled: bool = False


@dataclass(frozen=True, slots=True)
class _Looked:
    """What is told of an image: its format, such as `jpeg`, and what the provider has against it."""

    format_name: str
    problem: str | None
    sha256: str
    frames: int | None


class Fetching:
    """Fetches images, so many at once and so many bytes of them, and looks whether the provider would take them."""

    def __init__(
        self, fetcher: ImageFetcher, limit: ConcurrencyLimit, held: BytesHeld, origins: Origins | None = None,
        wanted: Wanted = NOTHING, preparing: Preparer | None = None, workers: ConcurrencyLimit | None = None,
    ) -> None:  # fmt: skip
        """`preparing` does what is `wanted` of images that are not uploaded as they are, by `workers`."""
        self._wanted = wanted
        self._preparing = preparing
        self._workers = workers or ConcurrencyLimit(1, shown=SLOTS_OF_WORKERS)
        self._fetcher = fetcher
        self._limit = limit
        self._held = held
        self._origins = origins or Origins()
        self._probing: set[str] = set()  # regions for whose temporary store's sake an image is decoded

    @contextlib.asynccontextmanager
    async def fetched(self, source: str | StoredObject, call: CallContext) -> AsyncIterator[FetchedImage]:
        """
        Hold an image's bytes. Who waits for a worker holds them too, but not while the temporary store is away.

        Raises:
            GrantRevoked: the temporary store is away, so that they would be held for nothing; it is chosen again.
            Unreachable: it could not be fetched, and another attempt may.
            NotFetchable: another attempt would fail as well.
            StoreAway, AccountRefused: its store fails, or refuses this service.
            ImageRefused: the provider would not take it; it is not asked.
        """
        flow = call.slot.flow if call.slot is not None else Flow()
        async with self._limit.slot(call.lane, flow, first=call.paid):
            with self._held.room() as room:
                data = await self._fetch(source, room, call)
                found = await _looked_at(data, call, self._wanted)
                job = job_for(found.format_name, found.problem, found.frames, self._wanted)
                if job is None or self._preparing is None:
                    yield FetchedImage((Picture(data, found.format_name),), found.sha256, found.frames)
                    return
                # Images that are decoded for long are mostly somebody's: those of others have the next worker.
                worker = self._workers.slot(call.lane, flow, first=call.paid)
                with self._for_the_store(call) as until_decoded:
                    async with worker as busy:
                        if call.store_permit is not None and not call.store_permit.is_valid:
                            raise GrantRevoked
                        async with _prepared(self._preparing, data, job, call) as made:
                            busy.give_back()
                            until_decoded.close()
                            pictures = made.pictures or (Picture(data, found.format_name),)
                            if made.pictures:
                                del data
                                room.shrink(0)
                            yield FetchedImage(pictures, found.sha256, made.frames, made.scaled)

    @contextlib.contextmanager
    def _for_the_store(self, call: CallContext) -> Iterator[contextlib.ExitStack]:
        """
        While a region's temporary store is away have one image decoded at a time that is to probe it, until the stack
        is closed: others would wait for a worker with their bytes. `GrantRevoked` escapes for those.
        """
        with contextlib.ExitStack() as until_decoded:
            if call.store_permit is not None and call.store_permit.probes:
                if call.region in self._probing:
                    raise GrantRevoked
                self._probing.add(call.region)
                until_decoded.callback(self._probing.discard, call.region)
            yield until_decoded

    async def _fetch(self, source: str | StoredObject, room: Room, call: CallContext) -> bytes:
        origins = self._origins.of(source)
        _must_be_asked(origins, call)
        try:
            with _asked(origins):
                data = await self._fetcher.fetch(source, room)
            for origin in origins:
                origin.gave()
        except (NotFetched, AccountRefused) as error:
            failure = error if isinstance(error, AccountRefused) else _failure(error, source)
            metrics.IMAGES_FETCHED.labels(_outcome(error)).inc()
            if isinstance(failure, Unavailable):
                await self._failed(source, origins, error, failure, call)
            elif isinstance(error, NotFetched) and error.answered:
                for origin in origins:
                    origin.gave()
            try:
                raise failure from error.__cause__
            finally:
                del failure  # or it and this frame would hold each other
        finally:
            if call.turn is not None:
                call.turn.end()
        metrics.IMAGES_FETCHED.labels("ok").inc()
        return data

    async def _failed(
        self, source: str | StoredObject, origins: Sequence[Origin], error: NotFetched | AccountRefused,
        failure: Unavailable, call: CallContext,
    ) -> None:  # fmt: skip
        """
        Note a failure that is the origin's until others were answered since: in a bucket where few objects are read,
        one that fails again has another one asked for.
        """
        call.others_answered = 0
        if not origins:
            return
        origin, is_up = origins[0], isinstance(error, NotFetched) and error.code == "proxy" and error.answered
        # Those on their way may have been let in before what is wrong began: only later ones count.
        first = call.first_departures.setdefault(origin.name, origin.answered + origin.in_flight)
        if isinstance(source, StoredObject):
            if await self._gives_another(source, failure, call):
                origin.gave()
            else:
                origin.failed(failure.code)
            if failure.code == "proxy" and not is_up:
                origins[-1].failed(failure.code)
        elif not is_up:  # a proxy that says that it cannot reach a host is there
            origin.failed(failure.code)
        call.others_answered = max(0, origin.answered - first)

    async def _gives_another(self, source: StoredObject, failure: Unavailable, call: CallContext) -> bool:
        is_first = call.throttled < BUSY_ATTEMPTS if isinstance(failure, StoreBusy) else call.attempt == 1
        if is_first:
            return False
        return await self._origins.gives_another(source, is_refused=isinstance(failure, AccountRefused))


class InTurn:
    """A `Moderator` that has an image which must be fetched wait for its turn, with nothing, while its origin fails."""

    def __init__(self, inner: Moderator, origins: Origins, waits: InterruptibleWaits, clock: Clock) -> None:
        self._inner = inner
        self._origins = origins
        self._waits = waits
        self._clock = clock

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        location = request.location
        if not isinstance(location, ByUpload) or call.copies.any(self._clock.now(), location.nth):
            return await self._inner.ask(request, call)
        with Turn() as turn:
            await turn.take(self._origins.of(location.source), self._waits, first=call.paid)
            call.turn = turn
            return await self._inner.ask(request, call)


@contextlib.contextmanager
def _asked(origins: Sequence[Origin]) -> Iterator[None]:
    for origin in origins:
        origin.in_flight += 1
    try:
        yield
    finally:
        for origin in origins:
            origin.in_flight -= 1


def _must_be_asked(origins: Sequence[Origin], call: CallContext) -> None:
    """Raise where an origin has failed since the image had its turn, or where it had none, and few may try."""
    for origin in origins:
        if not origin.may_be_asked():
            call.others_answered = 0
            raise StoreBusy(origin.code or "", detail=f"{origin.name} fails, and others try")


def _outcome(error: NotFetched | AccountRefused) -> str:
    """The metric's word. A host can answer with any status: it knows hundreds only."""
    return _STATUS.sub(r"http_\1xx", error.code) if isinstance(error, NotFetched) else "refused"


def _failure(error: NotFetched, source: str | StoredObject) -> CallFailed:
    """An outage of a store of ours is no image's fault; a host that strangers name may be."""
    if error.code == "too_large":
        return ImageRefused(error.code)
    if error.again and (isinstance(source, StoredObject) or error.code == "proxy"):  # it is away for every image
        return (StoreBusy if error.throttled else StoreAway)(error.code, detail=error.detail)
    return (Unreachable if error.again else NotFetchable)(error.code, detail=error.detail)


async def _looked_at(data: bytes, call: CallContext, wanted: Wanted) -> _Looked:
    """Raise where the provider would refuse the image for good, or where it is another than the event says."""
    format_name, problem, copies = format_of(data) or "", problem_of(data), call.copies
    if problem is not None and not is_mended(problem, format_name, wanted):
        raise ImageRefused(problem)
    # Of megabytes this takes milliseconds.
    sha256, frames = (
        await asyncio.to_thread(_read, data, format_name) if len(data) > _AT_ONCE else _read(data, format_name)
    )
    claimed = copies.claimed_sha256
    is_as_claimed = claimed is None or not _SHA256.fullmatch(claimed) or claimed.lower() == sha256
    if not is_as_claimed or any(copy.sha256 != sha256 for copy in copies.judged):
        raise NotFetchable("changed")
    return _Looked(format_name, problem, sha256, frames)


@contextlib.asynccontextmanager
async def _prepared(preparing: Preparer, data: bytes, job: Job, call: CallContext) -> AsyncIterator[Prepared]:
    """Hold what is made of an image. `ImageRefused` escapes where nothing can be, `WorkersAway` where not now."""
    try:
        async with preparing.prepared(data, job) as prepared:
            del data
            metrics.IMAGES_PREPARED.labels("ok").inc()
            yield prepared
    except NotPrepared as error:
        metrics.IMAGES_PREPARED.labels(error.code).inc()
        raise ImageRefused(error.code) from None
    except WorkerNotStarted as error:
        metrics.IMAGES_PREPARED.labels("not_started").inc()
        call.others_answered = 0  # it is so for every image
        raise WorkersAway("not_started", detail=str(error)) from error


def _read(data: bytes, format_name: str) -> tuple[str, int | None]:
    return hashlib.sha256(data).hexdigest(), frames_in(data, format_name)
