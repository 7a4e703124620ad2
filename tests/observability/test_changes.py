"""What the log says of readiness: beginnings and ends, and reminders in between."""

from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from consumer.observability.changes import AGAIN, LOOK_INTERVAL, REMINDER, State, told
from tests.rig.clock import ManualClock


@pytest.fixture(autouse=True)
def unconfigured_logging() -> None:
    structlog.reset_defaults()


def said(by_second: list[list[str]]) -> list[dict[str, Any]]:
    """What is logged of a state whose reasons are these, second by second."""
    now = 1_000.0
    state = State("state.lost", "state.regained", lambda: by_second[int(now - 1_000.0)])
    with capture_logs() as logs:
        for _ in by_second:
            state.look(now)
            now += 1.0
    return [dict(line) for line in logs]


def test_a_line_begins_and_a_line_ends_a_state() -> None:
    """
    With the reasons, and with how long it took; nothing is said while nothing is wrong.
    """
    lines = said([[], ["kafka: away for 1 s"], ["kafka: away for 2 s"], ["kafka: away for 3 s"], [], []])

    assert lines == [
        {"event": "state.lost", "log_level": "warning", "reasons": ["kafka: away for 1 s"], "seconds": 0.0},
        {"event": "state.regained", "log_level": "info", "seconds": 3.0},
    ]


def test_a_state_that_lasts_is_said_again_once_a_minute() -> None:
    """
    Whatever its numbers count.
    """
    lines = said([[f"kafka: away for {second} s"] for second in range(181)])

    assert [line["seconds"] for line in lines] == [0.0, REMINDER, 2 * REMINDER, 3 * REMINDER]


def test_another_reason_is_said_within_ten_seconds() -> None:
    """
    And no more often than that, however the reasons change.
    """
    lines = said([[("kafka: away", "quota: no commit")[second % 2]] for second in range(31)])

    assert [line["seconds"] for line in lines][:2] == [0.0, AGAIN + 1.0]
    assert len(lines) <= 4


async def test_a_reason_that_cannot_be_asked_for_silences_no_other() -> None:
    """
    It is counted, and the others are looked at all the same.
    """
    clock = ManualClock()

    def fails() -> list[str]:
        raise RuntimeError

    states = (State("a.lost", "a.regained", fails), State("b.lost", "b.regained", lambda: ["why"]))
    with capture_logs() as logs:
        async with told(states, clock):
            await clock.run(clock.sleep(2.5 * LOOK_INTERVAL))

    assert [line["event"] for line in logs] == ["b.lost"]
