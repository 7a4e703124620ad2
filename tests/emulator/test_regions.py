"""
All regions of the provider at once, and what the account has authorised it to read: asked with the vendor's own SDK.
"""

import asyncio
import os
import random
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, get_args

import aiohttp
import orjson
import pytest
from alibabacloud_green20220302.models import ImageModerationRequest

from consumer.emulator import Emulator, EmulatorSettings, running
from consumer.emulator.settings import Region
from tests.commands.cli import command
from tests.emulator.asking import ask, oss
from tests.emulator.uploading import ask_about, client, put, token_of
from tests.rig.pictures import picture

REGIONS: tuple[Region, ...] = get_args(Region)
SETTINGS = EmulatorSettings.model_validate(
    {
        "regions": REGIONS,
        "oss": {"uploads": {"a.png": picture()}},
        "rules": [
            {"match": {"region": "cn-chengdu"}, "labels": [{"label": "pt_logo", "risk_level": "medium"}]},
            {"match": {"region": "cn-*"}, "labels": [{"label": "violent_bloody", "risk_level": "high"}]},
            {"match": {"region": "eu-west-1"}, "labels": [{"label": "sexual_kiss", "risk_level": "low"}]},
        ],
    }
)
LEVELS = {region: "high" if region.startswith("cn-") else "none" for region in REGIONS} | {
    "cn-chengdu": "medium",
    "eu-west-1": "low",
}


@pytest.fixture
async def everywhere() -> AsyncIterator[Emulator]:
    """The emulator with all ten regions, on ports in a row."""
    async with AsyncExitStack() as stack:
        for first in random.sample(range(20_000, 30_000, len(REGIONS)), 20):
            try:
                emulator = await stack.enter_async_context(running(SETTINGS.model_copy(update={"port": first})))
            except OSError:  # one of them is taken
                continue
            yield emulator
            return
        pytest.fail("no ten ports in a row are free")


def question(region: str) -> ImageModerationRequest:
    """About one object of a bucket that is in one region, whichever is asked."""
    service = "baselineCheck" if region.startswith("cn-") else "baselineCheck_global"
    return ImageModerationRequest(service=service, service_parameters=orjson.dumps(oss("a.png")).decode())


@pytest.mark.parametrize("waits", [False, True], ids=["sync", "async"])
async def test_every_region_answers_by_the_rules_that_are_for_it(everywhere: Emulator, waits: bool) -> None:
    """
    Each on its port, in the order of the settings; its rules may be other ones than those of the others.
    """
    answers: dict[str, Any] = {}
    for region, endpoint in everywhere.endpoints.items():
        sdk, asked = client(endpoint), question(region)
        answers[region] = await (
            sdk.image_moderation_async(asked) if waits else asyncio.to_thread(sdk.image_moderation, asked)
        )

    first = int(everywhere.endpoint.rpartition(":")[2])
    assert everywhere.endpoints == {region: f"127.0.0.1:{first + index}" for index, region in enumerate(REGIONS)}
    assert {region: answer.body.code for region, answer in answers.items()} == dict.fromkeys(REGIONS, 200)
    assert {region: answer.body.data.risk_level for region, answer in answers.items()} == LEVELS
    assert [call.region for call in everywhere.calls] == list(REGIONS)
    assert everywhere.stats()["billed"] == len(REGIONS)


async def test_every_region_hands_out_tokens(everywhere: Emulator) -> None:
    """
    Of its own store, and finds what was uploaded to it there.
    """
    tokens = {region: await token_of(endpoint) for region, endpoint in everywhere.endpoints.items()}
    for token in tokens.values():
        await put(token, "a.png", picture())
    answers = {}
    for region, token in tokens.items():
        parameters = {"ossBucketName": token.bucket, "ossObjectName": f"{token.prefix}a.png"}
        asked = ImageModerationRequest(
            service=question(region).service, service_parameters=orjson.dumps(parameters).decode()
        )
        answers[region] = await client(everywhere.endpoints[region]).image_moderation_async(asked)

    assert {region: answer.body.data.risk_level for region, answer in answers.items()} == LEVELS
    assert len({token.bucket for token in tokens.values()}) == len(REGIONS)


