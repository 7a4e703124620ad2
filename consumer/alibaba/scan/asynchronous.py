"""
The 1.0 API, asked asynchronously: a call submits an image, and its result is read later.

    TakenOver ─► (pace, breaker) ─► AsyncScanClient: submit ─► write the task down ─► give the slot back ─► its result
        │                                                                                                       ▲
        └── a predecessor has paid for the same question ───────────────────────────────────────────────────────┘

A result counts only where it names the image that was submitted; `answers.judged` sees to that.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from consumer.alibaba.image_moderation import data_id
from consumer.alibaba.scan.answers import judged, tasks_in
from consumer.alibaba.scan.batched import Hook, Together, asks
from consumer.alibaba.scan.client import signed_call
from consumer.alibaba.scan.results import ASYNC_SCAN, GONE, RESULTS, finished, submitted
from consumer.alibaba.scan.tasks import Asking, scan_body, url_of
from consumer.alibaba.scan.tasks import Task as Asked
from consumer.clock import Clock
from consumer.errors import CallFailed, Malformed, ResultGone, Unreachable
from consumer.http.exchange import Answered, Exchanges
from consumer.journal.tasks import KnownTasks, Question, Task
from consumer.keys import Keys
from consumer.locations import ByObject
from consumer.moderation import CallContext, ModerationRequest, Moderator
from consumer.moderation.tasks import AwaitedTasks, TaskResult
from consumer.observability import metrics
from consumer.records import ModerationResult

CODES_OF_GONE = frozenset(map(str, GONE))

Record = Callable[[Task, CallContext], Awaitable[None]]
"""Writes a task down, so that a successor looks for its result. Returns once that is certain, or cannot be done."""


class Callback(NamedTuple):
    """Where the vendor says that a task is finished."""

    url: str
    seed: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"  # the seed is a secret, and the URL may hold one


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRegion:
    """A region of the 1.0 API, and what is asked there."""

    exchanges: Exchanges
    base_url: str
    name: str
    keys: Keys
    clock: Clock
    asking: Asking

    async def call(self, path: str, body: bytes, images: int, before: Hook = None, after: Hook = None) -> Answered:
        """
        Make a call about so many images. `CallFailed` escapes where there is no answer, and what `before` raises. See
        `Exchanges`.
        """
        signed = signed_call(self.base_url, path, body, self.keys.current(), self.clock.wall())
        return await self.exchanges.exchange(signed, before, after, images)

    def question(self, request: ModerationRequest, call: CallContext) -> Question:
        """What is asked about an image: a result answers this question and no other."""
        location = request.location
        copy = call.copies.uploaded_as(self.name, location) if isinstance(location, ByObject) else None
        picture, sha256 = (0, None) if copy is None else (copy[0], copy[1].sha256)
        asked = (*self.asking.scenes, *([f"biz_type {self.asking.biz_type}"] if self.asking.biz_type else []))
        return Question(request.submission, request.service, asked, self.name, picture, sha256)

    def read(self, result: TaskResult, request: ModerationRequest, sent: float) -> ModerationResult:
        """Accept a result. `CallFailed` escapes; the branch says what to do about it."""
        found = judged(result.said, data_id(request.submission), self.asking.scenes, result.request_id)
        return found._replace(region=self.name, sent=sent, took=max(0.0, self.clock.wall() - sent))


class ScanResults:
    """Reads the results of a region's tasks."""

    def __init__(self, region: ScanRegion) -> None:
        self._region = region

    async def results(self, task_ids: Sequence[str]) -> Mapping[str, TaskResult | CallFailed]:
        """See `moderation.tasks.Results`."""
        answered = await self._region.call(RESULTS, orjson.dumps(list(task_ids)), len(task_ids))
        try:
            answer = tasks_in(answered.status, answered.headers, answered.content, most=len(task_ids))
        except Unreachable as failure:
            if failure.code not in CODES_OF_GONE:
                raise
            raise failure.sorted_as(ResultGone) from None  # the vendor knows none of these, or not one of them
        return finished(answer, task_ids)


class AsyncScanClient:
    """
    Submits one image to one region, and waits for its result. Every failure is a `CallFailed`; `GrantRevoked` passes.

    Vendor: what is charged for is the scenes, so an image counts as many.
    """

    def __init__(
        self,
        region: ScanRegion,
        tasks: AwaitedTasks,
        record: Record,
        callback: Callback | None,
        together: Together | None = None,
    ) -> None:
        """`together` says which images share a call; without, none do."""
        self._region = region
        self._tasks = tasks
        self._record = record
        self._more = {} if callback is None else {"callback": callback.url, "seed": callback.seed}
        self._asks = asks(self._submit, together, region.clock)

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        try:
            return await self._ask(request, call)
        except CallFailed as failure:
            failure.units = len(self._region.asking.scenes)
            raise

    async def _ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        named = data_id(request.submission)
        said = await self._asks(Asked(named, url_of(request.location)), call)
        task_id = submitted(said.task, named, said.request_id)
        if isinstance(task_id, CallFailed):
            try:
                raise task_id
            finally:
                del task_id  # or it and this frame would hold each other
        if task_id is None:
            judged(said.task, named, self._region.asking.scenes, said.request_id)  # raises what the code says
            raise Malformed("code", billed="yes")
        metrics.SCAN_TASKS.labels("opened").inc()
        if call.slot is not None:  # a task holds no connection: its place among the open tasks is another
            call.slot.give_back()
        await self._record(Task(id=task_id, question=self._region.question(request, call), sent=said.sent), call)
        result = self._region.read(await self._tasks.result(task_id), request, said.sent)
        metrics.SCAN_TASKS.labels("finished").inc()
        return result

    async def _submit(self, tasks: Sequence[Asked], before: Hook, after: Hook) -> Answered:
        body = scan_body(tasks, self._region.asking, **self._more)
        return await self._region.call(ASYNC_SCAN, body, len(tasks), before, after)


class TakenOver:
    """
    A `Moderator` that looks for the result of what a predecessor has paid for, before anything is paid again.

    `ResultGone` escapes where the provider has none, or one of another image: the image is asked about anew.
    """

    def __init__(self, inner: Moderator, region: ScanRegion, tasks: AwaitedTasks, known: KnownTasks) -> None:
        self._inner = inner
        self._region = region
        self._tasks = tasks
        self._known = known

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        if call.judged_by is not None:
            call.judged_by.look()
        task = self._known.take(self._region.question(request, call))
        if task is None:
            return await self._inner.ask(request, call)
        if call.judged_by is not None:
            call.judged_by.departs()
        if call.slot is not None:
            call.slot.give_back()
        if call.permit is not None:
            call.permit.abandoned()  # no call departs
        metrics.SCAN_TASKS.labels("taken_over").inc()
        try:
            found = self._region.read(await self._tasks.result(task.id, at_once=True), request, task.sent)
        except Malformed as error:  # whose task that is cannot be told, so its result is not this image's
            raise self._counted(ResultGone("task_malformed", billed="yes")) from error
        except CallFailed as failure:
            raise self._counted(failure) from failure.__cause__
        metrics.SCAN_TASKS.labels("finished").inc()
        return found

    def _counted(self, failure: CallFailed) -> CallFailed:
        failure.units = len(self._region.asking.scenes)
        return failure
