import asyncio
from dataclasses import dataclass, field, replace

import pytest
from prometheus_client import REGISTRY

from consumer.errors import Lost
from consumer.flight import HAND_OVER, Flight
from consumer.moderation import Moderator, Overtaken, Question
from consumer.moderation.departures import Departures, Paced
from consumer.moderation.lobby import Lobby
from consumer.moderation.pace import Pace
from consumer.records import Answer, Partition
from tests.clock import ManualClock
from tests.moderation.questions import PLACE, GivenShares, ScriptedModerator, question


class SlowConnection:
    """Answers calls whose bytes go out some time after they were let go."""

    def __init__(self, clock: ManualClock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self.sent: list[str] = []

    async def ask(self, question: Question) -> Answer:
        await self._clock.sleep(self._seconds)
        return await ScriptedModerator(self._clock, latency=0.2).ask(replace(question, on_sent=self._noting(question)))

    def _noting(self, question: Question):  # type: ignore[no-untyped-def]
        def on_sent() -> None:
            assert question.on_sent
            question.on_sent()
            self.sent.append(question.data_id)

        return on_sent


@dataclass
class Gate:
    """A pace of ten a second, shares, and the layer between a question and a provider."""

    shares: GivenShares
    clock: ManualClock = field(default_factory=ManualClock)
    lobby: Lobby = field(default_factory=Lobby)

    def __post_init__(self) -> None:
        self.pace = Pace(0, jitter=0.0, burst=0.0)
        self.provider = ScriptedModerator(self.clock, latency=0.3)
        self.departures = Departures(self.pace, self.shares, self.clock, self.lobby)
        self.flight = Flight(self.clock)
        self.gone: set[Partition] = set()
        self.paced = self.paced_over(self.provider)

    def paced_over(self, provider: Moderator) -> Paced:
        return Paced(
            provider,
            self.departures,
            self.pace,
            self.flight,
            lambda partition, _: partition not in self.gone,
            self.clock,
        )

    def ask(self, data_id: str, lane: str = "live") -> asyncio.Task[Answer]:
        return asyncio.ensure_future(self.paced.ask(replace(question(data_id), lane=lane)))

    async def pass_time(self, seconds: float) -> None:
        await self.clock.run(self.clock.sleep(seconds))


async def test_lanes_depart_by_their_shares() -> None:
    """
    With both waiting all the time, every tenth call is of the lane that is due a tenth.
    """
    gate = Gate(GivenShares({"live": 9, "backfill": 1}))
    asked = [gate.ask(f"{lane}{n}", lane) for n in range(40) for lane in ("backfill", "live")]

    await gate.pass_time(3.95)

    assert len(gate.provider.asked) == 40
    assert sum(data_id.startswith("backfill") for data_id in gate.provider.asked) == 4
    for each in asked:
        each.cancel()


async def test_an_idle_lane_lends_its_share_and_has_it_back_at_once() -> None:
    """
    A lane that is alone has all of the quota; the one that wakes departs next, though many others wait.
    """
    gate = Gate(GivenShares({"live": 9, "backfill": 1}))
    asked = [gate.ask(f"backfill{n}", "backfill") for n in range(40)]
    await gate.pass_time(1.95)
    alone = len(gate.provider.asked)

    asked.append(gate.ask("live"))
    await gate.pass_time(0.1)

    assert alone == 20
    assert gate.provider.asked[-1] == "live"
    for each in asked:
        each.cancel()


async def test_without_a_share_nothing_departs_and_those_who_wait_keep_their_order() -> None:
    """
    A share that goes holds everybody back; when there is one again, they depart in the order they came.
    """
    gate = Gate(GivenShares({"live": 10}))
    asked = [gate.ask(str(n)) for n in range(4)]
    await gate.pass_time(0.15)

    gate.shares.give(live=0)
    await gate.pass_time(5.0)
    meanwhile = list(gate.provider.asked)
    gate.shares.give(live=10)
    await gate.clock.run(asyncio.gather(*asked))

    assert meanwhile == ["0", "1"]
    assert gate.provider.asked == ["0", "1", "2", "3"]


async def test_who_waits_without_a_share_is_let_go_at_a_stop() -> None:
    """
    A stop need not wait for a lease that may not come back: nothing of these calls was sent.
    """
    gate = Gate(GivenShares({"live": 10}))
    asked = [gate.ask(str(n)) for n in range(3)]
    await gate.pass_time(0.05)
    gate.shares.give(live=0)
    await gate.pass_time(0.5)

    gate.lobby.close()
    endings = await asyncio.gather(*asked, return_exceptions=True)

    assert [type(ending) for ending in endings] == [Answer, asyncio.CancelledError, asyncio.CancelledError]


@pytest.mark.parametrize("regained", [False, True])
async def test_a_call_does_not_go_out_under_another_lease(regained: bool) -> None:
    """
    A call that was let go, and opens its connection while the lease ends, is kept back in the last moment; so it is
    where there is another lease by then, which knows nothing of it.
    """
    gate = Gate(GivenShares({"live": 10}))
    connection = SlowConnection(gate.clock, 1.0)
    paced = gate.paced_over(connection)
    asked = asyncio.ensure_future(paced.ask(replace(question("late"), lane="live")))
    await gate.pass_time(0.5)

    gate.shares.give(live=0)
    if regained:
        gate.shares.give(live=10)

    with pytest.raises(Overtaken):
        await gate.clock.run(asked)
    assert connection.sent == []


async def test_it_is_quiet_when_all_that_departed_have_come_back() -> None:
    """
    A rebalance waits for the calls that were sent, and not for those that wait for their moment.
    """
    gate = Gate(GivenShares({"live": 1}))
    asked = [gate.ask(str(n)) for n in range(2)]
    await gate.pass_time(0.1)
    gate.shares.give(live=0)

    await gate.clock.run(gate.flight.quiet())

    assert gate.clock.now() == pytest.approx(1000.3 + HAND_OVER)
    assert [each.done() for each in asked] == [True, False]
    asked[1].cancel()


async def test_nobody_pays_for_a_message_that_another_replica_reads() -> None:
    """
    A question whose partition is gone is dropped as its turn comes, and takes nobody's place.
    """
    gate = Gate(GivenShares({"live": 1}))
    gate.gone.add(PLACE)

    with pytest.raises(Lost):
        await gate.clock.run(gate.ask("lost"))
    gate.gone.clear()
    await gate.clock.run(gate.ask("ours"))

    assert gate.provider.asked == ["ours"]


async def test_the_wait_of_an_image_ends_with_its_first_departure() -> None:
    """
    Counted once an image, from the reading of its event; neither a retry nor a second service's question counts.
    """
    gate = Gate(GivenShares({"live": 10}))
    read = gate.clock.wall()

    def counted() -> tuple[float, float]:
        name = "moderation_queue_seconds"
        return REGISTRY.get_sample_value(f"{name}_count") or 0.0, REGISTRY.get_sample_value(f"{name}_sum") or 0.0

    before = counted()
    await gate.pass_time(4.0)
    first = replace(question("1"), lane="live", received=read)
    await gate.clock.run(gate.paced.ask(first))
    await gate.clock.run(gate.paced.ask(replace(first, attempt=2)))
    await gate.clock.run(gate.paced.ask(replace(first, received=None)))

    assert counted() == (before[0] + 1, before[1] + 4.0)


async def test_a_region_that_is_asked_little_is_not_kept_waiting_by_the_other() -> None:
    """
    A region that is coming back gets every second call, however many wait for the one that stands in for it.
    """
    gate = Gate(GivenShares({"live": 10}))

    async def depart(region: str) -> float:
        (await gate.departures.next("live", region)).departure.sent(gate.clock.now())
        return gate.clock.now()

    waiting = [asyncio.ensure_future(depart("second")) for _ in range(20)]
    await gate.pass_time(0.25)

    departed = await gate.clock.run(depart("first"))

    assert departed == pytest.approx(1_000.4)
    await gate.clock.run(asyncio.gather(*waiting))


async def test_a_stop_lets_go_of_who_only_waits_for_its_moment() -> None:
    """
    It has cost nothing. What was sent is finished, and so is an image of which an answer is paid for already.
    """
    gate = Gate(GivenShares({"live": 2, "backfill": 0}))
    sent = gate.ask("sent")
    await gate.pass_time(0.1)
    free = [gate.ask(f"free-{n}") for n in range(5)]
    paid = asyncio.ensure_future(gate.paced.ask(replace(question("paid"), lane="live", paid=True)))
    await gate.pass_time(0.1)

    gate.lobby.close()
    await gate.pass_time(5.0)

    assert sent.result()
    assert [each.cancelled() for each in free] == [True] * 5
    assert paid.result()
    assert gate.provider.asked == ["sent", "paid"]
    assert gate.pace.earliest() <= gate.clock.now()


async def test_a_stop_lets_go_of_who_waits_for_a_share_whatever_was_paid() -> None:
    """
    There may never be one again.
    """
    gate = Gate(GivenShares({"live": 0, "backfill": 0}))
    paid = asyncio.ensure_future(gate.paced.ask(replace(question("paid"), lane="live", paid=True)))
    waiting = [gate.ask("free"), paid]
    await gate.pass_time(0.1)

    gate.lobby.close()
    await gate.pass_time(0.1)

    assert [each.cancelled() for each in waiting] == [True, True]
