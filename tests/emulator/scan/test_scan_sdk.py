"""
The official SDK of the 1.0 API, unmodified, as a client of the emulator: one call, several images, several scenes.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.auth.credentials import StsTokenCredential
from aliyunsdkcore.profile import region_provider
from aliyunsdkgreen.request.v20180509.ImageSyncScanRequest import ImageSyncScanRequest
from aliyunsdkgreenextension.request.extension import ClientUploader
from pydantic import SecretStr

from consumer.emulator import Emulator, EmulatorSettings, Fault, running
from consumer.emulator.rules import Rule
from tests.emulator.scan.asking import ACCOUNT, SECRET, ask, said, sdk, tasks
from tests.rig.pictures import picture

RULES = tuple(
    Rule.model_validate(each)
    for each in (
        {
            "match": {"average_colour": "red"},
            "labels": [{"label": "violent_bloody", "confidence": 91.5, "risk_level": "high"}],
        },
        {"match": {"average_colour": "yellow"}, "labels": [{"label": "sexual_kiss", "risk_level": "medium"}]},
    )
)
IMAGES = {name: picture(name.partition(".")[0]) for name in ("red.png", "yellow.png", "white.png")}
SETTINGS = EmulatorSettings(rules=RULES, oss={"ugc": {**IMAGES, "broken.png": b"no image"}})


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An account with a bucket of images."""
    async with running(SETTINGS) as emulator:
        yield emulator


async def test_a_scan_answers_each_image_in_each_scene(emulator: Emulator) -> None:
    """
    The envelope and the entries are as the vendor's; what the image means comes from the rules of 2.0.
    """
    answered = await ask(emulator.endpoint, "scan", tasks("oss://ugc/red.png", "oss://ugc/yellow.png"))

    first, second = answered["data"]
    assert (answered["code"], answered["msg"], len(answered["requestId"])) == (200, "OK", 36)
    assert {**first, "taskId": ""} == {
        "code": 200,
        "msg": "OK",
        "taskId": "",
        "dataId": "d-0",
        "url": "oss://ugc/red.png",
        "extras": {},
        "results": [
            {"scene": "porn", "label": "normal", "suggestion": "pass", "rate": 99.9},
            {"scene": "terrorism", "label": "bloody", "suggestion": "block", "rate": 91.5},
        ],
    }
    assert said(second) == {"porn": "review", "terrorism": "pass"}


async def test_an_image_that_cannot_be_judged_is_refused_alone_and_free(emulator: Emulator) -> None:
    """
    Each task has its code; what is billed are scenes of images that answer 200.
    """
    content = tasks("oss://ugc/red.png", "oss://ugc/gone.png", "oss://ugc/broken.png", "ftp://a/b")
    answered = await ask(emulator.endpoint, "scan", content)

    [logged] = emulator.calls
    assert [each["code"] for each in answered["data"]] == [200, 404, 590, 400]
    assert [each.get("results") is None for each in answered["data"]] == [False, True, True, True]
    assert emulator.stats()["billed"] == 2
    assert emulator.stats()["scan"]["images"] == 4
    shown: Any = logged.json()
    assert (shown["action"], shown["billed"]) == ("ImageSyncScan", 2)
    assert [each["billed"] for each in shown["tasks"]] == [2, 0, 0, 0]


async def test_an_image_that_is_billed_again_is_noticed(emulator: Emulator) -> None:
    """
    By its `dataId` in each scene, as at 2.0 in each service.
    """
    for scenes in (("porn",), ("porn", "ad")):
        await ask(emulator.endpoint, "scan", tasks("oss://ugc/red.png", scenes=scenes))

    stats = emulator.stats()
    assert (stats["billed"], stats["images_billed"], stats["images_billed_more_than_once"]) == (3, 2, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"not JSON",
        [],
        {"tasks": [], "scenes": ["porn"]},
        {"tasks": [{"url": "oss://ugc/red.png"}]},
        {"tasks": [{"url": "oss://ugc/red.png"}], "scenes": ["sports"]},
        {"tasks": ["oss://ugc/red.png"], "scenes": ["porn"]},
        tasks("oss://ugc/red.png", bizType=7),
        tasks(*["oss://ugc/red.png"] * 101),
    ],
)
async def test_a_wrong_call_is_refused_as_a_whole(content: Any, emulator: Emulator) -> None:
    """
    The envelope says 400, with HTTP status 200: the SDK raises nothing.
    """
    answered = await ask(emulator.endpoint, "scan", content)

    assert answered["code"] == 400
    assert "data" not in answered
    assert emulator.stats()["billed"] == 0


