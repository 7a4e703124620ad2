"""Several images in one call: which share it, what leaves it, and what becomes of each."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.alibaba.scan.batched import AskedAlone, Batched, Hook, Said, Together
from consumer.alibaba.scan.tasks import Task
from consumer.dispatch.gate import Gate, GrantRevoked
from consumer.dispatch.in_flight import InFlight
from consumer.dispatch.pace import Pace
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import (
    AccountRefused,
    CallFailed,
    InputRefused,
    Malformed,
    ProviderFailed,
    Throttled,
    Unreachable,
)
from consumer.http.exchange import Answered
from consumer.moderation import CallContext, ModerationRequest
from consumer.moderation.breaker import Breaker, BreakerLimits, State
from consumer.moderation.paced import Paced
from consumer.moderation.regions import reported
from consumer.observability import metrics
from consumer.records import ModerationResult
from tests.moderation.requests import GivenShares, answer, context, request
from tests.rig.clock import ManualClock


def entry(name: str, code: int = 200) -> dict[str, Any]:
    return {"code": code, "dataId": name, "taskId": f"img-{name}"}


@dataclass
class Vendor:
    """Answers each image after `latency` seconds; opening a connection takes `connecting`."""

    clock: ManualClock
    connecting: float = 0.0
    latency: float = 0.1
    entries: Callable[[str], list[dict[str, Any]]] = lambda name: [entry(name)]
    code: int = 200
    failure: Exception | None = None
    calls: list[tuple[float, list[str]]] = field(default_factory=list)
    cut: int = 0  # calls that were given up

    async def submit(self, tasks: Sequence[Task], before: Hook, after: Hook) -> Answered:
        await self.clock.sleep(self.connecting)
        if before:
            before()
        sent = self.clock.now()
        self.calls.append((sent, [task.data_id for task in tasks]))
        if after:
            after()
        try:
            await self.clock.sleep(self.latency)
        except asyncio.CancelledError:
            self.cut += 1
            raise
        if self.failure:
            raise self.failure
        data = [each for task in tasks for each in self.entries(task.data_id)]
        body = orjson.dumps({"code": self.code, "requestId": "R-1", "data": data})
        return Answered(200, httpx.Headers(), body, sent, self.clock.now() - sent)

    @property
    def images(self) -> list[list[str]]:
        """By call."""
        return [names for _, names in self.calls]


@dataclass
class Rig:
    """Calls of at most `most` images, which wait for others while `others` says so."""

    vendor: Vendor
    most: int = 10
    others: Callable[[], bool] = lambda: True

    def __post_init__(self) -> None:
        together = Together(self.most, 0.2, lambda: self.others())
        self.batched = Batched(self.vendor.submit, together, self.vendor.clock)

    def ask(self, name: str, call: CallContext | None = None) -> asyncio.Task[Said]:
        return asyncio.create_task(self.batched.ask(Task(name, f"https://img/{name}"), call or context()))

    async def ends(self, *asked: asyncio.Task[Said]) -> list[str]:
        """What became of each: the task that is its image's, or a failure."""
        found = await self.vendor.clock.run(asyncio.gather(*asked, return_exceptions=True))
        return [each.task["taskId"] if isinstance(each, Said) else type(each).__name__ for each in found]


@pytest.fixture
def vendor() -> Vendor:
    return Vendor(ManualClock())


class Asking:
    """The innermost `Moderator`: asks `Batched`."""

    def __init__(self, batched: Batched) -> None:
        self._batched = batched

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        said = await self._batched.ask(Task(request.submission, "https://img/1"), call)
        assert said.task["dataId"] == request.submission
        return answer()


