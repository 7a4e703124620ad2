"""Answers as bytes on a real socket: what no provider sends, and a proxy, a bug or an attacker may."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from consumer.alibaba.client import ImageModerationClient
from consumer.clock import SystemClock
from consumer.errors import CallFailed, ProviderFailed, Throttled
from consumer.http.content import MOST_BYTES
from consumer.http.exchange import Exchanges, Timeouts
from consumer.http.transport import open_transport
from consumer.keys import FixedKeys
from consumer.moderation import ModerationRequest
from consumer.records import ModerationResult
from tests.alibaba.test_client import KEY
from tests.moderation.requests import context, request
from tests.rig.fuzz.answers import sent
from tests.rig.fuzz.provider import Asked, RawProvider, good, response
from tests.rig.fuzz.replies import send

GOOD = good("image-1")
IN_FLIGHT = 16
IMPATIENT, PATIENT = 0.3, 5.0  # seconds, of the connect and of the read timeout each
MIB = 1024 * 1024


@pytest.fixture
async def transport() -> AsyncIterator[httpx.AsyncBaseTransport]:
    async with open_transport(IN_FLIGHT) as transport:
        yield transport


async def asked(
    transport: httpx.AsyncBaseTransport, endpoint: str, request: ModerationRequest, read: float = PATIENT
) -> ModerationResult | CallFailed:
    """Ask once. Any exception but a failure of the call escapes."""
    timeouts = Timeouts(connect=read, read=read)
    moderator = ImageModerationClient(
        Exchanges(transport, timeouts, SystemClock()), endpoint, "ap-southeast-1", FixedKeys(KEY), SystemClock()
    )
    try:
        return await moderator.ask(request, context())
    except CallFailed as failure:
        return failure


def raw(answer: bytes, stays: bool = False) -> Callable[[Asked, asyncio.StreamWriter], Awaitable[bool]]:
    """Send these bytes, then close the connection, or keep silent."""

    async def respond(_: Asked, writer: asyncio.StreamWriter) -> bool:
        writer.write(answer)
        await writer.drain()
        if stays:
            await asyncio.sleep(60)
        return False

    return respond


def endless(head: bytes, part: bytes, pause: float = 0.0) -> Callable[[Asked, asyncio.StreamWriter], Awaitable[bool]]:
    """Send the head, and then the part until the caller goes away."""

    async def respond(_: Asked, writer: asyncio.StreamWriter) -> bool:
        writer.write(head)
        while True:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    return respond


def head(*lines: str) -> bytes:
    return ("\r\n".join(["HTTP/1.1 200 OK", *lines]) + "\r\n\r\n").encode("latin-1")


def packed(encoding: str, body: bytes) -> bytes:
    return response(body, 200, ("Content-Encoding", encoding))


CHUNK = b"10000\r\n" + b" " * 65_536 + b"\r\n"
LENGTH = f"Content-Length: {len(GOOD)}"

FOREIGN = {
    "a body without end": (endless(head(), b" " * 65_536), "too_large"),
    "a body of a terabyte": (endless(head("Content-Length: 1099511627776"), b" " * 65_536), "too_large"),
    "chunks without end": (endless(head("Transfer-Encoding: chunked"), CHUNK), "too_large"),
    "a body one byte too long": (raw(response(b" " * (MOST_BYTES + 1 - len(GOOD)) + GOOD)), "too_large"),
    "a bomb of gzip": (raw(packed("gzip", gzip.compress(b" " * 100 * MIB + GOOD, 1))), "too_large"),
    "a bomb of deflate": (raw(packed("deflate", zlib.compress(b" " * 100 * MIB + GOOD, 1))), "too_large"),
    "gzip without end": (
        endless(head("Content-Encoding: gzip"), gzip.compress(b" " * 100_000)), "too_large",
    ),
    "what is not gzip": (raw(packed("gzip", GOOD)), "content_encoding"),
    "half of gzip": (raw(packed("gzip", gzip.compress(GOOD)[:-20])), "content_encoding"),
    "an encoding that nobody asked for": (raw(packed("br", GOOD)), "content_encoding"),
    "an encoding of bytes": (raw(packed("\xff\xfe", GOOD)), "content_encoding"),
    "encodings without end": (raw(packed(", ".join(["gzip"] * 500), GOOD)), "content_encoding"),
    "a drip": (endless(head("Content-Length: 100000"), b" ", pause=0.05), "timeout"),
    "headers that drip": (endless(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n", pause=0.05), "timeout"),
    "answers of 1xx without end": (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.01), "timeout"),
    "a flood of 1xx": (endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 500), "timeout"),
    "silence within the body": (raw(head(LENGTH) + GOOD[:-5], stays=True), "timeout"),
    "a break within the body": (raw(head(LENGTH) + GOOD[:-5]), "connection_lost"),
    "a break within the head": (raw(head(LENGTH)[:-9]), None),
    "nothing": (raw(b""), "connection_lost"),
    "a length that is too long": (raw(head("Content-Length: 99999") + GOOD), "connection_lost"),
    "a negative length": (raw(head("Content-Length: -1") + GOOD), "not_http"),
    "two lengths": (raw(head(LENGTH, "Content-Length: 5") + GOOD), "not_http"),
    "a length of 5,000 digits": (raw(head(f"Content-Length: {'9' * 5000}") + GOOD), None),
    "a chunk of rubbish": (raw(head("Transfer-Encoding: chunked") + b"zz\r\n" + GOOD), None),
    "a chunk of a negative length": (raw(head("Transfer-Encoding: chunked") + b"-1\r\n" + GOOD), None),
    "a chunk of a huge length": (raw(head("Transfer-Encoding: chunked") + b"f" * 60 + b"\r\n" + GOOD), None),
    "a transfer that nobody knows": (raw(head("Transfer-Encoding: gzip") + gzip.compress(GOOD)), "not_json"),
    "a header of 100 kB": (raw(head(f"x: {'y' * 100_000}", LENGTH) + GOOD), "not_http"),
    "20,000 headers": (raw(head(*["x: y"] * 20_000, LENGTH) + GOOD), "not_http"),
    "a header without a colon": (raw(head("rubbish", LENGTH) + GOOD), "not_http"),
    "another protocol": (raw(b"\x16\x03\x01\x02\x00\x01"), "not_http"),
    "a page": (raw(b"<html>hello</html>\r\n\r\n"), "not_http"),
    "a status of letters": (raw(b"HTTP/1.1 abc OK\r\n" + LENGTH.encode() + b"\r\n\r\n" + GOOD), "not_http"),
    "a status beyond 999": (raw(b"HTTP/1.1 2000 OK\r\n" + LENGTH.encode() + b"\r\n\r\n" + GOOD), "not_http"),
    "another version": (raw(b"HTTP/9.9 200 OK\r\n" + LENGTH.encode() + b"\r\n\r\n" + GOOD), None),
    "a switch of protocols": (raw(b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + GOOD), "not_json"),
    "a redirection": (raw(response(GOOD, 302, ("Location", "/again"))), "200"),
    "a redirection to nowhere": (raw(response(GOOD, 307, ("Location", "http://[::"))), "200"),
    "no content": (raw(b"HTTP/1.1 204 X\r\n\r\n"), "not_json"),
}  # fmt: skip


@pytest.mark.parametrize(("respond", "code"), FOREIGN.values(), ids=FOREIGN.keys())
async def test_what_no_provider_sends_is_a_failure_of_the_provider(
    transport: httpx.AsyncBaseTransport,
    respond: Callable[[Asked, asyncio.StreamWriter], Awaitable[bool]],
    code: str | None,
) -> None:
    """
    It is tried again like any other failure, within the attempt's time and a bounded memory, and the next call is
    answered.
    """
    tracemalloc.start()
    try:
        async with RawProvider.serving(respond) as provider:
            read = IMPATIENT if code == "timeout" else PATIENT
            failed = await asyncio.wait_for(asked(transport, provider.endpoint, request(), read), 2 * read + 2.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    async with RawProvider.serving(raw(response(GOOD))) as provider:
        answer = await asked(transport, provider.endpoint, request())

    assert isinstance(failed, ProviderFailed)
    assert code is None or failed.code == code
    assert peak < 5 * MIB
    assert isinstance(answer, ModerationResult)


@pytest.mark.parametrize("hint", ["9999999", "9" * 4000, "60001"])
async def test_no_longer_than_a_minute_is_waited_because_the_provider_asks(
    transport: httpx.AsyncBaseTransport, hint: str
) -> None:
    """
    Whatever number of milliseconds stands in the header.
    """
    throttled = response(b'{"Code":"Throttling.User"}', 429, ("x-acs-retry-after", hint))
    async with RawProvider.serving(raw(throttled)) as provider:
        failed = await asked(transport, provider.endpoint, request())

    assert isinstance(failed, Throttled)
    assert failed.retry_after == 60.0


async def test_any_answer_is_one_or_a_failure_of_the_call(transport: httpx.AsyncBaseTransport) -> None:
    """
    Answers by dice, of every kind: none raises anything else, and none that is accepted lacks its labels.
    """
    numbers = iter(range(400))
    endings: list[ModerationResult | CallFailed] = []

    async def respond(call: Asked, writer: asyncio.StreamWriter) -> bool:
        return await send(sent(11, int(call.data_id), 0, call.data_id, faulty=1.0), writer)

    async def ask() -> None:
        for number in numbers:
            endings.append(await asked(transport, provider.endpoint, request(str(number)), IMPATIENT))

    async with RawProvider.serving(respond) as provider:
        await asyncio.gather(*(ask() for _ in range(IN_FLIGHT)))

    accepted = [ending for ending in endings if isinstance(ending, ModerationResult)]
    assert len(endings) == 400
    assert 20 < len(accepted) < 380
    assert all(answer.labels for answer in accepted)
