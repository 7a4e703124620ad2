"""Requests that wait for results of tasks, and the loop that asks for them."""

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence

import pytest

from consumer.dispatch.concurrency import PLACES_OF_TASKS, ConcurrencyLimit
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import CallFailed, InputRefused, Malformed, ProviderFailed, ResultGone, Throttled
from consumer.moderation import CallContext, ModerationRequest
from consumer.moderation.open_tasks import OpenTasks
from consumer.moderation.tasks import AwaitedTasks, Placed, Polling, TaskResult
from consumer.records import ModerationResult, Partition
from tests.moderation.requests import request
from tests.rig.clock import ManualClock

Answers = Callable[[Sequence[str]], Mapping[str, TaskResult | CallFailed]]


def done(name: str) -> TaskResult:
    return TaskResult({"taskId": name}, "request")


class Provider:
    """Answers as it is told, and remembers when it was asked for what."""

    def __init__(self, clock: ManualClock, answers: Answers) -> None:
        self._clock, self._answers = clock, answers
        self.asked: list[tuple[float, list[str]]] = []

    async def results(self, task_ids: Sequence[str]) -> Mapping[str, TaskResult | CallFailed]:
        self.asked.append((self._clock.now(), list(task_ids)))
        return self._answers(task_ids)


class Rig:
    """The loop, on a clock of the test's."""

    def __init__(self, answers: Answers, *, ids: int = 50, kept: float = 3600.0) -> None:
        self.clock = ManualClock(0.0)
        self.provider = Provider(self.clock, answers)
        self.tasks = AwaitedTasks(self.provider, OpenTasks(5.0, kept), Polling(ids=ids, gap=0.2), self.clock)

    async def results(self, *names: str) -> list[TaskResult | BaseException]:
        """Await all of them at once."""

        async def flow() -> list[TaskResult | BaseException]:
            async with self.tasks.running():
                waiting = (self.tasks.result(name) for name in names)
                return await asyncio.gather(*waiting, return_exceptions=True)

        return await self.clock.run(flow())


async def test_results_of_many_tasks_come_with_one_call() -> None:
    """An interval after the calls that made them, at most so many a call, and no faster than the pace."""
    rig = Rig(lambda ids: {name: done(name) for name in ids}, ids=3)

    assert await rig.results("a", "b", "c", "d") == [done(each) for each in "abcd"]
    assert rig.provider.asked == [(5.0, ["a", "b", "c"]), (5.2, ["d"])]


async def test_a_task_under_way_is_asked_for_again() -> None:
    """Every interval, and the others' results do not wait for it."""
    calls = iter([{"a": done("a")}, {}, {"b": done("b")}])
    rig = Rig(lambda ids: next(calls))

    assert await rig.results("a", "b") == [done("a"), done("b")]
    assert rig.provider.asked == [(5.0, ["a", "b"]), (10.0, ["b"]), (15.0, ["b"])]


async def test_a_callback_has_a_result_asked_for_now() -> None:
    """It says nothing else: the result is what the provider answers."""
    rig = Rig(lambda ids: {name: done(name) for name in ids})

    async def flow() -> TaskResult:
        async with rig.tasks.running():
            waiting = asyncio.ensure_future(rig.tasks.result("a"))
            await rig.clock.sleep(1.0)
            assert rig.tasks.wake("a")
            assert not rig.tasks.wake("a")
            assert not rig.tasks.wake("b")
            return await waiting

    assert await rig.clock.run(flow()) == done("a")
    assert rig.provider.asked == [(1.0, ["a"])]


@pytest.mark.parametrize("failure", [ProviderFailed("http_502"), Throttled("588", retry_after=7.0), RuntimeError("x")])
async def test_nothing_is_lost_while_results_cannot_be_read(failure: Exception) -> None:
    """
    It is tried again, more and more slowly and not before the provider asks for it, and readiness says so meanwhile.
    """
    rig = Rig(lambda ids: {})
    said: list[list[str]] = []

    def answer(ids: Sequence[str]) -> Mapping[str, TaskResult]:
        said.append(rig.tasks.reasons_not_ready())
        if len(said) < 6:
            raise failure
        return {name: done(name) for name in ids}

    rig.provider._answers = answer
    assert await rig.results("a") == [done("a")]
    times = [at for at, _ in rig.provider.asked]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps == sorted(gaps)
    assert min(gaps) >= (7.0 if isinstance(failure, Throttled) else 5.0)
    assert said[0] == []
    assert "the results of 1 open tasks cannot be read for" in said[-1][0]
    assert rig.tasks.reasons_not_ready() == []


@pytest.mark.parametrize("failure", [ResultGone("404"), Malformed("data"), InputRefused("400")])
async def test_one_task_that_spoils_an_answer_fails_alone(failure: CallFailed) -> None:
    """The provider refuses the call as a whole: each task is asked for by itself."""

    def answer(ids: Sequence[str]) -> Mapping[str, TaskResult]:
        if "b" in ids:
            raise failure
        return {name: done(name) for name in ids}

    rig = Rig(answer)

    assert await rig.results("a", "b", "c") == [done("a"), failure, done("c")]


async def test_a_result_that_never_comes_is_given_up_when_the_provider_keeps_it_no_longer() -> None:
    """The image is then asked about anew."""
    rig = Rig(lambda ids: {}, kept=60.0)

    (ended,) = await rig.results("a")
    assert isinstance(ended, ResultGone)
    assert ended.billed == "yes"
    assert 60.0 < rig.clock.now() <= 66.0


async def test_two_tasks_of_one_name_are_not_mistaken_for_each_other() -> None:
    """A result under that name could be about either image: the second request fails, closed."""
    rig = Rig(lambda ids: {name: done(name) for name in ids})

    first, second = await rig.results("a", "a")
    assert first == done("a")
    assert isinstance(second, Malformed)


class Held:
    """Answers once it is let."""

    def __init__(self) -> None:
        self.let, self.asked = asyncio.Event(), 0

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        self.asked += 1
        await self.let.wait()
        raise ResultGone("404")


async def test_no_more_tasks_are_open_than_there_are_places() -> None:
    """What waits for a place has cost nothing, and a place is free again however its task ends."""
    inner = Held()
    placed = Placed(inner, ConcurrencyLimit(2, shown=PLACES_OF_TASKS), InterruptibleWaits())
    asking = [
        asyncio.ensure_future(placed.ask(request(), CallContext(partition=Partition("uploads", 0)))) for _ in range(3)
    ]
    for _ in range(20):
        await asyncio.sleep(0)
    assert inner.asked == 2

    inner.let.set()
    assert [type(each) for each in await asyncio.gather(*asking, return_exceptions=True)] == [ResultGone] * 3
    assert inner.asked == 3
