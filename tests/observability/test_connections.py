import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from consumer.config.operation import HealthSettings
from consumer.observability import metrics
from consumer.observability.connections import Bounds
from consumer.observability.health import Health, serving

HALF = b"GET /readyz HTTP/1.1\r\nx: "
WHOLE = b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n"


SOON = 10.0  # seconds, for what takes fractions of one
BOUNDS = Bounds()
IMPATIENT = Bounds(head_seconds=0.3, answer_seconds=0.6)


@contextlib.asynccontextmanager
async def serving_probes(
    health: Health | None = None, bounds: Bounds = BOUNDS
) -> AsyncIterator[tuple[int, int, metrics.Metrics]]:
    """Serve, counting in metrics of its own. Yields the ports of probes and of metrics, and what is counted."""
    counted = metrics.Metrics(CollectorRegistry())
    metrics.count_in(counted)
    settings = HealthSettings(host="127.0.0.1", port=0, metrics_port=0)
    async with serving(settings, health or Health(), counted.registry, bounds) as addresses:
        port, metrics_port = (int(address.rpartition(":")[2]) for address in addresses)
        yield port, metrics_port, counted


def refused(counted: metrics.Metrics, why: str) -> float:
    return counted.registry.get_sample_value("moderation_refused_requests_total", {"why": why}) or 0.0


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def opened(port: int, sent: bytes = b"") -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    return reader, writer


async def answer(port: int, sent: bytes = WHOLE) -> bytes:
    """All that comes back, until the connection is closed."""
    reader, writer = await opened(port, sent)
    with contextlib.closing(writer):
        return await asyncio.wait_for(reader.read(), 10.0)


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether the server closed this connection, without an answer, within ten seconds."""
    try:
        return await asyncio.wait_for(reader.read(), 10.0) == b""
    except ConnectionError:
        return True


async def close(streams: Sequence[Streams]) -> None:
    for _, writer in streams:
        writer.close()
    for _, writer in streams:
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def held_by(port: int, streams: Sequence[Streams]) -> int:
    """How many of our connections the server has open still: the system's own list says so."""
    ours = {writer.get_extra_info("sockname")[1] for _, writer in streams}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = [(int(row[1][-4:], 16), int(row[2][-4:], 16), row[3]) for row in rows]
    return sum(1 for local, remote, state in ends if local == port and remote in ours and state == "01")


