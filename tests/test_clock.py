import time

import pytest

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
