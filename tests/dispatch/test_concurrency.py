import asyncio
from collections import defaultdict

import pytest

from consumer.dispatch.concurrency import AHEAD, MOST_AHEAD, ConcurrencyLimit
from consumer.dispatch.hosts import Hosts
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import CallFailed, ProviderFailed
from consumer.moderation.paced import Limited
from tests.moderation.requests import ScriptedModerator, context, request
from tests.rig.clock import ManualClock


async def test_no_more_calls_are_in_flight_than_there_are_slots() -> None:
    """
    With work always waiting, all slots are used and never one more.
    """
    clock = ManualClock()
    provider = ScriptedModerator(clock, latency=1.0)
    moderator = Limited(provider, ConcurrencyLimit(4), defaultdict(Hosts), InterruptibleWaits())

    await clock.run(asyncio.gather(*(moderator.ask(request(str(n)), context()) for n in range(10))))

    assert provider.most_in_flight == 4
    assert provider.asked == [str(n) for n in range(10)]


async def test_failures_and_cancellations_give_their_slot_back() -> None:
    """
    However a call ends, its slot is free afterwards; one that was only waited for is not lost either.
    """
    clock = ManualClock()
    slots = ConcurrencyLimit(1)
    moderator = Limited(
        ScriptedModerator(clock, [lambda: ProviderFailed("500")], latency=1.0),
        slots,
        defaultdict(Hosts),
        InterruptibleWaits(),
    )

    with pytest.raises(CallFailed):
        await clock.run(moderator.ask(request(), context()))
    holding = asyncio.ensure_future(moderator.ask(request(), context()))
    waiting = asyncio.ensure_future(moderator.ask(request(), context()))
    await asyncio.sleep(0)
    waiting.cancel()
    holding.cancel()
    await asyncio.wait([holding, waiting])

    assert slots.held == 0
    await clock.run(moderator.ask(request(), context()))


async def test_no_more_are_begun_than_may_wait_for_a_slot() -> None:
    """
    Whoever asks whether another may begin waits while four wait for each slot, and goes on when one of them has one.
    """
    clock = ManualClock()
    slots = ConcurrencyLimit(2)
    moderator = Limited(ScriptedModerator(clock, latency=1.0), slots, defaultdict(Hosts), InterruptibleWaits())
    calls = [asyncio.ensure_future(moderator.ask(request(str(n)), context())) for n in range(2 + AHEAD * 2)]

    async def moment_of_room() -> float:
        await asyncio.sleep(0)
        await slots.wait_for_capacity()
        return clock.now()

    room_at, *_ = await clock.run(asyncio.gather(moment_of_room(), *calls))

    assert room_at == 1001.0  # two calls ended


async def test_of_many_slots_no_more_than_a_fixed_number_is_begun_ahead() -> None:
    """
    Each that is begun takes memory; what waits in line does not.
    """
    clock = ManualClock()
    size = MOST_AHEAD // AHEAD + 2
    slots = ConcurrencyLimit(size)
    moderator = Limited(ScriptedModerator(clock, latency=1.0), slots, defaultdict(Hosts), InterruptibleWaits())
    calls = [asyncio.ensure_future(moderator.ask(request(str(n)), context())) for n in range(size + MOST_AHEAD - 1)]

    await asyncio.sleep(0)
    before = slots.has_capacity()
    calls.append(asyncio.ensure_future(moderator.ask(request("last"), context())))
    await asyncio.sleep(0)
    after = slots.has_capacity()
    await clock.run(asyncio.gather(*calls))

    assert (before, after) == (True, False)


async def test_a_lane_that_wakes_finds_the_slots_that_are_reserved_for_it() -> None:
    """
    However many calls a backfill has waiting, it fills no more than two thirds and its own reserve, and live goes first
    where both wait.
    """
    clock = ManualClock()
    provider = ScriptedModerator(clock, latency=1.0)
    slots = ConcurrencyLimit(30, {"live": 9.0, "backfill": 1.0})
    moderator = Limited(provider, slots, defaultdict(Hosts), InterruptibleWaits())
    asked = [asyncio.ensure_future(moderator.ask(request(f"b{n}"), context(lane="backfill"))) for n in range(60)]
    await clock.run(clock.sleep(0.5))
    alone = provider.in_flight

    asked += [asyncio.ensure_future(moderator.ask(request(f"l{n}"), context(lane="live"))) for n in range(30)]
    await clock.run(clock.sleep(0.1))
    at_once = [data_id for data_id in provider.asked if data_id.startswith("l")]
    await clock.run(clock.sleep(0.6))
    freed = provider.asked[30:]

    assert alone == 21
    assert at_once == [f"l{n}" for n in range(9)]
    assert sum(data_id.startswith("l") for data_id in freed) >= 0.8 * len(freed) > 0
    await clock.run(asyncio.gather(*asked))
    assert (provider.most_in_flight, slots.held) == (30, 0)


async def test_room_can_be_asked_for_by_lane() -> None:
    """
    A lane of which many wait does not keep others from beginning.
    """
    clock = ManualClock()
    slots = ConcurrencyLimit(6, {"live": 1.0, "backfill": 1.0})
    moderator = Limited(ScriptedModerator(clock, latency=1.0), slots, defaultdict(Hosts), InterruptibleWaits())
    many = 5 + AHEAD * 6  # one slot is reserved for live
    asked = [asyncio.ensure_future(moderator.ask(request(str(n)), context(lane="backfill"))) for n in range(many)]
    await clock.run(clock.sleep(0.5))

    await clock.run(slots.wait_for_capacity(["live"]))
    live_at = clock.now()
    await clock.run(slots.wait_for_capacity(["backfill"]))

    assert live_at == 1000.5
    assert clock.now() == 1001.0  # five calls ended, five others took their slots
    await clock.run(asyncio.gather(*asked))


async def test_a_stop_lets_go_of_who_waits_for_a_slot() -> None:
    """
    The slot stays whole, and goes to an image of which an answer is paid for already.
    """
    clock, waits, slots = ManualClock(), InterruptibleWaits(), ConcurrencyLimit(1)
    moderator = Limited(ScriptedModerator(clock, latency=1.0), slots, defaultdict(Hosts), waits)
    holds = asyncio.ensure_future(moderator.ask(request("holds"), context()))
    await clock.run(clock.sleep(0.1))
    free = asyncio.ensure_future(moderator.ask(request("free"), context()))
    paid = asyncio.ensure_future(moderator.ask(request("paid"), context(paid=True)))
    await clock.run(clock.sleep(0.1))

    waits.close()
    await clock.run(asyncio.wait([holds, free, paid]))

    assert holds.result()
    assert free.cancelled()
    assert paid.result()
    assert slots.held == 0