@pytest.mark.parametrize("waits", [False, True], ids=["sync", "async"])
async def test_a_bucket_that_the_account_has_not_authorised_is_no_permission(waits: bool) -> None:
    """
    The SDK returns Code 408 without data, whether there is such a bucket or not; it costs nothing. Others are read.
    """
    buckets = {"private-a": {"a.png": picture()}, "uploads": {"a.png": picture()}}
    places = [oss("a.png", bucket) for bucket in ("private-a", "private-z", "uploads", "other")]
    answers = []
    async with running(EmulatorSettings(oss=buckets, unauthorised=("private-*",))) as emulator:
        sdk = client(emulator.endpoint)
        for place in places:
            asked = ImageModerationRequest("baselineCheck_global", orjson.dumps(place).decode())
            answers.append(
                await (sdk.image_moderation_async(asked) if waits else asyncio.to_thread(sdk.image_moderation, asked))
            )
        billed = emulator.stats()["billed"]

    assert [(answer.status_code, answer.body.code) for answer in answers] == [(200, c) for c in (408, 408, 200, 404)]
    assert [answer.body.data is None for answer in answers] == [True, True, False, True]
    assert billed == 1


async def test_uploads_need_no_authorisation(http: aiohttp.ClientSession) -> None:
    """
    Where no bucket of the account is authorised, a local file is judged all the same; what is not there is Code 404.
    """
    async with running(EmulatorSettings(regions=REGIONS[:2], unauthorised=("*",))) as emulator:
        token = await token_of(emulator.endpoint)
        await put(token, "a.png", picture())
        answers = [
            await ask_about(http, emulator.endpoint, token),
            await ask_about(http, emulator.endpoint, token, "b.png"),
            await ask(http, emulator.endpoint, **oss("a.png")),
        ]

    assert [answer.code for answer in answers] == [200, 404, 408]


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        (("--region", "nowhere"), "--region: must be one of ap-southeast-1, "),
        (("--region", "eu-west-1", "--region", "eu-west-1"), "--region: each region can be named once"),
        (("--region", "eu-west-1", "--region", "us-east-1", "--port", "65535"), "--region: there are not enough ports"),
    ],
)
async def test_the_command_names_the_option_that_is_wrong(options: tuple[str, ...], refused: str) -> None:
    """
    As it is written, in one line, status 2.
    """
    ended = await command("emulator", "--port", "0", *options)

    assert (ended.status, ended.output) == (2, "")
    assert ended.errors.startswith(f"✗ {refused}")
    assert ended.errors.count("✗") == 1


async def test_the_command_serves_regions_and_knows_what_is_authorised(http: aiohttp.ClientSession) -> None:
    """
    Each region on a port; about a bucket that a glob names all of them answer Code 408, about any other 404.
    """
    options = (
        "--port",
        "0",
        "--latency",
        "0",
        "--region",
        "eu-west-1",
        "--region",
        "us-east-1",
        "--unauthorised",
        "p*",
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ALIBABA_CLOUD_")}
    serving = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "consumer", "emulator", *options, stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert serving.stdout is not None
    try:
        async with asyncio.timeout(30):
            told = [(await serving.stdout.readline()).decode() for _ in range(4)]
        endpoints = [re.findall(r"(\S+) listens on http://([0-9.:]+)", line)[0] for line in told[1:3]]
        codes = [
            (await ask(http, at, **oss("a.png", name))).code for _, at in endpoints for name in ("private", "other")
        ]
    finally:
        serving.terminate()
        await serving.communicate()

    assert [region for region, _ in endpoints] == ["eu-west-1", "us-east-1"]
    assert codes == [408, 404, 408, 404]
    assert serving.returncode == 0
