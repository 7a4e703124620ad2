"""
What the official tea SDK raises where the gateway refuses, in the two APIs that it has: nothing of it is changed, the
emulator's account and clock are.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from alibabacloud_green20170823.client import Client as Libraries
from alibabacloud_green20170823.models import DescribeImageLibRequest
from alibabacloud_green20220302.client import Client
from alibabacloud_green20220302.models import ImageModerationRequest
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.utils_models import Config, GlobalParameters
from pydantic import SecretStr

from consumer.emulator import EmulatorSettings, running

SETTINGS = EmulatorSettings()
KEY = {
    "access_key_id": SETTINGS.access_key_id,
    "access_key_secret": SETTINGS.access_key_secret.get_secret_value(),
}
TOKEN = "sts+tok/en=="


async def judge(config: Config) -> Any:
    request = ImageModerationRequest(service="baselineCheck_global", service_parameters="{}")
    return await Client(config).image_moderation_async(request)


async def list_libraries(config: Config) -> Any:
    return await Libraries(config).describe_image_lib_async(DescribeImageLibRequest())


@pytest.fixture(params=[judge, list_libraries], ids=["2.0", "libraries"])
def call(request: pytest.FixtureRequest) -> Callable[[Config], Awaitable[Any]]:
    """One operation of each API."""
    way: Callable[[Config], Awaitable[Any]] = request.param
    return way


@pytest.mark.parametrize("algorithm", ["", "v2"], ids=["ACS3", "RPC v1"])
@pytest.mark.parametrize(
    ("settings", "key", "status", "code"),
    [
        ({}, {"access_key_secret": "wrong"}, 400, "SignatureDoesNotMatch"),
        ({}, {"access_key_id": "nobody"}, 404, "InvalidAccessKeyId.NotFound"),
        ({"clock_ahead": 1000.0}, {}, 400, "InvalidTimeStamp.Expired"),
        ({"clock_ahead": -1000.0}, {}, 400, "InvalidTimeStamp.Expired"),
        ({"security_token": SecretStr(TOKEN)}, {}, 400, "MissingSecurityToken"),
        ({}, {"security_token": TOKEN}, 400, "InvalidSecurityToken.MismatchWithAccessKey"),
        (
            {"security_token": SecretStr(TOKEN), "security_token_expiry": time.time() - 1}, {"security_token": TOKEN},
            400, "InvalidSecurityToken.Expired",
        ),
    ],
)  # fmt: skip
async def test_the_sdk_raises_the_gateways_code(
    call: Callable[[Config], Awaitable[Any]],
    algorithm: str,
    settings: Mapping[str, Any],
    key: Mapping[str, str],
    status: int,
    code: str,
) -> None:
    """
    With its HTTP status and a request id: a signature, a key, a clock, a token.
    """
    async with running(SETTINGS.model_copy(update=settings)) as emulator:
        config = Config(**{**KEY, **key}, endpoint=emulator.endpoint, protocol="http", region_id="cn-shanghai")
        config.signature_algorithm = algorithm or None
        with pytest.raises(ClientException) as caught:
            await call(config)

    assert (caught.value.code, caught.value.status_code, bool(caught.value.request_id)) == (code, status, True)


async def test_the_sdk_raises_that_a_nonce_was_used(call: Callable[[Config], Awaitable[Any]]) -> None:
    """
    Which takes one that its caller chose: it draws a new one for each call.
    """
    async with running(SETTINGS) as emulator:
        config = Config(**KEY, endpoint=emulator.endpoint, protocol="http", region_id="cn-shanghai")
        config.global_parameters = GlobalParameters(headers={"x-acs-signature-nonce": "one-for-all"})
        await call(config)
        with pytest.raises(ClientException) as caught:
            await call(config)

    assert caught.value.code == "SignatureNonceUsed"
