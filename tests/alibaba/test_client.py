import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import orjson
import pytest
from pydantic import SecretStr

from consumer.alibaba.client import ImageModerationClient
from consumer.clock import Clock, SystemClock
from consumer.config.credentials import Credentials
from consumer.dispatch.gate import GrantRevoked
from consumer.emulator import EmulatorSettings, Fault, Throttle, What, running
from consumer.emulator.faults import Match
from consumer.errors import AccountRefused, CallFailed, ClockOff, ProviderFailed, Throttled
from consumer.http.exchange import Exchanges, Timeouts
from consumer.http.transport import open_transport
from consumer.keys import FixedKeys, Keys
from consumer.locations import ByObject
from consumer.moderation import ModerationRequest
from tests.moderation.requests import context
from tests.rig.clock import ManualClock
from tests.rig.pictures import picture

KEY = Credentials(access_key_id="key-id", access_key_secret=SecretStr("key-secret"))
ACCOUNT = EmulatorSettings(
    access_key_id="key-id",
    access_key_secret=SecretStr("key-secret"),
    oss={"uploads": {"a.png": picture()}},
    regions=("ap-southeast-1", "eu-west-1"),
)
REQUEST = ModerationRequest(
    submission="image-1",
    location=ByObject("uploads", "a.png", "ap-southeast-1"),
    service="baselineCheck_global",
    referer="www.example.com",
    info=("customImage", "textInImage"),
)
TIMEOUTS = Timeouts(connect=1.0, read=5.0)


@pytest.fixture
async def transport() -> AsyncIterator[httpx.AsyncBaseTransport]:
    """Connections for all regions."""
    async with open_transport(4) as transport:
        yield transport


class ReplaceableKeys:
    """A key that a test can replace."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials

    def current(self) -> Credentials:
        return self.credentials


def moderator(
    transport: httpx.AsyncBaseTransport,
    base_url: str,
    *,
    region: str = "ap-southeast-1",
    keys: Keys | None = None,
    timeouts: Timeouts = TIMEOUTS,
    clock: Clock | None = None,
) -> ImageModerationClient:
    return ImageModerationClient(
        Exchanges(transport, timeouts, clock or SystemClock()),
        base_url,
        region,
        keys or FixedKeys(KEY),
        clock or SystemClock(),
    )


async def failure(asked: ImageModerationClient) -> CallFailed:
    """What a request fails with."""
    with pytest.raises(CallFailed) as failed:
        await asked.ask(REQUEST, context())
    return failed.value


async def test_an_answer_says_where_and_when_it_was_given(transport: httpx.AsyncBaseTransport) -> None:
    """
    A signed call is accepted, and its answer tells region, departure and duration.
    """
    clock = SystemClock()
    before = clock.wall()
    async with running(ACCOUNT) as emulator:
        answer = await moderator(transport, emulator.url, clock=clock).ask(REQUEST, context())
        [call] = emulator.calls

    assert (answer.risk_level, answer.region, answer.attempts) == ("none", "ap-southeast-1", 1)
    assert before <= answer.sent <= answer.sent + answer.took <= clock.wall() + 0.01
    assert (call.code, call.service, call.data_id) == (200, "baselineCheck_global", "image-1")


async def test_each_region_is_asked_at_its_own_address(transport: httpx.AsyncBaseTransport) -> None:
    """
    Two regions share connections and keys, and no address: what fails in one names it, and the other answers.
    """
    async with running(ACCOUNT) as emulator:
        emulator.faults.add(Fault(match=Match(region="ap-southeast-1"), what=What(code=500)))
        first, second = (
            moderator(transport, f"http://{endpoint}", region=region) for region, endpoint in emulator.endpoints.items()
        )

        failed = await failure(first)
        answer = await second.ask(REQUEST, context())

    assert failed.code == "500"
    assert answer.region == "eu-west-1"


async def test_a_temporary_key_is_accepted_with_its_token(transport: httpx.AsyncBaseTransport) -> None:
    """
    Vendor: calls with a temporary key carry its token, signed; without it they are refused.
    """
    temporary = ACCOUNT.model_copy(update={"security_token": SecretStr("token+/=")})
    keys = ReplaceableKeys(KEY.model_copy(update={"security_token": SecretStr("token+/=")}))
    async with running(temporary) as emulator:
        answer = await moderator(transport, emulator.url, keys=keys).ask(REQUEST, context())
        refused = await failure(moderator(transport, emulator.url))

    assert answer.risk_level == "none"
    assert isinstance(refused, AccountRefused)
    assert refused.code == "MissingSecurityToken"


async def test_every_call_is_signed_with_the_key_of_its_moment(transport: httpx.AsyncBaseTransport) -> None:
    """
    A key that was replaced between two calls signs the second.
    """
    keys = ReplaceableKeys(KEY.model_copy(update={"access_key_secret": SecretStr("an old secret")}))
    async with running(ACCOUNT) as emulator:
        asked = moderator(transport, emulator.url, keys=keys)
        refused = await failure(asked)
        keys.credentials = KEY
        answer = await asked.ask(REQUEST, context())

    assert refused.code == "SignatureDoesNotMatch"
    assert answer.risk_level == "none"


async def test_a_clock_that_is_off_is_said_to_be(transport: httpx.AsyncBaseTransport) -> None:
    """
    A call is dated by the service's clock; the provider refuses a date that is not its own.
    """
    async with running(ACCOUNT) as emulator:
        refused = await failure(moderator(transport, emulator.url, clock=ManualClock(1_000.0)))

    assert isinstance(refused, ClockOff)


@pytest.mark.parametrize(
    ("what", "code", "billed"),
    [
        (What(drop="before_reading"), "connection_lost", "maybe"),
        (What(drop="after_reading"), "connection_lost", "maybe"),
        (What(drop="after_judging"), "connection_lost", "maybe"),
        (What(garbage=True), "not_json", "maybe"),
        (What(garbage=True, http_status=502), "http_502", "no"),
        (What(code=500), "500", "no"),
        (What(gateway_code="ServiceUnavailable", http_status=503), "ServiceUnavailable", "no"),
    ],
    ids=lambda value: value.kind if isinstance(value, What) else str(value),
)
async def test_a_failure_of_the_provider_says_whether_it_may_have_been_billed(
    transport: httpx.AsyncBaseTransport, what: What, code: str, billed: str
) -> None:
    """
    Whatever goes wrong on the way is the provider's failure and names the region; the next call is answered.
    """
    async with running(ACCOUNT) as emulator:
        asked = moderator(transport, emulator.url)
        emulator.faults.add(Fault(what=what, times=1))

        failed = await failure(asked)
        answer = await asked.ask(REQUEST, context())
        unfired = emulator.faults.unfired()

    assert isinstance(failed, ProviderFailed)
    assert (failed.code, failed.billed) == (code, billed)
    assert answer.risk_level == "none"
    assert unfired == []


async def test_throttling_brings_the_wish_of_the_provider(transport: httpx.AsyncBaseTransport) -> None:
    """
    The gateway's flow control is throttling, with the seconds that it asks for.
    """
    async with running(ACCOUNT) as emulator:
        emulator.faults.add(Fault(what=What(throttle=Throttle(retry_after=2.5)), times=1))

        failed = await failure(moderator(transport, emulator.url))

    assert isinstance(failed, Throttled)
    assert (failed.code, failed.retry_after) == ("Throttling.User", 2.5)


@pytest.mark.parametrize("what", [What(never_answer=True), What(slow_drip=3.0)], ids=lambda what: what.kind)
async def test_an_answer_that_does_not_end_is_given_up(transport: httpx.AsyncBaseTransport, what: What) -> None:
    """
    A silent provider ends at the read timeout, one that drips a few bytes at a time at the deadline.
    """
    async with running(ACCOUNT) as emulator:
        emulator.faults.add(Fault(what=what, times=1))

        failed = await failure(moderator(transport, emulator.url, timeouts=Timeouts(connect=0.3, read=0.3)))

    assert isinstance(failed, ProviderFailed)
    assert (failed.code, failed.billed) == ("timeout", "maybe")


async def test_a_call_that_never_connected_was_not_billed(transport: httpx.AsyncBaseTransport) -> None:
    """
    Where nobody listens nothing was sent.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    failed = await failure(moderator(transport, f"http://127.0.0.1:{port}"))

    assert (type(failed), failed.code, failed.billed) == (ProviderFailed, "connect", "no")