@settings(deadline=None, max_examples=25)
@given(
    share=st.integers(2, 60),
    most=st.integers(2, 12),
    arrivals=st.lists(st.floats(0.0, 2.0), min_size=1, max_size=120),
    connecting=st.sampled_from([0.0, 0.03, 0.4]),
)
async def test_no_second_has_more_images_than_the_quota(
    share: int, most: int, arrivals: list[float], connecting: float
) -> None:
    """
    Whatever shares a call, each image departs as one: in no second more are sent than the share, and each is sent once.
    """
    clock = ManualClock()
    vendor = Vendor(clock, connecting)
    pace = Pace(0, jitter=0.0, burst=0.2)
    gate = Gate(pace, GivenShares({"default": share}), clock, InterruptibleWaits())
    batched = Batched(vendor.submit, Together(most, 0.2, gate.anyone_waits), clock)
    paced = Paced(Asking(batched), gate, pace, InFlight(clock), lambda *_: True, clock)

    async def one(number: int, at: float) -> ModerationResult:
        await clock.sleep(at)
        return await paced.ask(request(f"image-{number}"), context())

    await clock.run(asyncio.gather(*(one(*each) for each in enumerate(arrivals))))

    sent = sorted(at for at, names in vendor.calls for _ in names)
    assert all(later - earlier >= 1 - 1e-9 for earlier, later in zip(sent, sent[share:], strict=False))
    assert Counter(name for names in vendor.images for name in names) == {
        f"image-{number}": 1 for number in range(len(arrivals))
    }
    assert all(len(names) <= most for names in vendor.images)


async def test_a_backlog_needs_fewer_calls_and_loses_no_time() -> None:
    """
    With what the burst has depart at once in each call, 250 images of 50 a second take five seconds, and few calls.
    """
    clock = ManualClock()
    vendor = Vendor(clock)
    pace = Pace(0, jitter=0.02, burst=0.2)
    gate = Gate(pace, GivenShares({"default": 50}), clock, InterruptibleWaits())
    batched = Batched(vendor.submit, Together(10, 0.2, gate.anyone_waits), clock)
    paced = Paced(Asking(batched), gate, pace, InFlight(clock), lambda *_: True, clock)
    began = clock.now()

    await clock.run(asyncio.gather(*(paced.ask(request(str(number)), context()) for number in range(250))))

    assert len(vendor.calls) <= 35
    assert clock.now() - began < 5.5


async def test_an_image_that_none_follows_waits_for_nothing(vendor: Vendor) -> None:
    """
    Its call goes out in the moment in which it departs.
    """
    began = vendor.clock.now()

    rig = Rig(vendor, others=lambda: False)
    assert await rig.ends(rig.ask("a")) == ["img-a"]
    assert vendor.calls == [(began, ["a"])]


async def test_the_wait_for_others_is_bounded(vendor: Vendor) -> None:
    """
    Others that wait may not depart for long, as when the provider throttles.
    """
    began = vendor.clock.now()

    rig = Rig(vendor)
    assert await rig.ends(rig.ask("a"), rig.ask("b")) == ["img-a", "img-b"]
    [(sent, names)] = vendor.calls
    assert sent - began == pytest.approx(0.2)
    assert names == ["a", "b"]


async def test_a_full_call_goes_out_at_once(vendor: Vendor) -> None:
    """
    And the next image begins another one.
    """
    began = vendor.clock.now()
    rig = Rig(vendor, most=2)

    assert await rig.ends(*map(rig.ask, "abc")) == ["img-a", "img-b", "img-c"]
    assert vendor.calls == [(began, ["a", "b"]), (pytest.approx(began + 0.2), ["c"])]


async def test_two_pictures_of_one_name_share_no_call(vendor: Vendor) -> None:
    """
    Frames of one image are named alike, and an answer could not tell them apart.
    """
    rig = Rig(vendor)

    assert await rig.ends(*map(rig.ask, "aba")) == ["img-a", "img-b", "img-a"]
    assert vendor.images == [["a", "b"], ["a"]]


def refuse(error: Exception) -> None:
    raise error


async def test_an_image_whose_lease_is_over_leaves_before_anything_is_sent() -> None:
    """
    The last moment is after the connection was opened. The others go out without it, looked at once more.
    """
    vendor = Vendor(ManualClock(), connecting=0.05)
    rig, looked = Rig(vendor), Counter[str]()
    calls = [context(before_sending=partial(looked.update, [name])) for name in "abc"]
    calls[1].before_sending = partial(refuse, GrantRevoked())

    ends = await rig.ends(*(rig.ask(name, call) for name, call in zip("abc", calls, strict=True)))

    assert ends == ["img-a", "GrantRevoked", "img-c"]
    assert vendor.images == [["a", "c"]]
    assert looked == {"a": 2, "c": 2}


