import asyncio
import random
from collections.abc import Callable
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.dispatch.gate import Gate
from consumer.dispatch.in_flight import InFlight
from consumer.dispatch.pace import Departure, Pace
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import CallFailed, ImageRefused, ProviderFailed, Throttled, Unreachable
from consumer.fairness import DEFAULT
from consumer.moderation import Moderator
from consumer.moderation.paced import Paced
from tests.moderation.requests import GivenShares, ScriptedModerator, context, request
from tests.rig.clock import ManualClock


def most_in_a_second(gate: list[float]) -> int:
    """The most departures in any interval of one second, both ends included."""
    most, first = 0, 0
    for last, moment in enumerate(gate):
        while moment - gate[first] > 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def paced(inner: Moderator, pace: Pace, clock: ManualClock) -> Paced:
    """A layer whose share is always the one that `pace` begins with."""
    gate = Gate(pace, GivenShares({DEFAULT: pace.share}), clock, InterruptibleWaits())
    return Paced(inner, gate, pace, InFlight(clock), lambda *_: True, clock)


def depart_at_will(pace: Pace, moments: list[float]) -> list[float]:
    """Let a caller try at each of `moments` and depart when the pace allows it."""
    now, gate = 0.0, []
    for moment in moments:
        now = max(now, moment, pace.earliest())
        pace.depart(now).sent(now)
        gate.append(now)
    return gate


@settings(max_examples=300)
@given(
    qps=st.integers(1, 50),
    jitter=st.floats(0, 0.2),
    burst=st.floats(0, 0.5),
    waits=st.lists(st.one_of(st.just(0.0), st.floats(0, 0.05), st.floats(0, 3)), min_size=1, max_size=300),
)
def test_no_sliding_second_holds_more_than_the_quota(qps: int, jitter: float, burst: float, waits: list[float]) -> None:
    """
    However callers come, idle or in crowds, no second of any alignment sees more than Q departures.
    """
    moments = [sum(waits[: n + 1]) for n in range(len(waits))]

    gate = depart_at_will(Pace(qps, jitter=jitter + 1e-6, burst=burst), moments)

    assert most_in_a_second(gate) <= qps


@settings(max_examples=300)
@given(
    qps=st.integers(1, 20),
    calls=st.lists(
        st.tuples(
            st.floats(0, 0.2),
            st.one_of(st.just(0.0), st.floats(0, 0.1), st.floats(0, 3)),
            st.one_of(st.just(0.0), st.floats(0, 0.1)),
        ),
        min_size=1, max_size=120,
    ),
)  # fmt: skip
def test_calls_that_go_out_late_are_counted_when_they_go_out(qps: int, calls: list[tuple[float, float, float]]) -> None:
    """
    However long calls take to open their connections, whoever overtakes whom, and however late it is noted that they
    went out, no second sees more than Q sent.
    """
    pace, now, sent = Pace(qps, jitter=1e-6), 0.0, list[float]()
    waiting: list[tuple[float, Departure]] = []
    for pause, delay, unnoted in calls:
        now += pause
        while True:
            for moment, departure in waiting:
                if moment <= now:
                    departure.sent(moment)
            waiting = [each for each in waiting if each[0] > now]
            if pace.earliest() <= now:
                break
            now = min([pace.earliest(), *(moment for moment, _ in waiting)])
        waiting.append((now + delay + unnoted, pace.depart(now)))
        sent.append(now + delay)

    assert most_in_a_second(sorted(sent)) <= qps


@given(qps=st.integers(10, 400))
@settings(max_examples=30)
def test_a_crowd_uses_the_quota_but_for_the_jitter(qps: int) -> None:
    """
    With work always waiting, the mean rate is Q over one second plus jitter.
    """
    gate = depart_at_will(Pace(qps, jitter=0.02), [0.0] * qps * 10)

    assert (len(gate) - 1) / (gate[-1] - gate[0]) >= 0.975 * qps


