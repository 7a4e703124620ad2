import asyncio
import time

import pytest
import uvloop

from consumer.clock import SystemClock


def test_a_lease_runs_on_while_the_machine_is_suspended(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The group gives a silent replica's partitions away whether its machine runs or not: the clock by which leases end
    is the one that counts suspension.
    """
    suspended = 3_600.0
    reads = time.clock_gettime

    def after_suspension(clock: int) -> float:
        return reads(clock) + (suspended if clock == time.CLOCK_BOOTTIME else 0.0)

    before = SystemClock().now()
    monkeypatch.setattr(time, "clock_gettime", after_suspension)

    assert SystemClock().now() - before >= suspended


def test_a_sleep_lasts_until_its_moment() -> None:
    """
    uvloop's timers know whole milliseconds: who waits for a moment between two of them must not wake before it.
    """

    async def shortest() -> float:
        clock, slept = SystemClock(), []
        for _ in range(20):
            began = time.monotonic()
            await clock.sleep(0.0014)
            slept.append(time.monotonic() - began)
        return min(slept)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(shortest()) >= 0.0014