async def test_where_every_lease_is_over_nothing_is_sent(vendor: Vendor) -> None:
    """
    Each image is told, and no call is made.
    """
    rig = Rig(vendor)
    revoked = partial(refuse, GrantRevoked())

    assert await rig.ends(*(rig.ask(name, context(before_sending=revoked)) for name in "ab")) == ["GrantRevoked"] * 2
    assert vendor.calls == []


async def test_an_image_is_counted_once_though_its_call_is_made_up_anew() -> None:
    """
    With the layers that count: calls of the lane, and seconds in the queue.
    """
    clock = ManualClock()
    vendor = Vendor(clock, connecting=0.05)
    pace, shares = Pace(0, jitter=0.0, burst=0.5), GivenShares({"default": 10})
    gate = Gate(pace, shares, clock, InterruptibleWaits())
    batched = Batched(vendor.submit, Together(3, 0.2, lambda: True), clock)
    paced = Paced(Asking(batched), gate, pace, InFlight(clock), lambda *_: True, clock)
    counted = metrics.Metrics()
    metrics.count_in(counted)

    async def revoked() -> Said:
        return await batched.ask(Task("c", "https://img/c"), context(before_sending=partial(refuse, GrantRevoked())))

    asked = [paced.ask(request(name), context(received=clock.wall())) for name in "ab"]
    ends = await clock.run(asyncio.gather(*asked, revoked(), return_exceptions=True))

    assert [type(end).__name__ for end in ends] == ["ModerationResult", "ModerationResult", "GrantRevoked"]
    assert vendor.images == [["a", "b"]]
    assert counted.registry.get_sample_value("moderation_lane_calls_total", {"lane": "default"}) == 2
    assert counted.registry.get_sample_value("moderation_queue_seconds_count") == 2


async def test_an_image_that_is_cancelled_while_others_are_awaited_is_not_sent(vendor: Vendor) -> None:
    """
    The others are.
    """
    rig = Rig(vendor)
    asked = [rig.ask(name) for name in "abc"]
    await asyncio.sleep(0)
    asked[0].cancel()

    assert await rig.ends(*asked) == ["CancelledError", "img-b", "img-c"]
    assert vendor.images == [["b", "c"]]


async def test_an_image_that_is_cancelled_in_its_call_leaves_the_others_theirs(vendor: Vendor) -> None:
    """
    Their call goes on.
    """
    rig = Rig(vendor, most=3)
    asked = [rig.ask(name) for name in "abc"]

    async def cancelled() -> None:
        await vendor.clock.sleep(0.05)
        asked[1].cancel()

    other = asyncio.create_task(cancelled())
    assert await rig.ends(*asked) == ["img-a", "CancelledError", "img-c"]
    await other
    assert (vendor.images, vendor.cut) == ([["a", "b", "c"]], 0)


async def test_a_call_that_nobody_waits_for_is_given_up(vendor: Vendor) -> None:
    """
    As that of one image is; whoever leaves last waits for its end.
    """
    rig = Rig(vendor, most=2)
    asked = [rig.ask(name) for name in "ab"]

    async def cancelled() -> None:
        await vendor.clock.sleep(0.05)
        for each in asked:
            each.cancel()

    other = asyncio.create_task(cancelled())
    assert await rig.ends(*asked) == ["CancelledError"] * 2
    await other
    assert vendor.cut == 1
    assert [task.get_name() for task in asyncio.all_tasks() if "several images" in task.get_name()] == []


@pytest.mark.parametrize(
    "failure",
    [ProviderFailed("timeout", billed="maybe"), Throttled("Throttling", retry_after=2.0), AccountRefused("401")],
)
async def test_a_call_that_fails_fails_for_each_of_its_images(vendor: Vendor, failure: CallFailed) -> None:
    """
    Each has a failure of its own, which layers write on: what it costs, and whether it may have been billed.
    """
    vendor.failure = failure
    rig = Rig(vendor)

    failed = await vendor.clock.run(asyncio.gather(rig.ask("a"), rig.ask("b"), return_exceptions=True))

    assert len(set(map(id, failed))) == 2
    for each in failed:
        assert isinstance(each, type(failure))
        assert (each.code, each.billed, each.retry_after) == (failure.code, failure.billed, failure.retry_after)


