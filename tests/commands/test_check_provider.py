"""What `check` reads from the provider's answer to a question without an image."""

import asyncio
import time
from typing import Any

import pytest

from consumer.alibaba.empty_call import EmptyCall
from consumer.commands.check.findings import Finding
from consumer.commands.check.provider import look_at_provider
from consumer.config.credentials import load_credentials
from consumer.config.provider import ProviderSettings, RegionUrl
from consumer.emulator import Emulator, EmulatorSettings, Fault, running
from tests.rig.emulated import KEY
from tests.rig.fuzz.provider import Asked, RawProvider, response

SERVICES = ("baselineCheck_global",)


async def looked_at(emulator: Emulator, services: tuple[str, ...] = SERVICES) -> list[Finding]:
    regions = tuple(RegionUrl(name, f"http://{endpoint}") for name, endpoint in emulator.endpoints.items())
    return await look_at_provider(regions, services, EmptyCall(load_credentials(KEY, ProviderSettings())), time.time)


@pytest.mark.parametrize(
    ("what", "level", "says"),
    [
        ({"code": 408}, "wrong", "408: Content Moderation is not activated, not permitted, or payment is overdue"),
        ({"code": 403}, "warning", "the key is accepted, but the account's quota is used up"),
        ({"code": 500}, "wrong", "the provider fails (500)"),
        ({"gateway_code": "Forbidden.RAM", "http_status": 403}, "wrong", "AliyunYundunGreenWebFullAccess"),
        ({"gateway_code": "InvalidAccessKeyId.Inactive", "http_status": 400}, "wrong", "or it is disabled"),
        ({"gateway_code": "InvalidSecurityToken.Expired", "http_status": 400}, "wrong", "fetch a new one"),
        ({"gateway_code": "ServiceUnavailable", "http_status": 503}, "wrong", "(ServiceUnavailable): try again later"),
        ({"throttle": {"http_status": 429}}, "warning", "the key is accepted"),
        ({"body": "<html>", "http_status": 502}, "wrong", "(http_502)"),
        ({"body": "[]", "http_status": 200}, "wrong", "(http_200)"),
        ({"body": '{"Code":200}', "http_status": 200}, "warning", "this is not the provider"),
    ],
)
async def test_each_refusal_says_what_to_do(what: dict[str, Any], level: str, says: str) -> None:
    """
    Whose fault it is, and where to look; only what refuses the key or fails is wrong.
    """
    async with running(EmulatorSettings()) as emulator:
        emulator.faults.replace([Fault.model_validate({"what": what})])

        found, *_ = await looked_at(emulator)

    assert (found.level, found.about) == (level, "provider ap-southeast-1")
    assert says in found.text


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (response(b"{}", 200, ("Content-Encoding", "gzip")), "gives an answer that cannot be read (content_encoding)"),
        (
            response(b"{}", 200, ("Content-Encoding", "x-unheard")),
            "gives an answer that cannot be read (content_encoding)",
        ),
        (response(b" " * 2_000_000), "gives an answer that cannot be read (too_large)"),
        (b"\x16\x03\x01\r\n\r\n", "cannot be reached"),
        (response(b"{}", 200, ("Date", "Mon, 01 Jan 0001 00:00:00 +2359")), "(http_200)"),
        (response(b"{}", 200, ("Date", "\xff")), "(http_200)"),
    ],
)
async def test_what_no_provider_answers_is_a_finding_too(answer: bytes, says: str) -> None:
    """
    Whatever is at the address, `check` says what it sends, and goes on.
    """

    async def respond(_: Asked, writer: asyncio.StreamWriter) -> bool:
        writer.write(answer)
        await writer.drain()
        return False

    async with RawProvider.serving(respond) as provider:
        regions = [RegionUrl("ap-southeast-1", provider.endpoint)]
        found, *_ = await look_at_provider(
            regions, SERVICES, EmptyCall(load_credentials(KEY, ProviderSettings())), time.time
        )

    assert (found.level, found.about) == ("wrong", "provider ap-southeast-1")
    assert says in found.text


async def test_each_service_of_each_region_is_asked_once_and_none_is_billed() -> None:
    """
    A service that the provider does not know is told from one that only misses its image.
    """
    async with running(EmulatorSettings(regions=("ap-southeast-1", "eu-west-1"))) as emulator:
        found = await looked_at(emulator, (*SERVICES, "baselineChek_global"))
        calls = list(emulator.calls)

    assert [(each.level, each.about) for each in found] == [
        ("ok", "provider ap-southeast-1"), ("warning", "provider ap-southeast-1"), ("ok", "clock"),
        ("ok", "provider eu-west-1"), ("warning", "provider eu-west-1"), ("ok", "clock"),
    ]  # fmt: skip
    assert "baselineChek_global: refused as invalid" in found[1].text
    assert len(calls) == 4
    assert not any(call.billed for call in calls)


async def test_a_region_that_is_away_leaves_the_other_to_be_looked_at() -> None:
    """
    The fallback region is asked whatever the first one does.
    """
    async with running(EmulatorSettings(regions=("ap-southeast-1", "eu-west-1"))) as emulator:
        await emulator.stop_listening("ap-southeast-1")

        found = await looked_at(emulator)

    assert [(each.level, each.about) for each in found] == [
        ("wrong", "provider ap-southeast-1"), ("skipped", "credentials, clock"), ("ok", "provider eu-west-1"),
        ("ok", "clock"),
    ]  # fmt: skip
