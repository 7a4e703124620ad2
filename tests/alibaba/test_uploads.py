"""Tokens and uploads, against the emulator, which checks each signature as the vendor does."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from consumer.alibaba.client import ImageModerationClient
from consumer.alibaba.uploads import BETWEEN_TOKENS, RENEWED_BEFORE, SLICE, Sliced, UploadStore, UploadTokens
from consumer.clock import Clock, SystemClock
from consumer.config.credentials import Credentials
from consumer.emulator import Emulator, EmulatorSettings, Fault, What, running
from consumer.emulator.faults import Match, StoreCode
from consumer.errors import AccountRefused, CallFailed, ClockOff, ImageRefused, ProviderFailed
from consumer.http.exchange import Exchanges, Timeouts
from consumer.http.transport import open_transport
from consumer.images.turns import Turns
from consumer.keys import FixedKeys
from consumer.locations import ByObject
from consumer.moderation import ModerationRequest
from tests.moderation.requests import context
from tests.rig.freed import references
from tests.rig.pictures import picture

SETTINGS = EmulatorSettings(regions=("ap-southeast-1", "eu-west-1"))
KEY = Credentials(access_key_id=SETTINGS.access_key_id, access_key_secret=SETTINGS.access_key_secret)
IMAGE = picture("red", "PNG", (8, 8))
TIMEOUTS = Timeouts(connect=1.0, read=5.0)
PUT = Match(action="PutObject")
TOKEN = Match(action="DescribeUploadToken")


class LaterClock:
    """The system's clock, so many seconds ahead."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.real = SystemClock()

    def now(self) -> float:
        return self.real.now() + self.ahead

    def wall(self) -> float:
        return self.real.wall() + self.ahead

    async def sleep(self, seconds: float) -> None:
        self.ahead += seconds


class World:
    """An emulator, and a store of its first region."""

    def __init__(self, emulator: Emulator, transport: httpx.AsyncBaseTransport, clock: Clock) -> None:
        self.emulator = emulator
        self.exchanges = Exchanges(transport, TIMEOUTS, clock)
        self.clock = clock
        self.tokens = UploadTokens(self.exchanges, emulator.url, FixedKeys(KEY), clock)
        self.store = UploadStore(self.tokens, self.exchanges, "ap-southeast-1", clock)

    def calls(self, action: str) -> int:
        return sum(call.action == action for call in self.emulator.calls)

    async def judged(self, location: ByObject, region: str = "ap-southeast-1") -> str | None:
        url = f"http://{self.emulator.endpoints[region]}"
        client = ImageModerationClient(self.exchanges, url, region, FixedKeys(KEY), self.clock)
        request = ModerationRequest(submission="1", location=location, service="baselineCheck_global")
        return (await client.ask(request, context())).risk_level

    async def fails(self) -> CallFailed:
        with pytest.raises(CallFailed) as failed:
            await self.store.put(IMAGE, "png")
        return failed.value


@asynccontextmanager
async def world(clock: Clock | None = None, settings: EmulatorSettings = SETTINGS) -> AsyncIterator[World]:
    async with running(settings) as emulator, open_transport(8) as transport:
        yield World(emulator, transport, clock or LaterClock())


async def test_what_is_uploaded_is_judged() -> None:
    """
    By bucket and object, without a region, in the region of the token. In another one it is not found.
    """
    async with world() as here:
        location = await here.store.put(IMAGE, "png")

        assert location.region is None
        assert await here.judged(location) == "none"
        with pytest.raises(CallFailed):
            await here.judged(location, "eu-west-1")


async def test_images_up_to_20_mib_are_uploaded() -> None:
    """
    As they are; the store says that it has all of it.
    """
    async with world() as here:
        large = IMAGE + bytes(20 * 1024 * 1024 - len(IMAGE))

        assert await here.judged(await here.store.put(large, "png")) == "none"


async def test_a_token_serves_many_images_until_shortly_before_it_expires() -> None:
    """
    Then one more is asked for.
    """
    clock = LaterClock()
    async with world(clock, replace_lifetime(1_000.0)) as here:
        await asyncio.gather(*(here.store.put(IMAGE, "png") for _ in range(10)))
        assert here.calls("DescribeUploadToken") == 1

        clock.ahead += 1_000.0 - RENEWED_BEFORE
        await here.tokens.current()

        assert here.calls("DescribeUploadToken") == 2


def replace_lifetime(seconds: float) -> EmulatorSettings:
    return SETTINGS.model_copy(update={"token_lifetime": seconds})


async def test_all_who_waited_for_a_token_that_was_refused_are_refused() -> None:
    """
    One call, and one answer for all; who comes after that asks again, and not within a second.
    """
    clock = LaterClock()
    async with world(clock) as here:
        here.emulator.faults.add(Fault(match=TOKEN, what=What(gateway_code="NoPermission", http_status=403), times=1))

        failures = await asyncio.gather(*(here.store.put(IMAGE, "png") for _ in range(10)), return_exceptions=True)
        ahead = clock.ahead
        await here.store.put(IMAGE, "png")

        assert all(isinstance(each, AccountRefused) and each.code == "NoPermission" for each in failures)
        assert here.calls("DescribeUploadToken") == 2
        assert 0.9 * BETWEEN_TOKENS < clock.ahead - ahead <= BETWEEN_TOKENS