async def test_two_thousand_half_open_requests_neither_stay_nor_keep_a_probe_waiting() -> None:
    """
    Of those that have not asked the newest are held, up to the bound; a probe that asks meanwhile is answered at once.
    """
    streams: list[Streams] = []
    async with serving_probes() as (port, _, counted):
        for _ in range(2_000 // 50):
            streams += await asyncio.gather(*(opened(port, HALF) for _ in range(50)))
            assert (await answer(port)).startswith(b"HTTP/1.1 200")
        held = held_by(port, streams)
        await close(streams)

    assert held <= BOUNDS.connections
    assert refused(counted, "too_many") >= 2_000 - BOUNDS.connections


@pytest.mark.parametrize("sent", [b"", HALF], ids=["nothing", "half a head"])
async def test_a_request_that_does_not_end_is_cut(sent: bytes) -> None:
    """
    At the deadline for its head, also where a byte comes every now and then.
    """
    async with serving_probes(bounds=IMPATIENT) as (port, _, counted):
        reader, writer = await opened(port, sent)
        dripping = asyncio.create_task(drip(writer))
        assert await ended(reader)
        dripping.cancel()
        await close([(reader, writer)])

    assert refused(counted, "too_slow") == 1


async def drip(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"G")
            await asyncio.sleep(0.05)


async def test_an_answer_that_is_not_read_is_cut() -> None:
    """
    Whoever asks for a long page and reads none of it holds neither the page nor the connection for long.
    """
    health = Health(offsets=lambda: ["x" * 20_000_000])
    async with serving_probes(health, IMPATIENT) as (_, port, counted):
        reader, writer = await opened(port, b"GET /offsets HTTP/1.1\r\nhost: x\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(SOON):
            while not refused(counted, "too_slow"):
                await asyncio.sleep(0.01)
        await close([(reader, writer)])


async def test_answers_that_are_not_read_are_no_more_than_the_bound() -> None:
    """
    Those whose answer is under way count too: the oldest gives way where all have asked.
    """
    few, more = Bounds(connections=4), 3
    health = Health(offsets=lambda: ["x" * 20_000_000])
    async with serving_probes(health, few) as (_, port, counted):
        streams: list[Streams] = []
        for _ in range(few.connections + more):
            reader, writer = await opened(port, b"GET /offsets HTTP/1.1\r\nhost: x\r\n\r\n")
            await reader.readexactly(1)  # its answer is under way
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            streams.append((reader, writer))
        held = held_by(port, streams)
        for _, writer in streams:
            writer.transport.abort()

    assert refused(counted, "too_many") == more
    assert held <= few.connections


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"GET /readyz HTTP/1.1\r\nx: " + b"y" * 9_000, "too_long"),
        (b"GET /" + b"y" * 1_000_000 + b" HTTP/1.1\r\n\r\n", "too_long"),
        (b"GET /readyz HTTP/1.1\r\n" + b"x: y\r\n" * 1_400 + b"\r\n", "too_long"),
        (bytes.fromhex("160301020001") + b"hello", "not_http"),
        (b"\r\n\r\n", "not_http"),
    ],
    ids=["a header without an end", "a long path", "many headers", "TLS", "no method"],
)
async def test_what_is_no_short_request_is_cut_at_once(sent: bytes, why: str) -> None:
    """
    It does not wait for a deadline, and none of it reaches aiohttp.
    """
    async with serving_probes() as (port, _, counted):
        reader, writer = await opened(port)
        with contextlib.suppress(ConnectionError):
            writer.write(sent)
        assert await ended(reader)
        await close([(reader, writer)])

    assert refused(counted, why) == 1


async def test_a_connection_is_one_request_and_its_body_is_not_read() -> None:
    """
    The answer says that the connection closes; what follows the head, another request or a megabyte, changes nothing.
    """
    async with serving_probes() as (port, _, _):
        alone = await answer(port)
        twice = await answer(port, WHOLE + WHOLE)
        slowly = b"".join([await answer_in_pieces(port)])
        posted = await answer(port, b"POST /readyz HTTP/1.1\r\nhost: x\r\ncontent-length: 9000\r\n\r\n" + b"x" * 9_000)
        headed = await answer(port, b"HEAD /readyz HTTP/1.1\r\nhost: x\r\n\r\n")

    assert b"\r\nConnection: close\r\n" in alone
    assert alone.endswith(b"\r\n\r\nok\n")
    assert [each.count(b"HTTP/1.1 200") for each in (alone, twice, slowly, headed)] == [1, 1, 1, 1]
    assert posted.startswith(b"HTTP/1.1 405")
    assert headed.endswith(b"\r\n\r\n")


async def answer_in_pieces(port: int) -> bytes:
    """Sent byte by byte, and with no more to come."""
    reader, writer = await opened(port)
    for each in WHOLE:
        writer.write(bytes([each]))
        await asyncio.sleep(0)
    writer.write_eof()
    with contextlib.closing(writer):
        return await asyncio.wait_for(reader.read(), 10.0)


async def test_half_open_requests_do_not_hold_up_a_stop() -> None:
    """
    They are let go of at once, and are nobody's fault.
    """
    loop = asyncio.get_running_loop()
    async with serving_probes() as (port, _, counted):
        streams = [await opened(port, HALF) for _ in range(10)]
        async with asyncio.timeout(SOON):
            while held_by(port, streams) < 10:
                await asyncio.sleep(0.01)
        began = loop.time()
    took = loop.time() - began
    await close(streams)

    assert took < 0.5
    assert refused(counted, "too_slow") + refused(counted, "too_many") == 0


async def test_who_connects_and_leaves_is_not_counted() -> None:
    """
    A probe of TCP does.
    """
    async with serving_probes() as (port, _, counted):
        with socket.create_connection(("127.0.0.1", port)):
            pass
        await answer(port)

    assert all(refused(counted, why) == 0 for why in ("not_http", "too_slow", "too_many"))