async def test_the_quota_counts_images() -> None:
    """
    A call takes as many places as it has tasks, and is refused as a whole where there are fewer.
    """
    async with running(SETTINGS.model_copy(update={"scan_images": 3})) as emulator:
        calls = [("oss://ugc/red.png",) * 2, ("oss://ugc/red.png",) * 2, ("oss://ugc/red.png",)]
        codes = [(await ask(emulator.endpoint, "scan", tasks(*each)))["code"] for each in calls]

    assert codes == [200, 588, 200]


async def test_the_sdk_raises_what_the_gateway_refuses(emulator: Emulator) -> None:
    """
    A wrong secret and an unknown key, each with the vendor's code.
    """
    codes = []
    for client in (sdk(emulator.endpoint, secret="wrong"), sdk(emulator.endpoint, key_id="nobody")):
        with pytest.raises(ServerException) as refused:
            await ask(emulator.endpoint, "scan", tasks("oss://ugc/red.png"), client)
        codes.append((refused.value.get_http_status(), refused.value.get_error_code()))

    assert codes == [(400, "SignatureDoesNotMatch"), (404, "InvalidAccessKeyId.NotFound")]


async def test_the_sdk_raises_what_is_too_old_or_too_new() -> None:
    """
    More than a quarter of an hour from the provider's clock.
    """
    codes = []
    for ahead in (-1000, -800, 800, 1000):
        async with running(SETTINGS.model_copy(update={"clock_ahead": ahead})) as emulator:
            try:
                codes.append((await ask(emulator.endpoint, "scan", tasks("oss://ugc/red.png")))["code"])
            except ServerException as refused:
                codes.append(refused.get_error_code())

    assert codes == ["InvalidTimeStamp.Expired", 200, 200, "InvalidTimeStamp.Expired"]


async def test_the_sdk_raises_what_has_a_nonce_that_was_used(emulator: Emulator) -> None:
    """
    It sends none of its own; one that the caller adds is signed with the rest.
    """
    codes = []
    for _ in range(2):
        request = ImageSyncScanRequest()
        request.add_header("x-acs-signature-nonce", "nonce-1")
        request.set_content(orjson.dumps(tasks("oss://ugc/red.png")))
        request.set_endpoint(emulator.endpoint.partition(":")[0])
        try:
            answered = await asyncio.to_thread(sdk(emulator.endpoint).do_action_with_exception, request)
            codes.append(orjson.loads(answered)["code"])
        except ServerException as refused:
            codes.append(refused.get_error_code())

    assert codes == [200, "SignatureNonceUsed"]


async def test_the_sdks_temporary_key_is_accepted_until_it_expires() -> None:
    """
    Its token is signed like every header of the vendor's; without it, or too late, the SDK raises.
    """
    credential = StsTokenCredential(ACCOUNT.access_key_id, SECRET, "sts+tok/en==")
    token = {"security_token": SecretStr("sts+tok/en==")}

    async with running(SETTINGS.model_copy(update=token)) as emulator:
        client = sdk(emulator.endpoint, credential=credential)
        answered = await ask(emulator.endpoint, "scan", tasks("oss://ugc/red.png"), client)
        with pytest.raises(ServerException, match="MissingSecurityToken"):
            await ask(emulator.endpoint, "scan", tasks("oss://ugc/red.png"))
    async with running(SETTINGS.model_copy(update={**token, "security_token_expiry": time.time() - 1})) as emulator:
        client = sdk(emulator.endpoint, credential=credential)
        with pytest.raises(ServerException, match=r"InvalidSecurityToken\.Expired"):
            await ask(emulator.endpoint, "scan", tasks("oss://ugc/red.png"), client)

    assert answered["code"] == 200


