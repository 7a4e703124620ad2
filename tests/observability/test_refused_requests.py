import asyncio
import contextlib
import io
import logging
import time

import pytest
import structlog
from aiohttp.http_exceptions import BadStatusLine

from consumer.config.operation import HealthSettings, LogSettings
from consumer.observability.health import Health, serving
from consumer.observability.logs import set_up_logs
from consumer.observability.metrics import REFUSED_REQUESTS
from consumer.observability.refused_requests import RefusedRequests


@pytest.fixture
def logged(restored_logging: None) -> io.StringIO:
    """What is logged meanwhile."""
    stream = io.StringIO()
    set_up_logs(LogSettings(format="json"), stream)
    return stream


def settings() -> HealthSettings:
    return HealthSettings(host="127.0.0.1", port=0, metrics_port=0)


def refused(why: str) -> float:
    """How many requests were, so far."""
    counted: float = REFUSED_REQUESTS.labels(why)._value.get()
    return counted


async def longest_stall(until: asyncio.Event) -> float:
    """The longest time for which the loop did not turn, of the process's own seconds."""
    longest, before = 0.0, time.process_time()
    while not until.is_set():
        await asyncio.sleep(0.001)
        now = time.process_time()
        longest, before = max(longest, now - before), now
    return longest


HEAD = b"POST /readyz HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
HOSTILE = {
    "a chunk without a size": HEAD + b"w" * 120_000,
    "a chunk with a URL for a size": HEAD + b"canary://" * 15_000,
    "no HTTP at all": b"canary" * 20_000 + b"\r\n\r\n",
    "a header without an end": b"GET /readyz HTTP/1.1\r\nx: " + b"canary" * 20_000,
    "TLS": bytes.fromhex("160301020001") + b"canary" * 20_000,
    "a version that is none": b"GET /readyz HTTP/canary://" + b"w" * 120_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("sent", HOSTILE.values(), ids=HOSTILE)
async def test_a_malformed_request_neither_stops_the_loop_nor_writes_into_the_log(
    sent: bytes, logged: io.StringIO
) -> None:
    """
    120 kB that are no HTTP, sent to the health port, cost less than a tenth of a second, and not a byte is logged.
    """
    done = asyncio.Event()
    async with serving(settings(), Health()) as addresses, asyncio.TaskGroup() as tasks:
        stall = tasks.create_task(longest_stall(done))
        with contextlib.suppress(ConnectionError):  # it was cut while we were writing
            reader, writer = await asyncio.open_connection(*addresses.probes.split(":"))
            writer.write(sent)
            writer.write_eof()
            await asyncio.wait_for(reader.read(), 10.0)
        writer.close()
        done.set()

    assert await stall < 0.1
    assert "canary" not in logged.getvalue()
    assert "www" not in logged.getvalue()
    assert len(logged.getvalue()) < 2_000


async def test_many_malformed_requests_are_one_line_and_all_of_them_counted(logged: io.StringIO) -> None:
    """
    Fifty of them at once fill no log.
    """
    before = refused("not_http")
    async with serving(settings(), Health()) as addresses:
        for _ in range(50):
            reader, writer = await asyncio.open_connection(*addresses.probes.split(":"))
            writer.write(b"GET /readyz HTTP/1.1\r\nno header\r\n\r\n")
            await asyncio.wait_for(reader.read(), 10.0)
            writer.close()

    assert refused("not_http") - before == 50
    assert logged.getvalue().count("health.request_refused") == 1


def test_a_reminder_counts_what_was_not_told() -> None:
    """
    A minute later the next line says how many there were since, by reason; another error is told by its place.
    """
    moment = [0.0]
    lines = RefusedRequests(lambda: moment[0])

    def line(error: Exception, name: str = "aiohttp.server") -> logging.LogRecord:
        return logging.LogRecord(name, logging.ERROR, "", 0, "canary", (), (type(error), error, None))

    with structlog.testing.capture_logs() as logs:
        passed = [lines.filter(line(error)) for error in (BadStatusLine("canary"), BadStatusLine("canary"))]
        passed.append(lines.filter(line(KeyError("canary"))))
        moment[0] = 60.0
        passed.append(lines.filter(line(KeyError("canary"))))

    assert passed == [False] * 4
    assert [each["since_last"] for each in logs] == [{"not_http": 1}, {"not_http": 1, "failed": 2}]
    assert logs[1]["place"] == ["KeyError"]
    assert "canary" not in str(logs)
    assert lines.filter(line(KeyError("x"), "aiohttp.client"))