async def test_a_call_that_fails_counts_once_at_the_breaker(vendor: Vendor) -> None:
    """
    However many images share it: one lost connection is no outage, and as many calls as ever are.
    """
    vendor.failure = ProviderFailed("connection_lost", billed="maybe")
    rig, breaker, calls = Rig(vendor, most=30), Breaker(BreakerLimits(provider_failures=3)), 0

    async def guarded(name: str) -> None:
        permit, call = breaker.permit(vendor.clock.now()), context()
        try:
            with reported(permit, call, "region", vendor.clock):
                await rig.batched.ask(Task(name, f"https://img/{name}"), call)
        finally:
            permit.abandoned()

    while breaker.state is State.CLOSED and calls < 10:
        calls += 1
        asked = [asyncio.create_task(guarded(f"{calls}-{number}")) for number in range(30)]
        await asyncio.sleep(0)
        asked[0].cancel()  # the image that would have counted may be gone
        await vendor.clock.run(asyncio.gather(*asked, return_exceptions=True))

    assert (calls, len(vendor.calls)) == (3, 3)


async def test_an_image_that_failed_before_is_asked_about_alone(vendor: Vendor) -> None:
    """
    One that no call is answered with would fail new ones with each attempt.
    """
    rig = Rig(vendor)

    await rig.ends(rig.ask("a"), rig.ask("b", context(attempt=2)), rig.ask("c"))
    assert sorted(vendor.images) == [["a", "c"], ["b"]]


@pytest.mark.parametrize("code", [400, 403, 404, 480, 589, 590, 592, 594, 595])
async def test_a_refusal_that_does_not_say_of_which_image_has_each_asked_about_alone(vendor: Vendor, code: int) -> None:
    """
    One bad image sends no other one to review. Asked about alone, it has its own failure.
    """
    vendor.code = code
    rig, calls = Rig(vendor), [context(), context()]

    assert await rig.ends(rig.ask("a", calls[0]), rig.ask("b", calls[1])) == ["AskedAlone"] * 2
    ends = await rig.ends(rig.ask("a", calls[0]), rig.ask("b", calls[1]))
    assert vendor.images == [["a", "b"], ["a"], ["b"]]
    assert set(ends) <= {kind.__name__ for kind in (InputRefused, Unreachable)} | {"ImageRefused"}
    assert issubclass(AskedAlone, GrantRevoked)  # so it departs anew, and takes a place of the quota


@pytest.mark.parametrize(
    ("of_b", "end"),
    [
        ([], "Malformed"), ([entry("b")] * 2, "Malformed"), ([entry("stranger")], "Malformed"),
        ([{"code": 200, "taskId": "t"}], "Malformed"), ([{"code": 588}], "AskedAlone"), ([{"code": 400}], "AskedAlone"),
        ([entry("b", 588)], "img-b"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_one_image_touches_no_other(
    vendor: Vendor, of_b: list[dict[str, Any]], end: str
) -> None:
    """
    Missing, twice, another's: its answer is malformed, and may have been billed. A refusal that names nobody has it
    asked about again.
    """
    vendor.entries = lambda name: of_b if name == "b" else [entry(name)]
    rig = Rig(vendor)
    asked = [rig.ask(name) for name in "abc"]

    assert await rig.ends(*asked) == ["img-a", end, "img-c"]
    if end == "Malformed":
        failure = asked[1].exception()
        assert isinstance(failure, Malformed)
        assert (failure.code, failure.billed, failure.request_id) == ("dataId", "yes", "R-1")


async def test_what_nobody_foresaw_reaches_every_image(vendor: Vendor) -> None:
    """
    None waits for ever.
    """
    vendor.failure = RuntimeError("a bug")
    rig = Rig(vendor)

    assert await rig.ends(rig.ask("a"), rig.ask("b")) == ["RuntimeError"] * 2


async def test_an_image_that_comes_as_the_last_one_leaves_has_a_call_of_its_own(vendor: Vendor) -> None:
    """
    The call that was given up takes it in no more: nobody cancelled this one.
    """
    rig = Rig(vendor)
    left = rig.ask("a")

    async def comes_as_it_leaves() -> Said:
        await asyncio.sleep(0)
        left.cancel()
        return await rig.ask("b")

    assert await rig.ends(left, asyncio.create_task(comes_as_it_leaves())) == ["CancelledError", "img-b"]
    assert vendor.images == [["b"]]
