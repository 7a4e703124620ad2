"""
The provider's behaviour over HTTP: images, quota, latency, refusals.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from pydantic import ValidationError

from consumer.emulator import EmulatorSettings, running
from tests.emulator.asking import ask, oss, post
from tests.emulator.imagehost import serving
from tests.emulator.signing import question, signed_headers
from tests.rig.pictures import picture

RED_IS_HIGH = [
    {
        "match": {"average_colour": "red"},
        "labels": [{"label": "violent_bloody", "confidence": 91.5, "risk_level": "high"}],
    }
]


async def test_an_image_is_really_downloaded(http: aiohttp.ClientSession) -> None:
    """
    A URL is fetched, with the referer asked for, and what comes back is what is judged.
    """
    settings = EmulatorSettings(rules=RED_IS_HIGH)

    async with serving({"/a.png": picture("red"), "/b.png": picture("blue")}) as images, running(settings) as emulator:
        red = await ask(http, emulator.endpoint, imageUrl=f"{images.url}/a.png?sig=1", referer="www.example.com")
        blue = await ask(http, emulator.endpoint, imageUrl=f"{images.url}/b.png")

    assert (red.code, red.json["Data"]["RiskLevel"]) == (200, "high")
    assert (blue.code, blue.json["Data"]["RiskLevel"]) == (200, "none")
    assert images.referers == ["www.example.com", None]
    assert [call.image for call in emulator.calls] == [f"{images.url}/a.png", f"{images.url}/b.png"]


@pytest.mark.parametrize("nested", [False, True])
async def test_a_json_body_is_a_call_without_parameters(http: aiohttp.ClientSession, nested: bool) -> None:
    """
    Vendor: its page draws the request as JSON, all of its SDKs send a form. Until the provider itself was asked, what
    the page draws is refused here, signed or not, so that nobody builds on it.
    """
    parameters = {"imageUrl": "https://img.example.com/1.png", "dataId": "img123"}
    text = orjson.dumps(parameters).decode()
    body = orjson.dumps({"Service": "baselineCheck_global", "ServiceParameters": parameters if nested else text})

    async with running(EmulatorSettings()) as emulator:
        headers = signed_headers(emulator.endpoint, body, content_type="application/json")
        answer = await post(http, emulator.endpoint, body, headers)

    assert (answer.status, answer.code) == (200, 400)
    assert emulator.stats()["billed"] == 0


async def test_a_slow_image_times_out(http: aiohttp.ClientSession) -> None:
    """
    An image that does not arrive in time is Code 405, and not billed.
    """
    settings = EmulatorSettings(download_timeout=0.2)

    async with serving({}) as images, running(settings) as emulator:
        answer = await ask(http, emulator.endpoint, imageUrl=f"{images.url}/never/a.png")

    assert (answer.status, answer.code) == (200, 405)
    assert emulator.stats()["billed"] == 0


async def test_a_missing_image_is_a_failed_download(http: aiohttp.ClientSession) -> None:
    """
    A host that cannot be reached, a host that answers anything but 200, and an unknown object or bucket are Code 404.
    """
    async with serving({}) as images:
        gone = images.url
    settings = EmulatorSettings(oss={"uploads": {}})

    async with serving({}) as images, running(settings) as emulator:
        answers = [
            await ask(http, emulator.endpoint, imageUrl=f"{gone}/a.png"),
            await ask(http, emulator.endpoint, imageUrl=f"{images.url}/a.png"),
            await ask(http, emulator.endpoint, **oss("a.png")),
            await ask(http, emulator.endpoint, **oss("a.png", bucket="unknown")),
        ]

    assert [(answer.status, answer.code) for answer in answers] == [(200, 404)] * 4
    assert all("Data" not in answer.json for answer in answers)


async def test_an_image_that_is_none_is_refused(http: aiohttp.ClientSession) -> None:
    """
    A truncated image is Code 407, one over 20 MB is Code 406, whether downloaded or read from a bucket.
    """
    files = {"/cut.png": picture()[:100], "/big.png": picture() + bytes(20 * 1024 * 1024)}
    settings = EmulatorSettings(oss={"uploads": files})

    async with serving(files) as images, running(settings) as emulator:
        downloaded = [await ask(http, emulator.endpoint, imageUrl=images.url + name) for name in files]
        read = [await ask(http, emulator.endpoint, **oss(name)) for name in files]

    assert [answer.code for answer in downloaded] == [407, 406]
    assert [answer.code for answer in read] == [407, 406]


async def test_a_bucket_may_be_a_folder(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    """
    Objects are the files of the bucket's folder; nothing outside it can be named.
    """
    bucket = tmp_path / "uploads"
    (bucket / "a b").mkdir(parents=True)
    (bucket / "a b" / "red.png").write_bytes(picture("red"))
    (tmp_path / "secret.png").write_bytes(picture("red"))
    settings = EmulatorSettings(oss={"uploads": bucket}, rules=RED_IS_HIGH)

    async with running(settings) as emulator:
        inside = await ask(http, emulator.endpoint, **oss("a b/red.png"))
        outside = [
            await ask(http, emulator.endpoint, **oss(name))
            for name in ("../secret.png", str(tmp_path / "secret.png"), "a b", "none.png", "nul\0.png")
        ]

    assert inside.json["Data"]["RiskLevel"] == "high"
    assert [answer.code for answer in outside] == [404] * 5


async def test_over_the_quota_is_code_403(http: aiohttp.ClientSession) -> None:
    """
    What arrives over the quota is HTTP 200 with Code 403, not billed; a second later there is room again.
    """
    settings = EmulatorSettings(qps=3, oss={"uploads": {"a.png": picture()}})

    async with running(settings) as emulator:
        answers = await asyncio.gather(*(ask(http, emulator.endpoint, **oss("a.png")) for _ in range(8)))
        await asyncio.sleep(1.01)
        later = await ask(http, emulator.endpoint, **oss("a.png"))

    stats = emulator.stats()
    assert sorted(answer.code for answer in answers) == [200] * 3 + [403] * 5
    assert {answer.status for answer in answers} == {200}
    assert later.code == 200
    assert (stats["billed"], stats["by_code"]) == (4, {"200": 4, "403": 5})
    assert stats["busiest_second"] == 8


async def test_the_quota_is_the_accounts(http: aiohttp.ClientSession) -> None:
    """
    All regions share one quota, and each call is logged with its own region.
    """
    settings = EmulatorSettings(
        qps=3, oss={"uploads": {"a.png": picture()}}, regions=("ap-southeast-1", "eu-west-1", "us-east-1")
    )

    async with running(settings) as emulator:
        answers = [await ask(http, endpoint, **oss("a.png")) for endpoint in emulator.endpoints.values()]
        fourth = await ask(http, emulator.endpoints["eu-west-1"], **oss("a.png"))

    assert [answer.code for answer in answers] == [200] * 3
    assert fourth.code == 403
    assert [call.region for call in emulator.calls] == ["ap-southeast-1", "eu-west-1", "us-east-1", "eu-west-1"]
    assert len(set(emulator.endpoints.values())) == 3


async def test_a_judgement_takes_the_latency_and_a_refusal_does_not(http: aiohttp.ClientSession) -> None:
    """
    The time from arrival to a judgement lies within the latency's bounds or above; a refusal does not wait for it, and
    judgements do not wait for each other. The bounds are what waiting would take, and no measure of the machine.
    """
    objects = {"uploads": {"a.png": picture()}}

    async with running(EmulatorSettings(latency=30.0, oss=objects)) as emulator:
        started = time.monotonic()
        await ask(http, emulator.endpoint)
        refused = time.monotonic()
    async with running(EmulatorSettings(latency=(0.8, 1.0), oss=objects)) as emulator:
        asked = time.monotonic()
        await asyncio.gather(*(ask(http, emulator.endpoint, **oss("a.png")) for _ in range(20)))
        judged = time.monotonic()

    assert refused - started < 30.0
    assert 0.8 <= judged - asked < 20 * 0.8


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"action": "ImageAsyncModeration"}, 404, "InvalidAction.NotFound"),
        ({"version": "2019-01-01"}, 400, "InvalidVersion"),
        ({"secret": "wrong"}, 400, "SignatureDoesNotMatch"),
        ({"key_id": "wrong"}, 404, "InvalidAccessKeyId.NotFound"),
        ({"at": 0.0}, 400, "InvalidTimeStamp.Expired"),
    ],
)
async def test_the_gateway_refuses_in_its_own_json(
    change: dict[str, Any], status: int, code: str, http: aiohttp.ClientSession
) -> None:
    """
    A refusal of the gateway has an HTTP status, a string code, a message, and ids for support. It is not billed.
    """
    body = question(imageUrl="https://example.com/a.png")

    async with running(EmulatorSettings()) as emulator:
        answer = await post(http, emulator.endpoint, body, signed_headers(emulator.endpoint, body, **change))

    assert (answer.status, answer.code) == (status, code)
    assert set(answer.json) == {"RequestId", "HostId", "Code", "Message", "Recommend"}
    assert answer.json["HostId"] == emulator.endpoint
    assert answer.headers["x-acs-request-id"] == answer.json["RequestId"]
    assert answer.json["RequestId"].isupper()
    assert emulator.stats()["by_code"] == {code: 1}
    assert emulator.stats()["billed"] == 0


async def test_a_replayed_request_is_refused(http: aiohttp.ClientSession) -> None:
    """
    The same signed request sent twice is a replay, in every region.
    """
    settings = EmulatorSettings(oss={"uploads": {"a.png": picture()}})
    body = question(**oss("a.png"))

    async with running(settings) as emulator:
        headers = signed_headers(emulator.endpoint, body)
        first = await post(http, emulator.endpoint, body, headers)
        second = await post(http, emulator.endpoint, body, headers)

    assert first.code == 200
    assert (second.status, second.code) == (400, "SignatureNonceUsed")


async def test_only_posts_to_the_root_are_calls(http: aiohttp.ClientSession) -> None:
    """
    Another method or path is refused with the gateway's JSON.
    """
    async with running(EmulatorSettings()) as emulator:
        async with http.get(emulator.url) as got:
            unsigned = await got.json()
        async with http.post(f"{emulator.url}/elsewhere", headers=signed_headers(emulator.endpoint, b"")) as got:
            elsewhere = await got.json()

    assert unsigned["Code"] == "MissingAccessKeyId"
    assert elsewhere["Code"] == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    "settings",
    [
        {"qps": 0},
        {"latency": -1},
        {"latency": (2, 1)},
        {"regions": ()},
        {"regions": ("eu-west-1", "eu-west-1")},
        {"regions": ("mars-north-1",)},
        {"port": 65535, "regions": ("eu-west-1", "us-east-1")},
        {"oss": {"uploads": "/nowhere"}},
        {"token_lifetime": 0},
        {"object_lifetime": -1},
        {"store_bytes": 1024},
        {"quota": 100},
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object]) -> None:
    """
    Settings that contradict themselves, and keys that do not exist, are refused.
    """
    with pytest.raises(ValidationError):
        EmulatorSettings.model_validate(settings)


def test_settings_are_read_from_plain_data(tmp_path: Path) -> None:
    """
    What a YAML file holds, lists and texts, makes the settings: bounds of latency, folders, regions, faults.
    """
    plain = {
        "regions": ["us-east-1", "us-west-1"],
        "latency": [0.2, 0.4],
        "oss": {"uploads": str(tmp_path)},
        "rules": RED_IS_HIGH,
        "faults": [{"what": {"code": 500}, "times": 2}],
    }

    settings = EmulatorSettings.model_validate(plain)

    assert (settings.latency, settings.oss) == ((0.2, 0.4), {"uploads": tmp_path})
    assert (len(settings.rules), settings.faults[0].what.code) == (1, 500)


def test_no_secret_is_shown() -> None:
    """
    Settings printed or logged hide the secret and the token.
    """
    settings = EmulatorSettings.model_validate({"access_key_secret": "canary-one", "security_token": "canary-two"})

    assert "canary" not in repr(settings)
    assert "canary" not in settings.model_dump_json()
