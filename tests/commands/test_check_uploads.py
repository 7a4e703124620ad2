"""What `check` says of the temporary stores that images are uploaded to."""

from typing import Any

import pytest

from consumer.commands.check.findings import Finding
from consumer.commands.check.uploads import look_at_uploads
from consumer.config import Config
from consumer.config.credentials import load_credentials
from consumer.config.provider import ProviderSettings
from consumer.emulator import Emulator, EmulatorSettings, Fault, running
from tests.rig.emulated import KEY

FIRST, SECOND = "ap-southeast-1", "eu-west-1"


async def looked_at(emulator: Emulator, *, via: str = "upload") -> list[Finding]:
    urls = {region: f"http://{endpoint}" for region, endpoint in emulator.endpoints.items()}
    provider = {
        "endpoint": urls[FIRST], "fallback_region": SECOND, "fallback_endpoint": urls[SECOND],
    }  # fmt: skip
    bindings = [{"bucket": "private", "via": via, "url": "https://img.example.com/{key}"}]
    config = Config.model_validate({"provider": provider, "bindings": bindings})
    return await look_at_uploads(config, load_credentials(KEY, ProviderSettings()), {})


async def test_each_regions_store_is_tried() -> None:
    """
    A few bytes are put there, and nobody is asked about them: nothing is billed.
    """
    async with running(EmulatorSettings(regions=(FIRST, SECOND))) as emulator:
        findings = await looked_at(emulator)

        assert [(each.level, each.about) for each in findings] == [
            ("ok", f"uploads {FIRST}"),
            ("ok", f"uploads {SECOND}"),
        ]
        assert [call.action for call in emulator.calls] == ["DescribeUploadToken", "PutObject"] * 2
        assert not any(call.billed for call in emulator.calls)


async def test_without_a_binding_that_uploads_nothing_is_tried() -> None:
    """
    The right to upload is not needed then.
    """
    async with running(EmulatorSettings(regions=(FIRST, SECOND))) as emulator:
        assert await looked_at(emulator, via="url") == []
        assert list(emulator.calls) == []


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (
            {"match": {"action": "DescribeUploadToken"}, "what": {"gateway_code": "NoPermission", "http_status": 403}},
            "DescribeUploadToken: NoPermission: the key may not call",
        ),
        ({"match": {"action": "DescribeUploadToken"}, "what": {"code": 500}}, "DescribeUploadToken: fails: 500: try"),
        (
            {"match": {"action": "PutObject"}, "what": {"store_code": {"code": "AccessDenied"}}},
            "emulated-uploads-ap-southeast-1: AccessDenied",
        ),
        (
            {"match": {"action": "PutObject"}, "what": {"drop": "before_reading"}},
            "emulated-uploads-ap-southeast-1: fails: connection_lost",
        ),
    ],
)
async def test_what_fails_is_said(fault: dict[str, Any], says: str) -> None:
    """
    Whether the token or the store, at which address, and what to do.
    """
    async with running(EmulatorSettings(regions=(FIRST, SECOND))) as emulator:
        emulator.faults.add(Fault.model_validate(fault))

        found, *_ = await looked_at(emulator)

    assert found.level == "wrong"
    assert says in found.text
