import io
import logging
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
import pytest
import structlog

from consumer.config.operation import LogSettings
from consumer.observability.logs import set_up_logs
from tests.rig.speed import is_quick, repeated

pytestmark = pytest.mark.usefixtures("restored_logging")


def fail_holding_a_secret() -> None:
    canary = "canary-secret"
    raise ValueError(f"failed with {len(canary)} characters in hand")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_does_not_show_what_its_frames_held(log_format: str) -> None:
    """
    Local variables hold keys and presigned URLs: a logged exception names files, lines and its message only.
    """
    stream = io.StringIO()
    set_up_logs(LogSettings(format=log_format), stream)

    try:
        fail_holding_a_secret()
    except ValueError as error:
        structlog.get_logger().error("something.failed", exc_info=error)
        logging.getLogger("library").exception("failed too")

    logged = stream.getvalue()
    assert logged.count("failed with 13 characters in hand") == 2
    assert "fail_holding_a_secret" in logged
    assert "canary-secret" not in logged


def urlopen_like(url: str) -> None:
    raise ValueError(f"cannot get '{url}' because")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_url_is_told_without_its_query(log_format: str) -> None:
    """
    Libraries put whole URLs into their exceptions, and a presigned query is a credential. The rest of the line stays.
    """
    stream = io.StringIO()
    set_up_logs(LogSettings(format=log_format), stream)

    try:
        urlopen_like("https://img.example.com/a.jpg?sig=canary&x=1")
    except ValueError as error:
        structlog.get_logger().error("something.failed", exc_info=error, url="s3://b/k?canary", why="is it? so")
        logging.getLogger("library").warning("at https://img.example.com/?canary#canary.")

    logged = stream.getvalue()
    assert "canary&" not in logged
    assert "?canary" not in logged
    assert "cannot get 'https://img.example.com/a.jpg?…' because" in logged
    assert "is it? so" in logged
    if log_format == "json":
        assert all(orjson.loads(line)["event"] for line in logged.splitlines())


def test_a_line_is_one_json_object_with_event_level_and_time() -> None:
    """
    Ours and the libraries' lines look alike; what is below the level is not written.
    """
    stream = io.StringIO()
    set_up_logs(LogSettings(format="json"), stream)

    structlog.get_logger().info("service.started", qps=100)
    structlog.get_logger().debug("too.quiet")
    logging.getLogger("aiokafka").warning("from %s", "afar")

    ours, theirs = map(orjson.loads, stream.getvalue().splitlines())
    assert (ours["event"], ours["level"], ours["qps"]) == ("service.started", "info", 100)
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("from afar", "warning", "aiokafka")
    assert ours.keys() >= {"time"} <= theirs.keys()


class Hostile:
    """Fails at whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError("canary")

    __str__ = __repr__


def circle() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize(
    "value",
    [Hostile(), "\ud800", b"\xff\x00", 10**5000, circle(), {1: Hostile()}, "\x1b[31m\n{event}"],
    ids=["a failing repr", "surrogate", "bytes", "huge", "circle", "below", "escapes"],
)
def test_nothing_that_is_logged_raises(log_format: str, value: Any) -> None:
    """
    Neither the service's loggers nor the libraries' do, whatever they are given; each line names its event.
    """
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    set_up_logs(LogSettings(format=log_format), stream)

    structlog.get_logger().error("something.happened", value=value)
    structlog.get_logger().error("something.failed", exc_info=ValueError(value))
    logging.getLogger("library").warning("it was %s", value)
    logging.getLogger("library").warning("it was %d", value, value)

    written = stream.buffer.getvalue().decode()
    assert "something.happened" in written
    assert "something.failed" in written
    assert "library" in written
    if log_format == "json":
        assert len([orjson.loads(line) for line in written.splitlines()]) == 4


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("piece", ["a", "a://", "://a@", "?", "\\", '"', "w\n", "\x00"])
def test_a_hostile_megabyte_is_logged_in_no_time(log_format: str, piece: str) -> None:
    """
    As a message, a field or an exception's text, it is cut before anything looks at it, and the line stays short.
    """
    stream = io.StringIO()
    set_up_logs(LogSettings(format=log_format), stream)

    def log(text: str) -> None:
        stream.seek(0)
        structlog.get_logger().error("something.failed", field=text, exc_info=ValueError(text))
        logging.getLogger("library").warning(text)
        stream.truncate()

    assert is_quick(log, partial(repeated, piece), 0.5)
    assert len(stream.getvalue()) < 120_000


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_every_text_of_a_line_is_cut_to_two_thousand_characters(log_format: str) -> None:
    """
    A field, a message, what a message is filled in with, and an exception's text; each says how long it was.
    """
    stream = io.StringIO()
    set_up_logs(LogSettings(format=log_format), stream)

    structlog.get_logger().error("something.failed", field="f" * 1_000_000, exc_info=ValueError("e" * 1_000_000))
    logging.getLogger("library").warning("l" * 1_000_000)
    logging.getLogger("other").warning("before %s and after", "a" * 1_000_000)

    longest = {letter: max(map(len, re.findall(f"{letter}+", stream.getvalue()))) for letter in "fela"}
    assert max(longest.values()) <= 2_000
    assert min(longest.values()) >= 1_500
    assert "(1,000,000 in all) and after" in stream.getvalue()
    assert stream.getvalue().count("in all)") == 4


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize(
    "arguments",
    [
        lambda size: ("%r", b"\xff" * size),
        lambda size: ("%r", "\x00" * size),
        lambda size: ("%(x)r", {"x": b"\x00" * size}),
    ],
)
def test_what_a_library_fills_its_lines_in_with_is_cut_before_it_is_looked_at(
    log_format: str, arguments: Callable[[int], tuple[str, Any]]
) -> None:
    """
    The `repr` of a megabyte is four: it is never made.
    """
    stream = io.StringIO()
    set_up_logs(LogSettings(format=log_format), stream)

    def log(filled_in: tuple[str, Any]) -> None:
        stream.seek(0)
        logging.getLogger("library").warning(*filled_in)
        stream.truncate()

    assert is_quick(log, arguments, 0.02)
    assert len(stream.getvalue()) < 12_000
