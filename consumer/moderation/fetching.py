"""
Fetching images that are to be uploaded: so many at once, and so many bytes of them; and whose fault it is where one
cannot be fetched.
"""

import asyncio
import contextlib
import hashlib
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from consumer.dispatch.concurrency import ConcurrencyLimit
from consumer.dispatch.flows import Flow
from consumer.errors import (
    AccountRefused,
    CallFailed,
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
from consumer.moderation import CallContext
from consumer.observability import metrics
from consumer.records import StoredObject

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
