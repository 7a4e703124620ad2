"""
Several images in one call of the 1.0 API: those that depart within one moment.

    an image ─► its own slot, permit, departure ─► Batched ─┐
    an image ─► its own slot, permit, departure ─► Batched ─┴─► one call ─► split by `dataId` ─► each image's own answer

An image waits only while others wait to depart, and for a bounded time. In the last moment before bytes go
out each image is looked at again: one that may not be sent any more leaves, and the call is made up anew without it. A
call that fails as a whole fails for each of its images, as it would have for one. But a refusal that is about an image
does not say which one it means: its images are asked about again, each alone, and so is an image that failed before.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import structlog

from consumer.alibaba.scan.answers import TaskObject, malformed, tasks_in
from consumer.alibaba.scan.splitting import NotSaid, split
from consumer.alibaba.scan.tasks import Task
from consumer.clock import Clock
from consumer.dispatch.gate import GrantRevoked
from consumer.dispatch.waits import change_or_time
from consumer.errors import CallFailed, ConsumerError, ImageRefused, InputRefused, Unreachable
from consumer.http.exchange import Answered
from consumer.moderation import CallContext

log = structlog.get_logger()

Hook = Callable[[], None] | None
Submit = Callable[[Sequence[Task], Hook, Hook], Awaitable[Answered]]
"""Makes a call about these images; the hooks are those of `Exchanges.exchange`."""


class Together(NamedTuple):
    """Which images share a call."""

    most: int  # images
    longest: float  # seconds that an image waits for others
    others_wait: Callable[[], bool]  # whether images wait to depart


class Said(NamedTuple):
    """What an answer says of one image, unread."""

    task: TaskObject
    request_id: str | None
    sent: float  # unix seconds
    took: float  # seconds from there

    def __repr__(self) -> str:
        return f"{type(self).__name__}(request_id={self.request_id!r})"  # what is said has the image's URL


Ask = Callable[[Task, CallContext], Awaitable[Said]]
"""Asks about one image. `CallFailed` escapes where there is no answer, and what the call's moments raise."""