async def test_a_connection_that_is_not_accepted_ends_sooner_than_an_answer(
    transport: httpx.AsyncBaseTransport,
) -> None:
    """
    The connect timeout is apart from the read timeout: a full backlog costs the first only.
    """
    patient = Timeouts(connect=0.2, read=60.0)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as waiting:
        address = full.getsockname()
        for _ in range(3):  # Linux completes one or two connections beyond a backlog of 0
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(address)

        async with asyncio.timeout(5.0):
            failed = await failure(moderator(transport, f"http://127.0.0.1:{address[1]}", timeouts=patient))

    assert (failed.code, failed.billed) == ("connect", "no")


@asynccontextmanager
async def counting_server() -> AsyncIterator[tuple[str, list[int]]]:
    """A server that answers every call and counts the calls of each connection."""
    calls: list[int] = []
    body = orjson.dumps({"Code": 200, "Data": {"RiskLevel": "none", "Result": [{"Label": "nonLabel"}]}})
    response = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(0)
        connection = len(calls) - 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
                calls[connection] += 1
                writer.write(response)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", calls


async def test_connections_are_used_again() -> None:
    """
    Calls one after the other share a connection; at once they use as many as there may be, and no more.
    """
    async with counting_server() as (url, calls), open_transport(3) as transport:
        asked = moderator(transport, url)

        for _ in range(5):
            await asked.ask(REQUEST, context())
        one_by_one = list(calls)
        await asyncio.gather(*(asked.ask(REQUEST, context()) for _ in range(20)))

    assert one_by_one == [5]
    assert len(calls) <= 3
    assert sum(calls) == 25


async def test_a_call_can_be_kept_back_until_its_bytes_go_out(transport: httpx.AsyncBaseTransport) -> None:
    """
    Who is told that the call is being sent can still refuse: not a byte of it is, and the connection is closed.
    """
    received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.set_result(await reader.read())
        writer.close()

    def refuse() -> None:
        raise GrantRevoked

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        with pytest.raises(GrantRevoked):
            await moderator(transport, f"http://{host}:{port}").ask(REQUEST, context(before_sending=refuse))

        assert await asyncio.wait_for(received, 5.0) == b""


async def test_a_call_is_noted_as_sent_once_its_bytes_are_out(transport: httpx.AsyncBaseTransport) -> None:
    """
    A process can be stalled between its last look at the lease and its write. A call that was noted as sent before that
    would come later than the pace reckons, together with those behind it.
    """
    noted = list[float]()

    def stall() -> None:
        time.sleep(0.2)
        noted.append(time.monotonic())

    def before_sending() -> None:
        asyncio.get_running_loop().call_soon(stall)

    async with counting_server() as (url, calls):
        call = context(before_sending=before_sending, after_sending=lambda: noted.append(time.monotonic()))
        await moderator(transport, url).ask(REQUEST, call)

    stalled_until, sent = noted
    assert sent >= stalled_until
    assert calls == [1]
