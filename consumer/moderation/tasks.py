"""
Waiting for the results of tasks, of a provider that is asked asynchronously.

    a request ──► holds a place (`Placed`) ──► the call, which gives its slot back ──► waits here ──► its result
                                                                                          ▲
                       one loop ──► asks for the results of all that are due, many in a call, at a pace of its own

Which tasks are due is decided in `open_tasks.py`. Nothing is decided about an image here: what a result says, the
vendor's client reads. While results cannot be read tasks stay open, and once all places are taken nothing more is paid.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple, Protocol

import structlog

from consumer import background
from consumer.clock import Clock
from consumer.dispatch.concurrency import ConcurrencyLimit, Slot
from consumer.dispatch.flows import Flow
from consumer.dispatch.waits import InterruptibleWaits, change_or_time
from consumer.errors import CallFailed, InputRefused, Malformed, ResultGone
from consumer.moderation import CallContext, ModerationRequest, Moderator
from consumer.moderation.open_tasks import OpenTasks
from consumer.observability import metrics
from consumer.records import ModerationResult

log = structlog.get_logger()

LONGEST_DELAY = 30.0  # seconds between two attempts at reading results
PATIENCE = 10.0  # seconds of failures after which readiness says so


class TaskResult(NamedTuple):
    """What the provider says of a finished task, unread."""

    said: Mapping[str, Any]
    request_id: str | None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(request_id={self.request_id!r})"  # what is said has the image's URL


class Results(Protocol):
    """Reads results at the provider."""

    async def results(self, task_ids: Sequence[str]) -> Mapping[str, TaskResult | CallFailed]:
        """
        Return what has become of those of these tasks that are finished; the others are still under way.

        Raises:
            InputRefused, Malformed, ResultGone: the answer is about all of them, and one may have spoilt it.
            CallFailed: nothing is known of any.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Polling:
    """How results are asked for."""

    ids: int  # at most so many tasks a call
    gap: float  # seconds between two calls at the least


class AwaitedTasks:
    """The open tasks of one region, and the requests that wait for their results."""

    def __init__(self, provider: Results, tasks: OpenTasks, polling: Polling, clock: Clock) -> None:
        self._provider = provider
        self._tasks = tasks
        self._polling = polling
        self._clock = clock
        self._waiting: dict[str, asyncio.Future[TaskResult]] = {}
        self._moved = asyncio.Event()  # a task was opened or woken since the loop looked last
        self._failures = 0  # in a row
        self._failing_since = inf
        self._failure = ""

    async def result(self, task_id: str, *, at_once: bool = False) -> TaskResult:
        """
        Return the result of a task once there is one; `at_once` it may be there already.

        `ResultGone` escapes where the provider has none any more, and other failures of `Results`.
        """
        if task_id in self._waiting:  # the provider names two tasks alike: whose result it is cannot be told
            raise Malformed("taskId", billed="yes")
        waiting: asyncio.Future[TaskResult] = asyncio.get_running_loop().create_future()
        self._waiting[task_id] = waiting
        self._tasks.open(task_id, self._clock.now(), at_once=at_once)
        self._moved.set()
        try:
            return await waiting
        finally:
            if self._waiting.get(task_id) is waiting:
                del self._waiting[task_id]
                self._tasks.close(task_id)

    def wake(self, task_id: str) -> bool:
        """Look for a task's result now; False where it is not open here, or was woken before."""
        woken = self._tasks.wake(task_id, self._clock.now())
        if woken:
            self._moved.set()
        return woken

    def reasons_not_ready(self) -> list[str]:
        """Say that results cannot be read."""
        seconds = self._clock.now() - self._failing_since
        if seconds < PATIENCE:
            return []
        return [
            f"provider: the results of {len(self._tasks)} open tasks cannot be read for {seconds:.0f} s: "
            f"{self._failure}; it goes on by itself"
        ]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look for results until the context ends."""
        async with background.running(self._run(), "results of tasks"):
            yield

    async def _run(self) -> None:
        while True:
            self._moved.clear()
            now = self._clock.now()
            for task_id in self._tasks.overdue(now):
                self._end(task_id, ResultGone("expired", billed="yes"))
            if taken := self._tasks.take_due(now, self._polling.ids):
                await self._look(taken)
                await self._clock.sleep(self._polling.gap)
            else:
                await change_or_time(self._moved, self._tasks.next_due() - now, self._clock)

    async def _look(self, task_ids: Sequence[str]) -> None:
        try:
            finished = await self._provider.results(task_ids)
        except (InputRefused, Malformed, ResultGone) as failure:
            if len(task_ids) == 1:
                self._end(task_ids[0], failure)
            else:
                self._tasks.split(task_ids, self._clock.now())
        except CallFailed as failure:
            self._failed(task_ids, f"{failure.kind} {failure.code}", failure.retry_after)
        except Exception:
            log.exception("tasks.unexpected_error")
            self._failed(task_ids, "an unexpected error, which the log has", 0.0)
        else:
            self._failures, self._failing_since = 0, inf
            for task_id, result in finished.items():
                self._end(task_id, result)

    def _failed(self, task_ids: Sequence[str], why: str, retry_after: float) -> None:
        now = self._clock.now()
        delay = max(retry_after, min(LONGEST_DELAY, 2.0 ** min(self._failures, 16)))
        if not self._failures:
            self._failing_since = now
            log.warning("tasks.results_not_read", tasks=len(task_ids), why=why, retry_in=delay)
        self._failures += 1
        self._failure = why
        self._tasks.postpone(task_ids, now + delay)

    def _end(self, task_id: str, result: TaskResult | CallFailed) -> None:
        waiting = self._waiting.pop(task_id, None)
        self._tasks.close(task_id)
        if waiting is None or waiting.done():
            return
        if isinstance(result, CallFailed):
            waiting.set_exception(result)
        else:
            waiting.set_result(result)


class Placed:
    """
    A `Moderator` whose requests hold a place among the open tasks, from before their call until their result is read.

    Places are shared by lane as slots are. The wait for one is interruptible while the image has cost nothing.
    """

    def __init__(self, inner: Moderator, places: ConcurrencyLimit, waits: InterruptibleWaits) -> None:
        self._inner = inner
        self._places = places
        self._waits = waits

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        place = Slot(self._places, call.lane, Flow(call.partition.topic, call.tenant), call.image, first=call.paid)
        try:
            with contextlib.nullcontext() if call.paid else self._waits.interruptible():
                await place.take()
            return await self._inner.ask(request, call)
        except ResultGone:
            metrics.SCAN_TASKS.labels("in_vain").inc()
            raise
        finally:
            place.give_back()
