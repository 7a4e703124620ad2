"""
What the samples of the vendor's page about its 1.0 SDK do, call by call and parameter by parameter, written anew: the
SDK finds the emulator where the page has it find the region.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.profile import region_provider
from aliyunsdkgreen.request.v20180509.ImageAsyncScanRequest import ImageAsyncScanRequest
from aliyunsdkgreen.request.v20180509.ImageAsyncScanResultsRequest import ImageAsyncScanResultsRequest
from aliyunsdkgreen.request.v20180509.ImageScanFeedbackRequest import ImageScanFeedbackRequest
from aliyunsdkgreen.request.v20180509.ImageSyncScanRequest import ImageSyncScanRequest
from aliyunsdkgreenextension.request.extension import ClientUploader, HttpContentHelper

from consumer.emulator import Emulator, EmulatorSettings, running
from tests.emulator.imagehost import ImageHost, serving
from tests.emulator.scan.asking import ACCOUNT, SECRET
from tests.rig.pictures import picture

RULE = {"match": {"average_colour": "red"}, "labels": [{"label": "pornographic_adultContent", "risk_level": "high"}]}
SETTINGS = EmulatorSettings(rules=[RULE], regions=("cn-shanghai",))
RED, WHITE = picture("red"), picture("white")
FOUND = [("porn", "block")]


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """The region of the samples."""
    async with running(SETTINGS) as emulator:
        yield emulator


@pytest.fixture
async def images() -> AsyncIterator[ImageHost]:
    """Where the images of the samples are."""
    async with serving({"/red.png": RED, "/white.png": WHITE}) as host:
        yield host


@pytest.fixture
def client(emulator: Emulator) -> Iterator[AcsClient]:
    """One for all requests; `modify_point` holds for the whole process, so it is taken back."""
    host, _, port = emulator.endpoint.partition(":")
    region_provider.modify_point("Green", "cn-shanghai", host)
    yield AcsClient(ACCOUNT.access_key_id, SECRET, "cn-shanghai", port=int(port))
    region_provider.modify_point("Green", "cn-shanghai", "green.cn-shanghai.aliyuncs.com")


async def asked(client: AcsClient, request: Any, content: str | bytes) -> dict[str, Any]:
    """A new request object for each call, its answer as JSON."""
    request.set_accept_format("JSON")
    request.set_content(content)
    answered: dict[str, Any] = json.loads(await asyncio.to_thread(client.do_action_with_exception, request))
    return answered


def task(url: str) -> dict[str, str]:
    return {"dataId": str(uuid.uuid1()), "url": url}


def found(answered: dict[str, Any]) -> list[tuple[str, str]]:
    """Scene and suggestion, read as the samples read them: only what says 200, of the whole and of each task."""
    assert answered["code"] == 200
    return [
        (result["scene"], result["suggestion"])
        for each in answered["data"]
        if each["code"] == 200
        for result in each["results"]
    ]


async def test_an_image_by_url(client: AcsClient, images: ImageHost) -> None:
    """
    `tasks` of `dataId` and `url`, `scenes`; each task and each scene is answered.
    """
    given = task(f"{images.url}/red.png")
    answered = await asked(client, ImageSyncScanRequest(), json.dumps({"tasks": [given], "scenes": ["porn"]}))

    assert found(answered) == FOUND
    assert [(each["dataId"], each["url"]) for each in answered["data"]] == [(given["dataId"], given["url"])]


async def test_several_scenes_are_billed_each(client: AcsClient, images: ImageHost, emulator: Emulator) -> None:
    """
    Two images in two scenes are four units.
    """
    content = {
        "tasks": [task(f"{images.url}/{name}.png") for name in ("red", "white")],
        "scenes": ["porn", "terrorism"],
    }
    answered = await asked(client, ImageSyncScanRequest(), json.dumps(content))

    assert found(answered) == [*FOUND, ("terrorism", "pass"), ("porn", "pass"), ("terrorism", "pass")]
    assert emulator.stats()["billed"] == 4


@pytest.mark.filterwarnings("ignore:do_action:DeprecationWarning")  # which the uploader calls
@pytest.mark.parametrize("way", ["file", "bytes"])
async def test_a_local_image(way: str, client: AcsClient, tmp_path: Path) -> None:
    """
    Uploaded first, as a file or as bytes; what the uploader returns is the task's `url`.
    """
    path = tmp_path / "image.jpg"
    path.write_bytes(RED)
    uploader = ClientUploader.getImageClientUploader(client)
    upload, given = (uploader.uploadFile, str(path)) if way == "file" else (uploader.uploadBytes, path.read_bytes())
    url = await asyncio.to_thread(upload, given)
    content = HttpContentHelper.toValue({"tasks": [task(url)], "scenes": ["porn"]})

    assert found(await asked(client, ImageSyncScanRequest(), content)) == FOUND


async def test_an_asynchronous_task_and_its_result(client: AcsClient, images: ImageHost) -> None:
    """
    A `taskId` for each image; asked for by a bare list of ids, first in progress, then with its results.
    """
    content = HttpContentHelper.toValue({"tasks": [task(f"{images.url}/red.png")], "scenes": ["porn"]})
    submitted = await asked(client, ImageAsyncScanRequest(), content)
    ids = [each["taskId"] for each in submitted["data"] if each["code"] == 200]
    polled: list[dict[str, Any]] = []
    while not polled or [each["code"] for each in polled[-1]["data"]] == [280]:
        polled.append(await asked(client, ImageAsyncScanResultsRequest(), HttpContentHelper.toValue(ids)))

    assert "results" not in submitted["data"][0]
    assert ([each["code"] for each in polled[0]["data"]], found(polled[0])) == ([280], [])
    assert found(polled[-1]) == FOUND


async def test_feedback(client: AcsClient, images: ImageHost) -> None:
    """
    `suggestion`, `scenes` and `url`: similar images are answered so from then on, in these scenes.
    """
    content = {"suggestion": "block", "scenes": ["ad", "terrorism"], "url": f"{images.url}/white.png"}
    answered = await asked(client, ImageScanFeedbackRequest(), json.dumps(content))
    later = {"tasks": [task(f"{images.url}/white.png")], "scenes": ["ad", "terrorism", "porn"]}

    assert answered["code"] == 200
    assert found(await asked(client, ImageSyncScanRequest(), json.dumps(later))) == [
        ("ad", "block"), ("terrorism", "block"), ("porn", "pass")
    ]  # fmt: skip
