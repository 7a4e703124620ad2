"""
What was asked of the provider, and what it would charge for.

Two records of the same calls: a log of the last ones, in order of arrival, and totals over all of them. Both begin
anew when cleared, with the calls still in progress. Nothing here is a secret: no query of a URL, no credential.
"""

import time
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import JsonValue

METERED: Final = "ImageModeration"
"""The action whose arrivals are counted by the second: the one that has the account's quota."""

SCAN_ACTIONS: Final[Mapping[str, str]] = {
    "/green/image/scan": "ImageSyncScan",
    "/green/image/asyncscan": "ImageAsyncScan",
    "/green/image/results": "ImageAsyncScanResults",
    "/green/image/feedback": "ImageScanFeedback",
    "/green/credentials/uploadcredentials": "UploadCredentials",
}
"""The actions of the 1.0 API by their paths, as its SDK names them."""

MAX_IMAGES: Final = 500_000
"""How many billed images are remembered to notice one billed again. The oldest are forgotten, and counted."""

_EPOCH: Final = time.time() - time.monotonic()


def arrival_now() -> float:
    """Unix seconds that never step, so that a correction of the wall clock moves no window."""
    return _EPOCH + time.monotonic()


@dataclass(slots=True, kw_only=True)
class TaskSeen:
    """One image of a call of the 1.0 API. `billed` counts the scenes that are charged."""

    data_id: str | None
    image: str | None
    scenes: tuple[str, ...]
    code: int | None = None
    billed: int = 0

    def json(self) -> dict[str, JsonValue]:
        """As a part of a line of the log."""
        return {
            "data_id": self.data_id,
            "image": self.image,
            "scenes": list(self.scenes),
            "code": self.code,
            "billed": self.billed,
        }

    def subjects(self) -> Iterator[int]:
        """A hash of each thing that is paid for once: a scene's look at one `dataId`, or at one image without one."""
        return (hash((scene, self.data_id or self.image)) for scene in self.scenes)


@dataclass(slots=True, eq=False, kw_only=True)
class Call:
    """
    One request. What is unknown, or not answered yet, is None. `arrival` and `ended` are in unix seconds.

    A call of the 1.0 API has `tasks`; its `data_id` and `image` are those of its only task.
    """

    arrival: float
    region: str
    host: str
    action: str | None = None
    service: str | None = None
    data_id: str | None = None
    image: str | None = None
    http_status: int | None = None
    code: int | str | None = None
    billed: bool = False
    tasks: tuple[TaskSeen, ...] = ()
    ended: float | None = None  # when it was answered, or given up

    def json(self) -> dict[str, JsonValue]:
        """As a line of the log, arrival to the microsecond. Of the 1.0 API `billed` counts images × scenes."""
        tasks: dict[str, JsonValue] = {"tasks": [task.json() for task in self.tasks]} if self.tasks else {}
        return {
            "arrival": round(self.arrival, 6),
            "region": self.region,
            "host": self.host,
            "action": self.action,
            "service": self.service,
            "data_id": self.data_id,
            "image": self.image,
            "http_status": self.http_status,
            "code": self.code,
            "billed": sum(task.billed for task in self.tasks) if self.tasks else self.billed,
            **tasks,
        }

    @property
    def subject(self) -> int:
        """A hash of what is paid for once: a service's look at one `dataId`, or at one image where none was sent."""
        return hash((self.service, self.data_id or self.image))


