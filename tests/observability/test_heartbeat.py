from consumer.observability.heartbeat import PATIENCE, Heartbeat
from tests.rig.clock import ManualClock


def test_a_loop_that_has_not_turned_for_a_minute_has_stalled() -> None:
    """
    It says which and for how long, and takes it back with the next turn.
    """
    clock = ManualClock()
    heartbeat = Heartbeat("the poll loop", clock)

    heartbeat.beat()
    clock.time += PATIENCE - 1
    in_time = heartbeat.complaints()
    clock.time += 2
    late = heartbeat.complaints()
    heartbeat.beat()

    assert in_time == []
    assert late == ["the poll loop has not completed an iteration for 61 s"]
    assert heartbeat.complaints() == []


def test_a_loop_that_sleeps_between_its_turns_has_that_time_too() -> None:
    """
    Otherwise one that is meant to turn every two minutes would be restarted every minute.
    """
    clock = ManualClock()
    heartbeat = Heartbeat("the commit loop", clock, interval=120.0)

    heartbeat.beat()
    clock.time += 120.0 + PATIENCE - 1
    in_time = heartbeat.complaints()
    clock.time += 2

    assert in_time == []
    assert heartbeat.complaints()


def test_a_loop_that_has_not_begun_or_waits_for_others_may_take_its_time() -> None:
    """
    However long that was, none of it counts afterwards.
    """
    clock = ManualClock()
    heartbeat = Heartbeat("the commit loop", clock)

    clock.time += 3_600
    not_begun = heartbeat.complaints()
    heartbeat.beat()
    with heartbeat.resting():
        clock.time += 3_600
        resting = heartbeat.complaints()
    back = heartbeat.complaints()
    clock.time += PATIENCE

    assert not_begun == resting == back == []
    assert heartbeat.complaints()
