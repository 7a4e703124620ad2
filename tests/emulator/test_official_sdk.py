"""
The vendor's official SDK (alibabacloud_green20220302) as a client of the emulator.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest
from alibabacloud_green20220302.client import Client
from alibabacloud_green20220302.models import ImageModerationRequest
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.utils_models import Config
from pydantic import SecretStr

from consumer.emulator import Emulator, EmulatorSettings, running
from tests.emulator.asking import oss
from tests.rig.pictures import picture

Call = Callable[[Client, ImageModerationRequest], Awaitable[Any]]

SETTINGS = EmulatorSettings(
    oss={"uploads": {"red.png": picture("red"), "grün/b c.png": picture("green"), "broken.png": b"\x89PNG broken"}},
    rules=[
        {
            "match": {"average_colour": "red"},
            "labels": [{"label": "violent_bloody", "confidence": 91.5, "risk_level": "high"}, {"label": "pt_logo"}],
            "ext": {
                "CustomImage": [{"LibId": "lib-1", "LibName": "Logos", "ImageId": "7"}],
                "TextInImage": {"OcrResult": [{"Text": "buy now"}], "RiskWord": ["buy"], "CustomText": None},
                "PublicFigure": [{"FigureId": None, "FigureName": "N", "Location": [{"X": 1, "Y": 2, "W": 3, "H": 4}]}],
                "LogoData": [
                    {"Location": {"X": 1, "Y": 2, "W": 3, "H": 4}, "Logo": [{"Name": "L", "Label": "pt_logo"}]}
                ],
            },
        }
    ],
)


async def in_thread(client: Client, request: ImageModerationRequest) -> Any:
    return await asyncio.to_thread(client.image_moderation, request)


async def in_loop(client: Client, request: ImageModerationRequest) -> Any:
    return await client.image_moderation_async(request)


@pytest.fixture(params=[in_thread, in_loop], ids=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    """One way to call the SDK."""
    way: Call = request.param
    return way


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An emulator with a bucket and a rule."""
    async with running(SETTINGS) as emulator:
        yield emulator


def client(endpoint: str, **changes: str) -> Client:
    key = {
        "access_key_id": SETTINGS.access_key_id,
        "access_key_secret": SETTINGS.access_key_secret.get_secret_value(),
    }
    return Client(Config(**(key | changes), endpoint=endpoint, protocol="http", region_id="ap-southeast-1"))


def request_of(service: str = "baselineCheck_global", **parameters: str) -> ImageModerationRequest:
    return ImageModerationRequest(service=service, service_parameters=orjson.dumps(parameters).decode())


async def test_a_judgement_fills_the_sdks_model(call: Call, emulator: Emulator) -> None:
    """
    The SDK reads every part of a judgement: code, ids, level, labels and all auxiliary information asked for.
    """
    request = request_of(**oss("red.png", dataId="img-1", infoType="customImage,textInImage,publicFigure,logoData"))

    response = await call(client(emulator.endpoint), request)

    data = response.body.data
    assert (response.status_code, response.body.code, response.body.msg) == (200, 200, "OK")
    assert response.body.request_id == response.headers["x-acs-request-id"]
    assert (data.data_id, data.risk_level) == ("img-1", "high")
    assert [(item.label, item.confidence, item.risk_level) for item in data.result] == [
        ("violent_bloody", 91.5, "high"),
        ("pt_logo", None, None),
    ]
    assert data.ext.custom_image[0].lib_id == "lib-1"
    assert [line.text for line in data.ext.text_in_image.ocr_result] == ["buy now"]
    assert data.ext.public_figure[0].location[0].w == 3
    assert data.ext.logo_data[0].logo[0].name == "L"


async def test_the_older_signature_is_as_good(call: Call, emulator: Emulator) -> None:
    """
    RPC v1, in the query, over the same form.
    """
    response = await call(client(emulator.endpoint, signature_algorithm="v2"), request_of(**oss("grün/b c.png")))

    assert (response.body.code, response.body.data.result[0].label) == (200, "nonLabel")


async def test_object_names_go_through_as_they_are(call: Call, emulator: Emulator) -> None:
    """
    An object's name with spaces and letters beyond ASCII reaches its object.
    """
    response = await call(client(emulator.endpoint), request_of(**oss("grün/b c.png")))

    assert (response.body.code, response.body.data.result[0].label) == (200, "nonLabel")


async def test_a_refusal_of_the_service_is_an_answer(call: Call, emulator: Emulator) -> None:
    """
    The SDK returns the service's refusals: HTTP 200, an integer code, no data.
    """
    response = await call(client(emulator.endpoint), request_of(**oss("broken.png")))

    assert (response.status_code, response.body.code, response.body.data) == (200, 407, None)


async def test_a_refusal_of_the_gateway_is_an_exception(call: Call, emulator: Emulator) -> None:
    """
    The SDK raises the gateway's refusals, with their code, HTTP status and request id.
    """
    with pytest.raises(ClientException) as caught:
        await call(client(emulator.endpoint, access_key_secret="wrong"), request_of(**oss("red.png")))

    assert caught.value.code == "SignatureDoesNotMatch"
    assert caught.value.status_code == 400
    assert caught.value.request_id


async def test_a_temporary_key_is_accepted_with_its_token(call: Call) -> None:
    """
    With a security token configured, the SDK's calls with that token pass.
    """
    settings = SETTINGS.model_copy(update={"security_token": SecretStr("sts+tok/en==")})

    async with running(settings) as emulator:
        response = await call(client(emulator.endpoint, security_token="sts+tok/en=="), request_of(**oss("red.png")))
        with pytest.raises(ClientException) as caught:
            await call(client(emulator.endpoint), request_of(**oss("red.png")))

    assert response.body.code == 200
    assert caught.value.code == "MissingSecurityToken"


async def test_every_call_of_the_sdk_is_in_the_log(call: Call, emulator: Emulator) -> None:
    """
    The log says of a call when it arrived, what it asked, what it was answered and whether it is charged.
    """
    await call(client(emulator.endpoint), request_of(**oss("red.png", dataId="img-1")))

    (logged,) = emulator.calls
    assert logged.json() == {
        "arrival": logged.json()["arrival"],
        "region": "ap-southeast-1",
        "host": emulator.endpoint,
        "action": "ImageModeration",
        "service": "baselineCheck_global",
        "data_id": "img-1",
        "image": "uploads/red.png",
        "http_status": 200,
        "code": 200,
        "billed": True,
    }