@pytest.mark.parametrize("code", ["SecurityTokenExpired", "InvalidAccessKeyId", "NoSuchBucket"])
async def test_a_token_that_the_store_refuses_is_replaced(code: str) -> None:
    """
    The image is tried again, with another token.
    """
    async with world() as here:
        here.emulator.faults.add(Fault(match=PUT, what=What(store_code=StoreCode(code=code)), times=1))

        failure = await here.fails()
        location = await here.store.put(IMAGE, "png")

        assert (type(failure), failure.code, failure.billed) == (ProviderFailed, code, "no")
        assert here.calls("DescribeUploadToken") == 2
        assert await here.judged(location) == "none"


@pytest.mark.parametrize(
    ("match", "what", "kind", "code"),
    [
        (TOKEN, What(code=408), AccountRefused, "408"),
        (TOKEN, What(code=401), AccountRefused, "401"),  # it names no image that could be at fault
        (TOKEN, What(code=404), ProviderFailed, "404"),
        (TOKEN, What(code=407), ProviderFailed, "407"),
        (TOKEN, What(gateway_code="InvalidParameter", http_status=400), AccountRefused, "InvalidParameter"),
        (TOKEN, What(code=500), ProviderFailed, "500"),
        (TOKEN, What(drop="after_reading"), ProviderFailed, "connection_lost"),
        (TOKEN, What(garbage=True), ProviderFailed, None),
        (PUT, What(store_code=StoreCode(code="AccessDenied")), AccountRefused, "AccessDenied"),
        (PUT, What(store_code=StoreCode(code="EntityTooLarge", http_status=400)), ImageRefused, "EntityTooLarge"),
        (PUT, What(store_code=StoreCode(code="ServiceUnavailable", http_status=503)), ProviderFailed, None),
        (PUT, What(drop="before_reading"), ProviderFailed, "connection_lost"),
        (PUT, What(drop="after_reading"), ProviderFailed, "connection_lost"),
    ],
)
async def test_failures_of_token_and_store_are_sorted(
    match: Match, what: What, kind: type[CallFailed], code: str | None
) -> None:
    """
    By what is done about them; nothing of it is billed, and the next image has its chance.
    """
    async with world() as here:
        here.emulator.faults.add(Fault(match=match, what=what))

        failure = await here.fails()

        here.emulator.faults.replace(())
        assert type(failure) is kind
        assert failure.code == code or code is None
        assert failure.billed == "no"
        assert (await here.store.put(IMAGE, "png")).region is None


async def test_a_clock_that_is_off_is_said_to_be() -> None:
    """
    By the store, where the token was fetched before; the account's calls say it themselves.
    """
    clock = LaterClock()
    async with world(clock) as here:
        await here.tokens.current()
        clock.ahead += 20 * 60

        failure = await here.fails()

        assert (type(failure), failure.code) == (ClockOff, "RequestTimeTooSkewed")


async def test_a_store_that_hangs_is_given_up() -> None:
    """
    After the time for an upload.
    """
    async with world() as here:
        await here.tokens.current()
        here.exchanges._deadline = 0.2
        here.emulator.faults.add(Fault(match=PUT, what=What(never_answer=True), times=1))

        failure = await here.fails()

        assert (type(failure), failure.code, failure.billed) == (ProviderFailed, "timeout", "no")


async def test_a_token_is_one_of_its_key_for_its_region() -> None:
    """
    Each store has its own; none is used in another region.
    """
    async with world() as here:
        other_url = f"http://{here.emulator.endpoints['eu-west-1']}"
        others = UploadTokens(here.exchanges, other_url, FixedKeys(KEY), here.clock)

        ours, theirs = await here.tokens.current(), await others.current()

        assert ours.bucket != theirs.bucket
        with pytest.raises(CallFailed):
            await here.judged(await UploadStore(others, here.exchanges, "eu-west-1", here.clock).put(IMAGE, "png"))
        assert replace(ours, bucket="x") != theirs


async def test_slices_of_all_uploads_go_out_in_turns() -> None:
    """
    One in a turn of the loop, and no byte of it is copied. They can be read again, for another attempt.
    """
    images, moved, now = [bytes(3 * SLICE), bytes(SLICE + 1)], Counter[int](), 0
    turns = Turns(at_once=1)
    streams = [Sliced(image, turns) for image in images]

    async def send(stream: Sliced) -> bytes:
        sent: list[bytes] = []
        async for piece in stream:
            assert isinstance(piece, memoryview)
            moved[now] += 1
            sent.append(piece)
        return b"".join(sent)

    for _ in range(2):
        sending = [asyncio.ensure_future(send(stream)) for stream in streams]
        while not all(each.done() for each in sending):
            await asyncio.sleep(0)
            now += 1

        assert [await each for each in sending] == images
    assert moved.total() == 2 * 5
    assert max(moved.values()) == 1


@pytest.mark.parametrize("what", [What(store_code=StoreCode(code="AccessDenied")), What(drop="after_reading")])
async def test_an_image_that_could_not_be_uploaded_is_freed_at_once(what: What) -> None:
    """
    With an outage of the store many are refused: the garbage collector, which frees what holds itself, may be long in
    coming.
    """
    image = bytes(bytearray(IMAGE))  # one that nobody else refers to
    async with world() as here:
        here.emulator.faults.add(Fault(match=PUT, what=what))

        async def fails() -> None:
            with contextlib.suppress(CallFailed):
                await here.store.put(image, "png")

        counts = await references(image, fails)
        assert here.calls("PutObject") >= len(counts)

    assert counts[-1] <= counts[1]
