"""What is logged of a kind: enough to know of it, and no flood."""

import io
import logging
from typing import Any

import orjson
import pytest
import structlog

from consumer.config.operation import LogSettings
from consumer.observability import metrics
from consumer.observability.log_context import say_in_every_line
from consumer.observability.log_limits import INTERVAL, MOST_KINDS, MOST_LINES, REASONS, EventLimits, LogLimits
from consumer.observability.logs import set_up_logs
from tests.rig.clock import ManualClock

pytestmark = pytest.mark.usefixtures("restored_logging")


def record(
    text: str, *arguments: object, name: str = "aiokafka.client", level: int = logging.ERROR
) -> logging.LogRecord:
    return logging.LogRecord(name, level, __file__, 1, text, arguments, None)


def test_one_line_of_a_kind_is_written_in_a_minute_and_the_next_says_how_many_were_not() -> None:
    """
    Seventy lines a second become one a minute, whatever broker they name; nothing of it is passed over in silence.
    """
    clock = ManualClock()
    limits = LogLimits(clock.now)
    before = metrics.LOG_LINES_LEFT_OUT.labels("aiokafka.client")._value.get()
    written: list[logging.LogRecord] = []

    for number in range(70 * 125):
        line = record("Unable connect to node with id %s: %s", number % 3, "refused")
        if limits.filter(line):
            written.append(line)
        clock.time += 1 / 70

    told = [getattr(line, "left_out", 0) for line in written]
    assert len(written) == 3
    assert told[0] == 0
    assert all(abs(left_out - 70 * 60) <= 1 for left_out in told[1:])
    assert metrics.LOG_LINES_LEFT_OUT.labels("aiokafka.client")._value.get() - before == 70 * 125 - len(written)


def test_another_kind_is_written_at_once() -> None:
    """
    Another text, level or logger is another kind.
    """
    limits = LogLimits(ManualClock().now)
    kinds = [record("a"), record("b"), record("a", level=logging.WARNING), record("a", name="aiohttp")]

    assert [limits.filter(each) for each in kinds] == [True] * 4
    assert [limits.filter(each) for each in kinds] == [False] * 4


def test_texts_that_a_library_makes_up_take_no_memory_for_ever() -> None:
    """
    The kinds that are remembered have a bound.
    """
    clock = ManualClock()
    limits = LogLimits(clock.now)

    for number in range(3 * MOST_KINDS):
        assert limits.filter(record(f"made up {number}"))
        assert not limits.filter(record(f"made up {number}"))

    assert len(limits._written) == MOST_KINDS
    assert len(limits._left_out) <= MOST_KINDS
    clock.time += INTERVAL
    assert limits.filter(record(f"made up {number}"))


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_every_line_names_group_and_replica(log_format: str) -> None:
    """
    Ours and other libraries', so that one place may keep the lines of many.
    """
    stream = io.StringIO()
    set_up_logs(LogSettings(format=log_format), stream)
    say_in_every_line(group="moderation", replica="pod-7-1f2e3d4c")

    for number in range(3):
        structlog.get_logger().warning("call.failed", number=number)
        logging.getLogger("aiokafka").error("Unable to update metadata from %s", [number])

    lines = stream.getvalue().splitlines()
    assert sum("call.failed" in line for line in lines) == 3
    assert sum("Unable to update metadata" in line for line in lines) == 1
    if log_format == "json":
        told = [orjson.loads(line) for line in lines]
        assert {(line["group"], line["replica"]) for line in told} == {("moderation", "pod-7-1f2e3d4c")}
    else:
        assert all("pod-7-1f2e3d4c" in line for line in lines)


def test_a_line_that_follows_says_how_many_of_its_kind_were_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    In a field of its own.
    """
    clock, stream = ManualClock(), io.StringIO()
    set_up_logs(LogSettings(format="json"), stream)
    [handler] = logging.root.handlers
    [limits] = [each for each in handler.filters if isinstance(each, LogLimits)]
    monkeypatch.setattr(limits, "_now", clock.now)

    for wait in (0.0, 0.0, 0.0, INTERVAL):
        clock.time += wait
        logging.getLogger("aiokafka").error("Heartbeat failed: %r", "x")

    told = [orjson.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("left_out") for line in told] == [None, 2]


def passed(limits: EventLimits, method: str = "warning", **event: Any) -> dict[str, Any] | None:
    """The line as it is written, None where it is not."""
    try:
        return dict(limits(None, method, event))
    except structlog.DropEvent:
        return None


def test_whoever_sends_what_is_logged_does_not_fill_the_disk() -> None:
    """
    Of an event and reason ten lines are written in a minute, whatever else they say, and the next one counts the rest.
    """
    clock = ManualClock()
    limits = EventLimits(clock.now)

    lines = [passed(limits, event="message.dead_lettered", reason="not_json", offset=n) for n in range(1_000)]
    clock.time += INTERVAL
    after = passed(limits, event="message.dead_lettered", reason="not_json", offset=1_000)

    assert [line for line in lines if line] == lines[:MOST_LINES]
    assert after == {"event": "message.dead_lettered", "reason": "not_json", "offset": 1_000, "left_out": 990}


@pytest.mark.parametrize("name", REASONS)
def test_a_reason_that_is_rare_is_not_lost_among_those_that_are_not(name: str) -> None:
    """
    By whatever field the line says it.
    """
    limits = EventLimits(ManualClock().now)
    for _ in range(100):
        passed(limits, event="call.failed", **{name: "often"})

    assert passed(limits, event="call.failed", **{name: "rare"}) is not None
    assert passed(limits, event="another", **{name: "often"}) is not None
    assert passed(limits, method="error", event="call.failed", **{name: "often"}) is not None


def test_lines_for_debugging_are_all_written() -> None:
    """
    Whoever asks for them wants to see each.
    """
    limits = EventLimits(ManualClock().now)

    assert all(passed(limits, method="debug", event="verdict.published") for _ in range(100))


def test_reasons_that_somebody_makes_up_are_bounded() -> None:
    """
    What is remembered of them does not grow.
    """
    limits = EventLimits(ManualClock().now)
    for number in range(3 * MOST_KINDS):
        passed(limits, event="call.failed", code=f"{number}" * 1_000)

    assert len(limits._minutes) == MOST_KINDS
