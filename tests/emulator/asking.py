"""Asks an emulator over HTTP, signed with the official SDK's code."""

from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from consumer.emulator import EmulatorSettings
from tests.emulator.signing import question, signed_headers


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, its JSON read."""

    status: int
    headers: dict[str, str]
    json: dict[str, Any]

    @property
    def code(self) -> int | str:
        """The code in the body."""
        code: int | str = self.json["Code"]
        return code


async def post(http: aiohttp.ClientSession, endpoint: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Send exactly this."""
    async with http.post(f"http://{endpoint}/", data=body, headers=headers) as response:
        return Answer(response.status, dict(response.headers), orjson.loads(await response.read()))


async def ask(
    http: aiohttp.ClientSession, endpoint: str, service: str = "baselineCheck_global", **parameters: str
) -> Answer:
    """One valid call of ImageModeration with these service parameters."""
    body = question(service, **parameters)
    return await post(http, endpoint, body, signed_headers(endpoint, body))


def oss(name: str, bucket: str = "uploads", **more: str) -> dict[str, str]:
    """The service parameters that name an object in a bucket."""
    return {"ossBucketName": bucket, "ossObjectName": name, "ossRegionId": "ap-southeast-1", **more}


def account(settings: EmulatorSettings) -> dict[str, str]:
    """The headers that set faults."""
    shown = aiohttp.encode_basic_auth(settings.access_key_id, settings.access_key_secret.get_secret_value())
    return {"Authorization": shown}