def test_calls_are_spread_over_the_second() -> None:
    """
    Apart from the first burst, departures are a Qth of a second apart.
    """
    gate = depart_at_will(Pace(100, jitter=0.0, burst=0.03), [0.0] * 100)

    gaps = [later - earlier for earlier, later in pairwise(gate)]
    assert gaps[2:] == pytest.approx([0.01] * 97)
    assert gate[2] == pytest.approx(0.0)


def test_a_stall_is_caught_up() -> None:
    """
    After a stall within the burst, the calls that were due meanwhile depart at once and the next is on time.
    """
    pace = Pace(100, jitter=0.0, burst=0.05)
    before = depart_at_will(pace, [0.0] * 50)

    after = depart_at_will(pace, [before[-1] + 0.045] * 5)

    assert after == pytest.approx([before[-1] + seconds for seconds in (0.045, 0.045, 0.045, 0.045, 0.05)])


async def test_questions_depart_in_the_order_they_came() -> None:
    """
    Nobody overtakes, and no slot is lost, however many wait.
    """
    clock = ManualClock()
    provider = ScriptedModerator(clock, latency=0.3)
    moderator = paced(provider, Pace(10, jitter=0.0, burst=0.0), clock)

    await clock.run(asyncio.gather(*(moderator.ask(request(str(n)), context()) for n in range(25))))

    assert provider.asked == [str(n) for n in range(25)]
    assert provider.asked_at == pytest.approx([1000 + n / 10 for n in range(25)])


async def test_one_who_gives_up_waiting_does_not_take_a_place() -> None:
    """
    A request that is cancelled while it waits leaves its moment to the next.
    """
    clock = ManualClock()
    provider = ScriptedModerator(clock)
    moderator = paced(provider, Pace(1, jitter=0.0, burst=0.0), clock)
    asked = [asyncio.ensure_future(moderator.ask(request(str(n)), context())) for n in range(3)]

    async def give_up() -> None:
        await clock.sleep(0.5)
        asked[1].cancel()

    await clock.run(asyncio.gather(give_up(), *asked, return_exceptions=True))

    assert provider.asked == ["0", "2"]
    assert provider.asked_at == [1000.0, 1001.0]


def test_throttling_halves_the_rate_once_a_second_and_a_tenth_comes_back() -> None:
    """
    All the calls in flight are throttled in the same moment, which counts once; the rate recovers steadily.
    """
    pace = Pace(100)

    for now in (10.0, 10.2, 10.9):
        pace.throttled(now)
    rates = [pace.rate(now) for now in (10.0, 11.0, 12.0, 15.0, 100.0)]

    assert rates == pytest.approx([50.0, 60.0, 70.0, 100.0, 100.0])


def test_throttling_without_end_leaves_a_call_a_second() -> None:
    """
    The rate never falls below what is needed to find out that the throttling is over.
    """
    pace = Pace(100)

    for second in range(60):
        pace.throttled(float(second))

    assert 1.0 <= pace.rate(59.0) <= 15.0


async def test_a_throttled_call_slows_the_calls_behind_it() -> None:
    """
    The layer hears of throttling from the call itself.
    """
    clock = ManualClock()
    pace = Pace(10, jitter=0.0, burst=0.0)
    moderator = paced(ScriptedModerator(clock, [lambda: Throttled("403")]), pace, clock)

    with pytest.raises(Throttled):
        await clock.run(moderator.ask(request(), context()))

    assert pace.rate(clock.now()) == 5.0


def test_it_says_so_when_every_call_is_throttled() -> None:
    """
    Now and then a throttled call is nothing to report; seconds of nothing else are, until a call is answered.
    """
    pace = Pace(100)

    pace.throttled(10.0)
    at_once = pace.reasons_not_ready(10.0)
    pace.throttled(14.0)
    later = pace.reasons_not_ready(15.0)
    pace.answered()
    answered = pace.reasons_not_ready(16.0)

    assert (at_once, answered) == ([], [])
    assert later == ["provider: has throttled every call for 5 s; 55 calls a second are sent"]


