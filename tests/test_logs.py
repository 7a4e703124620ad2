import io
import logging
from collections.abc import Iterator

import orjson
import pytest
import structlog

from consumer.config import LogSettings
from consumer.observability.logs import set_up_logs


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """Leave logging as it was: it is the process's."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:], logging.root.level = handlers, level
    structlog.reset_defaults()


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
