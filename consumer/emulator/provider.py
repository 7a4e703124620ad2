"""
The provider's API: a request in, a reply out. Sockets are server.py's.

    gateway   signature → action and version          refuses with HTTP 4xx and a string Code
    service   quota → parameters → image → rules      refuses with HTTP 200 and an integer Code

Vendor: ImageModeration, version 2022-03-02. Only Code 200 is billed.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

import orjson
from pydantic import JsonValue

from consumer.emulator.calls import Call
from consumer.emulator.errors import GatewayError, ServiceError
from consumer.emulator.images import Gallery
from consumer.emulator.parameters import read_asked, read_parameters
from consumer.emulator.quota import SlidingQuota
from consumer.emulator.rules import judgement
from consumer.emulator.settings import EmulatorSettings
from consumer.emulator.signatures import Credentials, NonceLedger, SignedRequest, verify
from consumer.emulator.sources import ImageSource

ABOUT: Final = (
    "This is an emulator of Alibaba Cloud Image Moderation 2.0. It judges nothing: "
    "it answers by rules, and says nonLabel where no rule matches."
)
ACTION: Final = "ImageModeration"
VERSION: Final = "2022-03-02"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One HTTP answer, and what it means: the code in it, and whether the call is charged."""

    http_status: int
    headers: Mapping[str, str]
    body: bytes
    code: int | str
    billed: bool = False


@dataclass(frozen=True, slots=True)
class Latency:
    """How long the service takes over a call, in seconds: evenly drawn between two bounds, which may be equal."""

    low: float
    high: float
    dice: random.Random

    @classmethod
    def of(cls, settings: EmulatorSettings) -> "Latency":
        """The latency that the settings ask for."""
        bounds = settings.latency if isinstance(settings.latency, tuple) else (settings.latency, settings.latency)
        return cls(*bounds, random.Random(settings.latency_seed))

    def draw(self) -> float:
        """The latency of one more call."""
        return self.low if self.low == self.high else self.dice.uniform(self.low, self.high)


class Provider:
    """Answers the calls of one account, in all its regions."""

    def __init__(self, settings: EmulatorSettings, source: ImageSource) -> None:
        token = settings.security_token
        self._credentials = Credentials(
            settings.access_key_id,
            settings.access_key_secret.get_secret_value(),
            token.get_secret_value() if token else None,
        )
        self._rules = settings.rules
        self._source = source
        self._nonces = NonceLedger()
        self._quota = SlidingQuota(settings.qps)
        self._latency = Latency.of(settings)
        self._gallery = Gallery()

    async def answer(self, request: SignedRequest, call: Call) -> Reply:
        """Answer one request and note in `call` what it is about. Refusals are replies: none escapes."""
        request_id = str(uuid.uuid4()).upper()
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        asked = read_asked(form)
        call.service, call.data_id = asked.service or None, asked.data_id or None
        call.image = str(asked.image) if asked.image else None
        try:
            self._pass_gateway(request)
            data = await self._moderate(form, call)
        except GatewayError as error:
            return gateway_reply(error, request_id, call.host)
        except ServiceError as error:
            return service_reply(error.code, error.message, request_id)
        return service_reply(200, "OK", request_id, data)

    def _pass_gateway(self, request: SignedRequest) -> None:
        verify(request, self._credentials, self._nonces, now=time.time())
        if request.header("x-acs-version") != VERSION:
            raise GatewayError(400, "InvalidVersion", "Specified parameter Version is not valid.")
        if request.header("x-acs-action") != ACTION or request.method != "POST" or request.path != "/":
            raise GatewayError(
                404,
                "InvalidAction.NotFound",
                "Specified api is not found, please check your url and method.",
            )

    async def _moderate(self, form: Mapping[str, str], call: Call) -> dict[str, JsonValue]:
        if not self._quota.admit(call.arrival):
            raise ServiceError(403, "the request exceeds the QPS limit")
        parameters = read_parameters(form)
        # The latency is the whole call's: what the image takes is part of it, not added to it.
        answer_at = asyncio.get_running_loop().time() + self._latency.draw()
        data = await self._source.fetch(parameters.image)
        picture = await asyncio.to_thread(self._gallery.look, data)
        await asyncio.sleep(answer_at - asyncio.get_running_loop().time())
        return judgement(self._rules, parameters, picture)


def gateway_reply(error: GatewayError, request_id: str, host: str) -> Reply:
    """A refusal of the gateway, in its JSON."""
    body = {
        "RequestId": request_id,
        "HostId": host,
        "Code": error.code,
        "Message": error.message,
        "Recommend": f"https://api.aliyun.com/troubleshoot?q={error.code}&product=Green&requestId={request_id}",
    }
    return Reply(
        http_status=error.status,
        headers={**_headers(request_id), **error.headers},
        body=orjson.dumps(body),
        code=error.code,
    )


def service_reply(code: int, message: str, request_id: str, data: Mapping[str, JsonValue] | None = None) -> Reply:
    """An answer of the service, which is HTTP 200 whatever its code. With `data` it is a judgement, and billed."""
    body: dict[str, object] = {"RequestId": request_id, "Code": code, "Msg": message}
    if data is not None:
        body["Data"] = data
    return Reply(
        http_status=200,
        headers=_headers(request_id),
        body=orjson.dumps(body),
        code=code,
        billed=data is not None,
    )


def _headers(request_id: str) -> dict[str, str]:
    return {"Content-Type": "application/json;charset=utf-8", "x-acs-request-id": request_id}