class AskedAlone(GrantRevoked):
    """
    The answer does not say which image it is about: each is asked about again, by itself. `code` is its word.

    Each waits again for a permit and a moment, as what may not depart does. Unlike that, it was sent, and counts so.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _Shrunk(ConsumerError):
    """An image left the call in its last moment: nothing was sent."""


@dataclass(slots=True, eq=False)
class _Image:
    """One that is asked about in a call with others."""

    task: Task
    call: CallContext
    said: asyncio.Future[Said]

    def may_be_sent(self) -> bool:
        """Look at the image in the last moment. What keeps it from being sent escapes to whoever waits for it."""
        if self.said.done():  # nobody waits for it any more
            return False
        try:
            if self.call.before_sending is not None:
                self.call.before_sending()
        except ConsumerError as error:
            self.said.set_exception(error)
            return False
        return True

    def fail(self, failure: Exception) -> None:
        """Have whoever waits for it meet the failure."""
        if not self.said.done():
            self.said.set_exception(failure)


@dataclass(slots=True, eq=False)
class _Batch:
    """The images of one call, and the task that makes it."""

    images: list[_Image] = field(default_factory=list)
    is_made_up: asyncio.Event = field(default_factory=asyncio.Event)
    making: asyncio.Task[None] | None = None

    def names(self, data_id: str) -> bool:
        """Whether an image of that name is among them: an answer could not tell two apart."""
        return any(image.task.data_id == data_id for image in self.images)

    @property
    def is_left(self) -> bool:
        """Whether nobody waits for any of its images."""
        return all(image.said.done() for image in self.images)

    async def give_up(self) -> None:
        """Give the call up, and wait for its end."""
        if self.making is not None:
            self.making.cancel()  # without effect where it has ended
            await asyncio.wait([self.making])
            if not self.making.cancelled():
                self.making.exception()  # each image has met it


async def one_by_one(submit: Submit, task: Task, call: CallContext) -> Said:
    """Ask about one image in a call of its own. See `Ask`."""
    answered = await submit([task], call.before_sending, call.after_sending)
    answer = tasks_in(answered.status, answered.headers, answered.content)
    return Said(answer.tasks[0], answer.request_id, answered.sent, answered.took)


def asks(submit: Submit, together: Together | None, clock: Clock) -> Ask:
    """How images are asked about; each by itself where none share a call."""
    return partial(one_by_one, submit) if together is None else Batched(submit, together, clock).ask


class Batched:
    """Puts images into calls."""

    def __init__(self, submit: Submit, together: Together, clock: Clock) -> None:
        self._submit = submit
        self._together = together
        self._clock = clock
        self._open: _Batch | None = None  # that takes more images

    async def ask(self, task: Task, call: CallContext) -> Said:
        """Ask about an image in a call with others. See `Ask`; `AskedAlone` is one of its moments'."""
        if call.alone or call.attempt > 1:
            return await one_by_one(self._submit, task, call)
        image = _Image(task, call, asyncio.get_running_loop().create_future())
        batch = self._join(image)
        try:
            return await image.said
        except AskedAlone as again:
            log.info("scan.asked_alone", code=again.code)
            call.alone = True
            raise
        finally:
            if not image.said.cancelled():
                image.said.exception()  # is known, though the task that waited may have been cancelled meanwhile
            if batch.is_left:
                self._close(batch)  # before it is given up: who comes in between has another
                await batch.give_up()

    def _join(self, image: _Image) -> _Batch:
        if self._open is not None and self._open.names(image.task.data_id):
            self._close(self._open)
        if (batch := self._open) is None:
            batch = self._open = _Batch()
            batch.making = asyncio.create_task(self._make(batch), name="a call about several images")
        batch.images.append(image)
        if len(batch.images) >= self._together.most:
            self._close(batch)
        elif not self._together.others_wait():
            batch.is_made_up.set()  # what departs in this same turn of the loop still joins
        return batch

    def _close(self, batch: _Batch) -> None:
        batch.is_made_up.set()
        if self._open is batch:
            self._open = None

    async def _make(self, batch: _Batch) -> None:
        try:
            await change_or_time(batch.is_made_up, self._together.longest, self._clock)
            self._close(batch)
            while images := [image for image in batch.images if not image.said.done()]:
                try:
                    await self._call(images)
                except _Shrunk:
                    continue
        except Exception as error:  # nobody foresaw it, and whoever waits must meet it
            for image in batch.images:
                image.fail(error)
            raise
        finally:
            self._close(batch)
            for image in batch.images:
                image.said.cancel()  # without effect where it is done

    async def _call(self, images: Sequence[_Image]) -> None:
        """Make one call, which ends for each of the images. `_Shrunk` escapes where nothing was sent."""
        try:
            tasks = [image.task for image in images]
            answered = await self._submit(tasks, partial(_look, images), partial(_sent, images))
            _sent(images)
            # Of each image one task more than it should have, so that what is said twice is this image's fault alone.
            answer = tasks_in(answered.status, answered.headers, answered.content, most=2 * len(images))
        except CallFailed as failure:
            _fail(images, failure)
            return
        found = split(answer.tasks, [task.data_id for task in tasks])
        for image in images:
            if image.said.done():
                continue
            said = found[image.task.data_id]
            if said is NotSaid.UNNAMED:
                image.fail(AskedAlone("unnamed"))
            elif said is NotSaid.UNANSWERED:
                image.fail(malformed("dataId", answer.request_id))
            else:
                image.said.set_result(Said(said, answer.request_id, answered.sent, answered.took))


def _look(images: Sequence[_Image]) -> None:
    may_be_sent = [image.may_be_sent() for image in images]
    if not all(may_be_sent):
        raise _Shrunk


def _sent(images: Sequence[_Image]) -> None:
    for image in images:
        if image.call.after_sending is not None:
            image.call.after_sending()


def _fail(images: Sequence[_Image], failure: CallFailed) -> None:
    """A failure of the call is each image's, and each image's own copy: layers write on it. The call counts once."""
    is_of_an_image = isinstance(failure, InputRefused | ImageRefused | Unreachable) and failure.billed == "no"
    is_counted = True
    for image in images:
        if image.said.done():
            continue
        if is_of_an_image and len(images) > 1:
            image.fail(AskedAlone(failure.code))
        else:
            copy = failure.sorted_as(type(failure))
            copy.__cause__ = failure.__cause__
            copy.is_counted, is_counted = is_counted, False
            image.fail(copy)