async def test_there_are_four_regions() -> None:
    """
    Elsewhere there is no such operation.
    """
    regions = ("cn-shanghai", "cn-beijing", "cn-shenzhen", "ap-southeast-1", "eu-west-1")
    answered = []
    async with running(SETTINGS.model_copy(update={"regions": regions})) as emulator:
        for region in regions:
            try:
                content = tasks("https://127.0.0.1:1/a.png")
                answered.append((await ask(emulator.endpoints[region], "scan", content))["data"][0]["code"])
            except ServerException as refused:
                answered.append(refused.get_error_code())

    assert answered == [480, 480, 480, 480, "InvalidApi.NotFound"]


@pytest.mark.filterwarnings("ignore:do_action:DeprecationWarning")  # the uploader's own call
async def test_the_uploader_uploads_a_file_and_bytes(emulator: Emulator, tmp_path: Path) -> None:
    """
    With credentials of this API; what it returns is scanned, and is not found in another bucket's name.
    """
    file = tmp_path / "image.jpg"
    file.write_bytes(IMAGES["red.png"])
    client = sdk(emulator.endpoint)
    region_provider.modify_point("Green", "cn-shanghai", emulator.endpoint.partition(":")[0])
    uploader = ClientUploader.getImageClientUploader(client)

    urls = [
        await asyncio.to_thread(uploader.uploadFile, str(file)),
        await asyncio.to_thread(uploader.uploadBytes, IMAGES["yellow.png"]),
    ]
    answered = await ask(emulator.endpoint, "scan", tasks(*urls))

    assert all(url.startswith("oss://emulated-uploads-ap-southeast-1/upload/") for url in urls)
    assert [said(each)["terrorism"] for each in answered["data"]] == ["block", "pass"]
    assert [said(each)["porn"] for each in answered["data"]] == ["pass", "review"]
    assert [call.action for call in emulator.calls].count("UploadCredentials") == 1


async def test_faults_strike_what_is_said_of_one_image(emulator: Emulator) -> None:
    """
    It is left out, told twice, as another's, as nobody's or in an unknown word; it was judged and billed all the same.
    """
    content = tasks("oss://ugc/red.png", "oss://ugc/white.png")
    named: list[Any] = []
    for kind in ("missing", "twice", "of_another", "unnamed", "unknown_suggestion"):
        fault = {"match": {"object": "red*"}, "what": {"entry": kind}, "times": 1}
        emulator.faults.add(Fault.model_validate(fault))
        answered = await ask(emulator.endpoint, "scan", content)
        named.append([each.get("dataId") for each in answered["data"]])

    assert named == [["d-1"], ["d-0", "d-0", "d-1"], ["of-another", "d-1"], [None, "d-1"], ["d-0", "d-1"]]
    assert said(answered["data"][0]) == {"porn": "unknown", "terrorism": "unknown"}
    assert said(answered["data"][1]) == {"porn": "pass", "terrorism": "pass"}
    assert emulator.stats()["billed"] == 5 * 4
    assert not emulator.faults.unfired()


async def test_faults_strike_the_calls_of_this_api(emulator: Emulator) -> None:
    """
    The gateway's, the service's, and one image's alone; an answer that is lost was billed.
    """
    content = tasks("oss://ugc/red.png", "oss://ugc/white.png")
    answered: list[Any] = []
    whats: list[dict[str, Any]] = [
        {"task_code": 588},
        {"code": 588},
        {"items_off": True},
        {"throttle": {}},
        {"gateway_code": "ServiceUnavailable", "http_status": 503},
        {"body": "<html>", "http_status": 502},
    ]
    for what in whats:
        emulator.faults.add(Fault.model_validate({"match": {"object": "red*"}, "what": what, "times": 1}))
        try:
            body = await ask(emulator.endpoint, "scan", content)
            answered.append([each["code"] for each in body["data"]] if "data" in body else body["code"])
        except ServerException as refused:
            answered.append(refused.get_error_code())
    billed = emulator.stats()["billed"]
    emulator.faults.add(Fault.model_validate({"what": {"drop": "after_judging"}, "times": 1}))
    with pytest.raises(Exception, match=r"SDK\.HttpError|Remote end closed|reset"):
        await ask(emulator.endpoint, "scan", content)

    assert answered == [[588, 200], 588, [200, 200], "Throttling.User", "ServiceUnavailable", "SDK.UnknownServerError"]
    assert billed == 2 + 4
    assert emulator.stats()["billed"] == billed + 4
    assert not emulator.faults.unfired()
