"""How much is begun under a small share."""

import asyncio

import pytest

from consumer.dispatch.concurrency import ConcurrencyLimit, Unfinished
from consumer.dispatch.flows import Flow
from consumer.dispatch.startable import Startable, calls_in_time
from consumer.fairness import DEFAULT
from tests.moderation.requests import GivenShares
from tests.rig.clock import ManualClock


class Left(Unfinished):
    """An image of which so many calls are left."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def calls_left(self, most: int) -> int:
        return self.calls


@pytest.mark.parametrize(
    ("share", "calls", "begun"), [(1, 1, 12), (1, 3, 4), (2, 1, 25), (100, 1, 320), (0, 1, 320), (1, 20, 1)]
)
async def test_no_more_is_begun_than_the_share_can_start_in_time(share: int, calls: int, begun: int) -> None:
    """
    With 25 s for a stop, half of which is for starting calls; an image is begun in any case; at the most 64 have a slot
    and 256 wait for one.
    """
    slots = ConcurrencyLimit(64)
    startable = Startable(GivenShares({DEFAULT: share}), slots, lambda: calls, 25.0, ManualClock())

    async def call() -> None:
        async with slots.slot(DEFAULT, Flow()):
            await asyncio.Event().wait()

    under_way: list[asyncio.Task[None]] = []
    while slots.has_capacity() and startable.has_capacity():
        under_way.append(asyncio.create_task(call()))
        await asyncio.sleep(0)
    for each in under_way:
        each.cancel()

    assert len(under_way) == begun


async def test_what_waits_for_a_slot_and_has_cost_nothing_keeps_nobody_from_beginning() -> None:
    """
    A stop lets go of it. So a backfill whose images hang does not keep a live lane from the slots reserved for it.
    """
    slots = ConcurrencyLimit(64, {"live": 9.0, "backfill": 1.0})
    startable = Startable(GivenShares({"live": 20}), slots, lambda: 2, 25.0, ManualClock())

    async def call(lane: str, paid: bool = False) -> None:
        async with slots.slot(lane, Flow(lane), first=paid):
            await asyncio.Event().wait()

    unpaid = [asyncio.create_task(call("backfill")) for _ in range(200)]
    await asyncio.sleep(0)
    may_begin = startable.has_capacity()
    paid = [asyncio.create_task(call("backfill", paid=True)) for _ in range(200)]
    await asyncio.sleep(0)

    assert (may_begin, startable.has_capacity()) == (True, False)
    for each in [*unpaid, *paid]:
        each.cancel()


@pytest.mark.parametrize(
    ("share", "most", "left", "begins"),
    [
        (6, 64, [], True),  # 75 calls can be started in time, and the next image may become 64
        (6, 64, [1] * 11, True),
        (6, 64, [1] * 12, False),
        (6, 64, [11], True),
        (6, 64, [12], False),
        (6, 64, [64], False),
        (6, 2, [1] * 73, True),
        (6, 2, [1] * 74, False),
        (1, 64, [], True),
        (1, 64, [1], False),
        (0, 64, [64] * 9, True),
    ],
)
async def test_of_an_image_that_is_known_what_is_left_counts(
    share: int, most: int, left: list[int], begins: bool
) -> None:
    """
    Once for all of its calls that have a slot or are next to have one; the one that would begin may become `most`.
    """
    slots = ConcurrencyLimit(64)
    startable = Startable(GivenShares({DEFAULT: share}), slots, lambda: most, 25.0, ManualClock())

    async def call(image: Left) -> None:
        async with slots.slot(DEFAULT, Flow(), image, first=True):
            await asyncio.Event().wait()

    images = [Left(calls) for calls in left]
    under_way = [asyncio.create_task(call(image)) for image in images for _ in range(min(8, image.calls))]
    await asyncio.sleep(0)
    may_begin = startable.has_capacity()
    for each in under_way:
        each.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)

    assert may_begin is begins
    assert not slots.unfinished


async def test_who_waits_for_room_sees_that_the_share_grew() -> None:
    """
    Within a twentieth of a second.
    """
    clock, slots, shares = ManualClock(), ConcurrencyLimit(64), GivenShares({DEFAULT: 1})
    startable = Startable(shares, slots, lambda: 1, 2.0, clock)
    async with slots.slot(DEFAULT, Flow()):
        waiting = asyncio.ensure_future(startable.wait_for_capacity())
        await clock.run(clock.sleep(1.0))
        waited = not waiting.done()

        shares.give(**{DEFAULT: 10})
        await clock.run(clock.sleep(0.06))

    assert waited
    assert waiting.done()


def test_a_call_can_always_be_started() -> None:
    """
    However little time there is.
    """
    assert calls_in_time(1, 0.5) == 1
