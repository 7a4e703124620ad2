"""How much is begun under a small share."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from consumer.dispatch.concurrency import ConcurrencyLimit
from consumer.dispatch.startable import Startable, calls_in_time
from consumer.fairness import DEFAULT
from tests.moderation.requests import GivenShares
from tests.rig.clock import ManualClock


@pytest.mark.parametrize(
    ("share", "calls", "begun"), [(1, 1, 12), (1, 3, 4), (2, 1, 25), (100, 1, 64), (0, 1, 64), (1, 20, 1)]
)
async def test_no_more_is_begun_than_the_share_can_start_in_time(share: int, calls: int, begun: int) -> None:
    """
    With 25 s for a stop, half of which is for starting calls; an image is begun in any case, and 64 at the most.
    """
    slots = ConcurrencyLimit(64)
    startable = Startable(GivenShares({DEFAULT: share}), slots, calls, 25.0, ManualClock())
    count = 0

    async with AsyncExitStack() as held:
        while slots.has_capacity() and startable.has_capacity():
            await held.enter_async_context(slots.slot(DEFAULT))
            count += 1

    assert count == begun


async def test_who_waits_for_room_sees_that_the_share_grew() -> None:
    """
    Within a twentieth of a second.
    """
    clock, slots, shares = ManualClock(), ConcurrencyLimit(64), GivenShares({DEFAULT: 1})
    startable = Startable(shares, slots, 1, 2.0, clock)
    async with slots.slot(DEFAULT):
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
