import asyncio
from dataclasses import dataclass, field

import pytest
from prometheus_client import REGISTRY

from consumer.dispatch.gate import Gate, GrantRevoked
from consumer.dispatch.in_flight import HAND_OVER, InFlight
from consumer.dispatch.pace import Pace
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import Lost
from consumer.moderation import CallContext, ModerationRequest, Moderator
from consumer.moderation.paced import Paced
from consumer.records import ModerationResult, Partition
from tests.moderation.requests import PARTITION, GivenShares, ScriptedModerator, context, request
from tests.rig.clock import ManualClock


class SlowConnection:
    """Answers calls whose bytes go out some time after they were let go."""

    def __init__(self, clock: ManualClock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self.sent: list[str] = []

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        await self._clock.sleep(self._seconds)
        assert call.before_sending
        call.before_sending()
        self.sent.append(request.submission)
        call.before_sending = None
        return await ScriptedModerator(self._clock, latency=0.2).ask(request, call)


@dataclass
class PacedProvider:
    """A pace of ten a second, shares, and the layer between a request and a provider."""

    shares: GivenShares
    clock: ManualClock = field(default_factory=ManualClock)
    waits: InterruptibleWaits = field(default_factory=InterruptibleWaits)

    def __post_init__(self) -> None:
        self.pace = Pace(0, jitter=0.0, burst=0.0)
        self.provider = ScriptedModerator(self.clock, latency=0.3)
        self.gate = Gate(self.pace, self.shares, self.clock, self.waits)
        self.in_flight = InFlight(self.clock)
        self.gone: set[Partition] = set()
        self.paced = self.paced_over(self.provider)

    def paced_over(self, provider: Moderator) -> Paced:
        return Paced(
            provider,
            self.gate,
            self.pace,
            self.in_flight,
            lambda partition, _: partition not in self.gone,
            self.clock,
        )

    def ask(self, data_id: str, lane: str = "live") -> asyncio.Task[ModerationResult]:
        return asyncio.ensure_future(self.paced.ask(request(data_id), context(lane=lane)))

    async def pass_time(self, seconds: float) -> None:
        await self.clock.run(self.clock.sleep(seconds))


async def test_lanes_depart_by_their_shares() -> None:
    """
    With both waiting all the time, every tenth call is of the lane that is due a tenth.
    """
    paced = PacedProvider(GivenShares({"live": 9, "backfill": 1}))
    asked = [paced.ask(f"{lane}{n}", lane) for n in range(40) for lane in ("backfill", "live")]

    await paced.pass_time(3.95)

    assert len(paced.provider.asked) == 40
    assert sum(data_id.startswith("backfill") for data_id in paced.provider.asked) == 4
    for each in asked:
        each.cancel()


async def test_an_idle_lane_lends_its_share_and_has_it_back_at_once() -> None:
    """
    A lane that is alone has all of the quota; the one that wakes departs next, though many others wait.
    """
    paced = PacedProvider(GivenShares({"live": 9, "backfill": 1}))
    asked = [paced.ask(f"backfill{n}", "backfill") for n in range(40)]
    await paced.pass_time(1.95)
    alone = len(paced.provider.asked)

    asked.append(paced.ask("live"))
    await paced.pass_time(0.1)

    assert alone == 20
    assert paced.provider.asked[-1] == "live"
    for each in asked:
        each.cancel()


async def test_without_a_share_nothing_departs_and_those_who_wait_keep_their_order() -> None:
    """
    A share that goes holds everybody back; when there is one again, they depart in the order they came.
    """
    paced = PacedProvider(GivenShares({"live": 10}))
    asked = [paced.ask(str(n)) for n in range(4)]
    await paced.pass_time(0.15)

    paced.shares.give(live=0)
    await paced.pass_time(5.0)
    meanwhile = list(paced.provider.asked)
    paced.shares.give(live=10)
    await paced.clock.run(asyncio.gather(*asked))

    assert meanwhile == ["0", "1"]
    assert paced.provider.asked == ["0", "1", "2", "3"]


async def test_who_waits_without_a_share_is_let_go_at_a_stop() -> None:
    """
    A stop need not wait for a lease that may not come back: nothing of these calls was sent.
    """
    paced = PacedProvider(GivenShares({"live": 10}))
    asked = [paced.ask(str(n)) for n in range(3)]
    await paced.pass_time(0.05)
    paced.shares.give(live=0)
    await paced.pass_time(0.5)

    paced.waits.close()
    endings = await asyncio.gather(*asked, return_exceptions=True)

    assert [type(ending) for ending in endings] == [ModerationResult, asyncio.CancelledError, asyncio.CancelledError]


@pytest.mark.parametrize("regained", [False, True])
async def test_a_call_does_not_go_out_under_another_lease(regained: bool) -> None:
    """
    A call that was let go, and opens its connection while the lease ends, is kept back in the last moment; so it is
    where there is another lease by then, which knows nothing of it.
    """
    paced = PacedProvider(GivenShares({"live": 10}))
    connection = SlowConnection(paced.clock, 1.0)
    moderator = paced.paced_over(connection)
    asked = asyncio.ensure_future(moderator.ask(request("late"), context(lane="live")))
    await paced.pass_time(0.5)

    paced.shares.give(live=0)
    if regained:
        paced.shares.give(live=10)

    with pytest.raises(GrantRevoked):
        await paced.clock.run(asked)
    assert connection.sent == []


async def test_it_is_quiet_when_all_that_departed_have_come_back() -> None:
    """
    A rebalance waits for the calls that were sent, and not for those that wait for their moment.
    """
    paced = PacedProvider(GivenShares({"live": 1}))
    asked = [paced.ask(str(n)) for n in range(2)]
    await paced.pass_time(0.1)
    paced.shares.give(live=0)

    await paced.clock.run(paced.in_flight.drained())

    assert paced.clock.now() == pytest.approx(1000.3 + HAND_OVER)
    assert [each.done() for each in asked] == [True, False]
    asked[1].cancel()


async def test_nobody_pays_for_a_message_that_another_replica_reads() -> None:
    """
    A request whose partition is gone is dropped as its turn comes, and takes nobody's place.
    """
    paced = PacedProvider(GivenShares({"live": 1}))
    paced.gone.add(PARTITION)

    with pytest.raises(Lost):
        await paced.clock.run(paced.ask("lost"))
    paced.gone.clear()
    await paced.clock.run(paced.ask("ours"))

    assert paced.provider.asked == ["ours"]


async def test_what_is_another_replicas_takes_no_moment() -> None:
    """
    Many may have waited for a slot when their partition goes: whoever may call goes at once.
    """
    paced = PacedProvider(GivenShares({"live": 1}))
    gone = Partition("uploads", 7)
    paced.gone.add(gone)

    for _ in range(20):
        with pytest.raises(Lost):
            await paced.clock.run(paced.paced.ask(request("lost"), CallContext(partition=gone, lane="live")))
    await paced.clock.run(paced.ask("ours"))

    assert paced.provider.asked_at == [1_000.0]


async def test_the_wait_of_an_image_ends_with_its_first_departure() -> None:
    """
    Counted once an image, from the reading of its event; neither a retry nor a second service's request counts.
    """
    paced = PacedProvider(GivenShares({"live": 10}))
    read = paced.clock.wall()

    def counted() -> tuple[float, float]:
        name = "moderation_queue_seconds"
        return REGISTRY.get_sample_value(f"{name}_count") or 0.0, REGISTRY.get_sample_value(f"{name}_sum") or 0.0

    before = counted()
    await paced.pass_time(4.0)
    for call in (
        context(lane="live", received=read),
        context(lane="live", received=read, attempt=2),
        context(lane="live", received=None),
    ):
        await paced.clock.run(paced.paced.ask(request("1"), call))

    assert counted() == (before[0] + 1, before[1] + 4.0)


async def test_a_region_that_is_asked_little_is_not_kept_waiting_by_the_other() -> None:
    """
    A region that is coming back gets every second call, however many wait for the one that stands in for it.
    """
    paced = PacedProvider(GivenShares({"live": 10}))

    async def depart(region: str) -> float:
        (await paced.gate.next("live", region)).departure.sent(paced.clock.now())
        return paced.clock.now()

    waiting = [asyncio.ensure_future(depart("second")) for _ in range(20)]
    await paced.pass_time(0.25)

    departed = await paced.clock.run(depart("first"))

    assert departed == pytest.approx(1_000.4)
    await paced.clock.run(asyncio.gather(*waiting))


async def test_a_stop_lets_go_of_who_only_waits_for_its_moment() -> None:
    """
    It has cost nothing. What was sent is finished, and so is an image of which an answer is paid for already.
    """
    paced = PacedProvider(GivenShares({"live": 2, "backfill": 0}))
    sent = paced.ask("sent")
    await paced.pass_time(0.1)
    free = [paced.ask(f"free-{n}") for n in range(5)]
    paid = asyncio.ensure_future(paced.paced.ask(request("paid"), context(lane="live", paid=True)))
    await paced.pass_time(0.1)

    paced.waits.close()
    await paced.pass_time(5.0)

    assert sent.result()
    assert [each.cancelled() for each in free] == [True] * 5
    assert paid.result()
    assert paced.provider.asked == ["sent", "paid"]
    assert paced.pace.earliest() <= paced.clock.now()


async def test_a_stop_lets_go_of_who_waits_for_a_share_whatever_was_paid() -> None:
    """
    There may never be one again.
    """
    paced = PacedProvider(GivenShares({"live": 0, "backfill": 0}))
    paid = asyncio.ensure_future(paced.paced.ask(request("paid"), context(lane="live", paid=True)))
    waiting = [paced.ask("free"), paid]
    await paced.pass_time(0.1)

    paced.waits.close()
    await paced.pass_time(0.1)

    assert [each.cancelled() for each in waiting] == [True, True]


async def test_a_call_that_may_depart_does_so_at_once() -> None:
    """
    Where none waits and its moment has come, a call waits for nothing: it costs no turn of the loop.
    """
    paced = PacedProvider(GivenShares({"live": 10}))

    going = paced.gate.next("live")

    with pytest.raises(StopIteration):
        going.send(None)
    assert paced.gate.waiting("live") == 0


async def test_a_call_never_overtakes_one_that_waits() -> None:
    """
    A moment that has come is of the call that waited for it, not of one that comes by just then.
    """
    paced = PacedProvider(GivenShares({"live": 10}))
    asked = [paced.ask("first"), paced.ask("second")]
    await paced.pass_time(0.05)
    assert paced.gate.waiting("live") == 1
    paced.clock.time += 1.0  # a stall: nothing has looked since

    asked.append(paced.ask("third"))
    await paced.pass_time(1.0)

    assert paced.provider.asked == ["first", "second", "third"]
    for each in asked:
        each.cancel()
