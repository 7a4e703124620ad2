"""
The vendor's sample for local files against the emulator: every call by an SDK of the vendor's that nothing was done to.
"""

from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from consumer.emulator import Emulator, EmulatorSettings, running
from consumer.emulator.tokens import bucket_of
from tests.emulator.local_files import Api, Blocking, LocalFiles, Store, Waiting, WithOss2, WithV2, WithV2Async
from tests.emulator.uploading import Clock
from tests.rig.pictures import picture

SETTINGS = EmulatorSettings(
    rules=[{"match": {"average_colour": "red"}, "labels": [{"label": "violent_bloody", "risk_level": "high"}]}],
    regions=("ap-southeast-1", "eu-west-1"),
    token_lifetime=600.0,  # shorter than dates of signatures may be off: those are the SDKs' own
)
STORES: dict[str, Callable[[Any], Store]] = {
    "oss2, V1": WithOss2,
    "oss v2, V4": WithV2,
    "oss v2, V1": partial(WithV2, signature="v1"),
    "oss v2 async, V4": WithV2Async,
    "oss v2 async, V1": partial(WithV2Async, signature="v1"),
}


@pytest.fixture
async def emulator(clock: Clock) -> AsyncIterator[Emulator]:
    """An emulator of two regions."""
    async with running(SETTINGS, clock=clock) as emulator:
        yield emulator


@pytest.fixture(params=[Blocking, Waiting], ids=["sync", "async"])
def api(request: pytest.FixtureRequest) -> Api:
    """One way to call the API."""
    way: Api = request.param()
    return way


@pytest.fixture(params=list(STORES.values()), ids=list(STORES))
async def sample(request: pytest.FixtureRequest, api: Api, clock: Clock) -> AsyncIterator[LocalFiles]:
    """The sample, with each client of the store."""
    open_store: Callable[[Any], Store] = request.param
    files = LocalFiles(api, open_store, clock)
    try:
        yield files
    finally:
        await files.close()


@pytest.fixture
def red(tmp_path: Path) -> Path:
    path = tmp_path / "red.png"
    path.write_bytes(picture("red"))
    return path


@pytest.fixture
def blue(tmp_path: Path) -> Path:
    path = tmp_path / "blue.jpg"
    path.write_bytes(picture("blue", "JPEG"))
    return path


async def test_a_local_file_is_judged(
    sample: LocalFiles, emulator: Emulator, clock: Clock, red: Path, blue: Path
) -> None:
    """
    Uploaded with a token, asked about by bucket and object without a region, judged by its content. One token is enough
    for all files until it expires, and the next one is as good.
    """
    answers = [await sample.judge(path, emulator.endpoint) for path in (red, blue)]
    clock.ahead = SETTINGS.token_lifetime - 10
    answers.append(await sample.judge(red, emulator.endpoint))
    clock.ahead = SETTINGS.token_lifetime + 1
    answers.append(await sample.judge(blue, emulator.endpoint))

    assert [(answer.status_code, answer.body.code) for answer in answers] == [(200, 200)] * 4
    assert [answer.body.data.risk_level for answer in answers] == ["high", "none", "high", "none"]
    assert [answer.body.data.result[0].label for answer in answers[:2]] == ["violent_bloody", "nonLabel"]
    calls = [call.json() for call in emulator.calls]
    judged = ["PutObject", "ImageModeration"]
    assert [call["action"] for call in calls] == [
        "DescribeUploadToken", *judged, *judged, *judged, "DescribeUploadToken", *judged
    ]  # fmt: skip
    stored = [call["image"] for call in calls if call["action"] == "PutObject"]
    assert [call["image"] for call in calls if call["action"] == "ImageModeration"] == stored
    assert all(str(place).startswith(f"{bucket_of('ap-southeast-1')}/upload/") for place in stored)
    assert [call["data_id"] for call in calls if call["billed"]] == [answer.body.data.data_id for answer in answers]


async def test_where_the_service_fails_the_next_region_gets_a_copy_of_its_own(
    sample: LocalFiles, emulator: Emulator, red: Path
) -> None:
    """
    With a token of its own, which is kept beside the first region's: neither finds what was uploaded to the other.
    """
    fault = {"match": {"region": "ap-southeast-1", "action": "ImageModeration"}, "what": {"code": 500}, "times": 1}
    both = list(emulator.endpoints.values())
    emulator.faults.replace(EmulatorSettings(faults=[fault]).faults)

    failed_over = await sample.judge(red, *both)
    first = await sample.judge(red, *both)

    assert [answer.body.data.risk_level for answer in (failed_over, first)] == ["high", "high"]
    assert [(call.region, call.action, call.code) for call in emulator.calls] == [
        ("ap-southeast-1", "DescribeUploadToken", 200),
        ("ap-southeast-1", "PutObject", "Stored"),
        ("ap-southeast-1", "ImageModeration", 500),
        ("eu-west-1", "DescribeUploadToken", 200),
        ("eu-west-1", "PutObject", "Stored"),
        ("eu-west-1", "ImageModeration", 200),
        ("ap-southeast-1", "PutObject", "Stored"),
        ("ap-southeast-1", "ImageModeration", 200),
    ]
    assert sorted(sample.tokens) == sorted(both)
