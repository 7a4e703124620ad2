"""
The provider's API: a request in, a reply out. Sockets are server.py's.

    gateway   signature → version and action           refuses with HTTP 4xx and a string Code
    service   quota → parameters → image → rules       refuses with HTTP 200 and an integer Code

Faults strike where they would at the provider: before the gateway, or once the call is inside the quota.

Vendor: ImageModeration and DescribeUploadToken, version 2022-03-02. Only Code 200 of ImageModeration is billed. Of
DescribeUploadToken neither a quota nor a price is documented: here it has none.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from pydantic import JsonValue

from consumer.emulator.access import credentials_of
from consumer.emulator.breakage import in_place_of_gateway, spoiled
from consumer.emulator.calls import METERED, Call
from consumer.emulator.errors import GatewayError, ServiceError
from consumer.emulator.faults import ActiveFault, Faults, Moment, Subject
from consumer.emulator.images import Gallery
from consumer.emulator.libraries import LibraryStore
from consumer.emulator.library_calls import LibraryCalls
from consumer.emulator.library_operations import action_of, version_of
from consumer.emulator.parameters import Asked, ImageUrl, OssObject, read_asked, read_parameters
from consumer.emulator.quota import SlidingQuota
from consumer.emulator.replies import Reply, Silence, gateway_reply, service_reply
from consumer.emulator.rpc_signatures import is_rpc, verify_rpc
from consumer.emulator.rules import Rule, judgement
from consumer.emulator.settings import EmulatorSettings
from consumer.emulator.signatures import NonceLedger, SignedRequest, verify
from consumer.emulator.sources import ImageSource
from consumer.emulator.uploads import Uploads

ABOUT: Final = (
    "This is an emulator of Alibaba Cloud Image Moderation 2.0, and of its 1.0 API. It judges nothing: "
    "it answers by rules, and says nonLabel where no rule matches."
)
VERSION: Final = "2022-03-02"
DESCRIBE_UPLOAD_TOKEN: Final = "DescribeUploadToken"
"""The action that hands out a key to upload local files with."""


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

    def __init__(
        self, settings: EmulatorSettings, source: ImageSource, faults: Faults, uploads: Uploads, libraries: LibraryStore
    ) -> None:
        self._credentials = credentials_of(settings)
        self._rules = settings.rules
        self._source = source
        self._faults = faults
        self._uploads = uploads
        self._clock_ahead = settings.clock_ahead
        self._nonces = NonceLedger()
        self._quota = SlidingQuota(settings.qps)
        self._library_calls = LibraryCalls(settings, libraries, faults, self._credentials, self._nonces)
        self._latency = Latency.of(settings)
        self._gallery = Gallery()

    async def answer(self, request: SignedRequest, call: Call) -> Reply | Silence:
        """Answer one request and note in `call` what it is about. Refusals are replies: none escapes."""
        request_id = str(uuid.uuid4()).upper()
        if self._library_calls.takes(request):
            return await self._library_calls.answer(request, call, request_id)
        call.action = action_of(request)
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        asked = read_asked(form)
        call.service, call.data_id = asked.service or None, asked.data_id or None
        call.image = str(asked.image) if asked.image else None
        subject = subject_of(call, asked)
        try:
            fault = self._faults.draw(Moment.BEFORE_GATEWAY, subject)
            if fault is not None:
                return in_place_of_gateway(fault.what, request)
            self._pass_gateway(request)
            if call.action == METERED:
                self._enter_service(call)
            return await self._serve(form, request_id, call, self._faults.draw(Moment.INSIDE_QUOTA, subject))
        except GatewayError as error:
            return gateway_reply(error, request_id, call.host)
        except ServiceError as error:
            return service_reply(error.code, error.message, request_id)

    def _pass_gateway(self, request: SignedRequest) -> None:
        check = verify_rpc if is_rpc(request) else verify
        check(request, self._credentials, self._nonces, now=time.time() + self._clock_ahead)
        if version_of(request) != VERSION:
            raise GatewayError(400, "InvalidVersion", "Specified parameter Version is not valid.")
        if (
            action_of(request) not in (METERED, DESCRIBE_UPLOAD_TOKEN)
            or request.method != "POST"
            or request.path != "/"
        ):
            raise GatewayError(
                404,
                "InvalidAction.NotFound",
                "Specified api is not found, please check your url and method.",
            )

    def _enter_service(self, call: Call) -> None:
        if not self._quota.admit(call.arrival):
            raise ServiceError(403, "the request exceeds the QPS limit")

    async def _serve(
        self, form: Mapping[str, str], request_id: str, call: Call, fault: ActiveFault | None
    ) -> Reply | Silence:
        if fault and fault.what.code is not None:
            raise ServiceError(fault.what.code, "a fault of the emulator")
        try:
            if call.action == METERED:
                rules = () if fault and fault.what.items_off else self._rules
                data = await self._judge(form, call.region, rules)
                reply = service_reply(200, "OK", request_id, data, billed=True)
            else:
                token = self._uploads.hand_out(call.region)
                # Where the caller reached this region, it reaches its store.
                reply = service_reply(200, "OK", request_id, token.json(f"http://{call.host}"))
        except ServiceError as error:
            reply = service_reply(error.code, error.message, request_id)
        if fault is None:
            return reply
        await asyncio.sleep(fault.what.latency or 0.0)
        return spoiled(reply, fault)

    async def _judge(self, form: Mapping[str, str], region: str, rules: Sequence[Rule]) -> dict[str, JsonValue]:
        parameters = read_parameters(form, region)
        # The latency is the whole call's: what the image takes is part of it, not added to it.
        answer_at = asyncio.get_running_loop().time() + self._latency.draw()
        data = await self._source.fetch(parameters.image, region)
        picture = await asyncio.to_thread(self._gallery.look, data)
        await asyncio.sleep(answer_at - asyncio.get_running_loop().time())
        return judgement(rules, parameters, picture)


def subject_of(call: Call, asked: Asked | None = None) -> Subject:
    """What faults may match of a call; without `asked`, of a call whose body has not been read."""
    image = asked.image if asked else None
    return Subject(
        region=call.region,
        action=call.action or "",
        service=asked.service if asked else "",
        url=image.url if isinstance(image, ImageUrl) else "",
        object=image.object if isinstance(image, OssObject) else "",
        data_id=asked.data_id if asked else "",
    )