@dataclass(slots=True)
class _Totals:
    """What is counted over all calls, kept in the log or not."""

    calls: int = 0
    metered: int = 0
    billed: int = 0
    billed_again: int = 0
    by_code: Counter[str] = field(default_factory=Counter)
    last_second: deque[float] = field(default_factory=deque)
    busiest_second: int = 0
    scan_images: int = 0
    scan_last_second: deque[float] = field(default_factory=deque)
    scan_busiest_second: int = 0
    images: OrderedDict[int, int] = field(default_factory=OrderedDict)
    images_billed_again: int = 0
    images_forgotten: int = 0

    def note_arrival(self, call: Call) -> None:
        self.calls += 1
        if call.action == METERED:
            self.metered += 1
            self.last_second.append(call.arrival)
            self.busiest_second = max(self.busiest_second, _count(self.last_second, call.arrival))

    def note_end(self, call: Call) -> None:
        self.by_code[str(call.code or "Unanswered")] += 1
        if call.billed and not call.tasks:
            self.billed += 1
            self._note_billed(call.subject)

    def note_images(self, arrival: float, images: int) -> None:
        self.scan_images += images
        self.scan_last_second.extend([arrival] * images)
        self.scan_busiest_second = max(self.scan_busiest_second, _count(self.scan_last_second, arrival))

    def charge(self, task: TaskSeen) -> None:
        task.billed = len(task.scenes)
        self.billed += task.billed
        for subject in task.subjects():
            self._note_billed(subject)

    def _note_billed(self, subject: int) -> None:
        times = self.images.get(subject, 0) + 1
        self.images[subject] = times
        self.billed_again += times > 1
        self.images_billed_again += times == 2
        if len(self.images) > MAX_IMAGES:
            self.images.popitem(last=False)
            self.images_forgotten += 1


def _count(arrivals: deque[float], now: float) -> int:
    """How many were in the second that ends now; older ones are dropped."""
    while arrivals and arrivals[0] <= now - 1.0:
        arrivals.popleft()
    return len(arrivals)


class CallLog:
    """The last `capacity` calls, and totals over all."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._kept: deque[Call] = deque()
        self._dropped = 0
        self._in_progress: set[Call] = set()
        self._totals = _Totals()

    def __iter__(self) -> Iterator[Call]:
        """The kept calls in order of arrival."""
        return iter(tuple(self._kept))

    def __len__(self) -> int:
        return len(self._kept)

    def begin(self, call: Call) -> None:
        """Note an arrival. Calls begin in order of arrival."""
        self._in_progress.add(call)
        self._totals.note_arrival(call)
        self._kept.append(call)
        if len(self._kept) > self.capacity:
            self._kept.popleft()
            self._dropped += 1

    def end(self, call: Call) -> None:
        """Note that `call` was answered, or will never be. Each call ends once."""
        self._in_progress.remove(call)
        call.ended = arrival_now()
        self._totals.note_end(call)

    def note_images(self, call: Call) -> None:
        """Note that the images of a call of the 1.0 API are inside the quota, or were to be: all its `tasks`."""
        self._totals.note_images(call.arrival, len(call.tasks))

    def charge(self, task: TaskSeen) -> None:
        """Note that an image of the 1.0 API is charged: each of its scenes. Each task is charged once."""
        self._totals.charge(task)

    def clear(self) -> None:
        """Forget every call that is not in progress."""
        in_progress = sorted(self._in_progress, key=lambda call: call.arrival)
        self._kept.clear()
        self._dropped = 0
        self._totals = _Totals()
        for call in in_progress:
            self.begin(call)

    def stats(self, now: float) -> dict[str, Any]:
        """Totals since the start or the last `clear`, at `now` in unix seconds."""
        totals = self._totals
        return {
            "calls": totals.calls,
            "metered": totals.metered,
            "billed": totals.billed,
            "by_code": dict(sorted(totals.by_code.items())),
            "in_progress": len(self._in_progress),
            "busiest_second": totals.busiest_second,
            "last_second": _count(totals.last_second, now),
            "scan": {
                "images": totals.scan_images,
                "busiest_second": totals.scan_busiest_second,
                "last_second": _count(totals.scan_last_second, now),
            },
            "images_billed": len(totals.images) + totals.images_forgotten,
            "images_billed_more_than_once": totals.images_billed_again,
            "billed_again": totals.billed_again,
            "images_forgotten": totals.images_forgotten,
            "log": {"kept": len(self._kept), "capacity": self.capacity, "dropped": self._dropped},
        }