def test_throttling_that_nobody_meets_any_more_is_no_reason() -> None:
    """
    A replica whose throttled image went to another one is ready after two minutes; throttled anew, it counts anew.
    """
    pace = Pace(100)
    pace.throttled(10.0)

    pace.throttled(60.0)
    meanwhile = pace.reasons_not_ready(100.0)
    drained = pace.reasons_not_ready(180.0)
    pace.throttled(500.0)
    anew = pace.reasons_not_ready(504.0)

    assert len(meanwhile) == 1
    assert drained == []
    assert anew == ["provider: has throttled every call for 4 s; 90 calls a second are sent"]


@pytest.mark.parametrize("failure", [ImageRefused("407"), ProviderFailed("500"), Unreachable("404")])
async def test_a_call_that_fails_for_another_reason_was_not_throttled(failure: CallFailed) -> None:
    """
    "Throttles every call" is true until one comes back otherwise, whatever it brings.
    """
    clock = ManualClock()
    pace = Pace(10)
    pace.throttled(clock.now() - 10)
    failures: list[Callable[[], CallFailed]] = [lambda: failure]
    moderator = paced(ScriptedModerator(clock, failures), pace, clock)
    before = pace.reasons_not_ready(clock.now())

    with pytest.raises(type(failure)):
        await clock.run(moderator.ask(request(), context()))

    assert len(before) == 1
    assert pace.reasons_not_ready(clock.now()) == []


@settings(max_examples=300)
@given(
    changes=st.lists(st.tuples(st.floats(0, 2), st.integers(0, 30)), min_size=1, max_size=20),
    burst=st.floats(0, 0.5),
)
def test_no_second_holds_more_than_the_share_at_its_end(changes: list[tuple[float, int]], burst: float) -> None:
    """
    However the share grows, shrinks or goes, a call departs only where the second before it holds less than the share.
    """
    pace, now, gate = Pace(10, jitter=1e-6, burst=burst), 0.0, list[float]()
    for seconds, share in [*changes, (1.0, 0)]:
        until = now + seconds
        while (moment := max(now, pace.earliest())) <= until:
            now = moment
            pace.depart(now).sent(now)
            gate.append(now)
            assert sum(now - 1.0 <= each for each in gate) <= pace.share
        now = until
        pace.change(share)

    assert pace.earliest() == inf


@pytest.mark.parametrize("share", [1, 2, 3, 5, 8, 13, 25, 50, 100])
def test_a_share_is_used_though_this_process_is_always_a_little_late(share: int) -> None:
    """
    Wakes that are three milliseconds late on average cost no share more than that of a second, however small it is.
    """
    pace, dice, now, calls = Pace(share), random.Random(share), 0.0, 0
    while now < 300.0:
        now = max(now, pace.earliest()) + dice.expovariate(1 / 0.003)
        while pace.earliest() <= now:
            pace.depart(now).sent(now)
            calls += 1

    assert calls / now >= 0.965 * share


def test_a_call_that_is_long_in_opening_its_connection_takes_one_place() -> None:
    """
    The others go on departing beside it, at the share less one.
    """
    pace, sent = Pace(5, jitter=0.0, burst=0.0), list[float]()
    slow = pace.depart(0.0)
    while len(sent) < 12:
        sent.append(pace.earliest())
        pace.depart(sent[-1]).sent(sent[-1])

    assert most_in_a_second(sent) == 5  # both ends included
    assert sent[-1] == pytest.approx(12 * 0.2 + 0.4)
    slow.sent(3.0)


def test_a_call_that_is_withdrawn_takes_no_place() -> None:
    """
    What was never sent is no part of the second.
    """
    pace = Pace(1, jitter=0.0)

    pace.depart(0.0).withdrawn()
    withdrawn = pace.earliest()
    departure = pace.depart(1.0)
    unsent = pace.earliest()
    departure.sent(1.5)

    assert (withdrawn <= 1.0, unsent, pace.earliest()) == (True, inf, 2.5)
