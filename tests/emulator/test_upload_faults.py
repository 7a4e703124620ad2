"""
Faults of uploads, and of asking for the token that they need.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException

from consumer.emulator import Emulator, EmulatorSettings, Fault, running
from tests.emulator.uploading import Put, ask_about, client, put, token_of
from tests.rig.pictures import picture


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An emulator without faults."""
    async with running(EmulatorSettings()) as emulator:
        yield emulator


def fault(what: dict[str, Any], **more: Any) -> Fault:
    return Fault.model_validate({"what": what, "match": {"action": "PutObject"}} | more)


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ({"gateway_code": "ServiceUnavailable", "http_status": 503}, 503, "ServiceUnavailable"),
        ({"throttle": {}}, 400, "Throttling.User"),
        ({"code": 500}, 200, 500),
    ],
)
async def test_faults_strike_the_asking_for_a_token(
    what: dict[str, Any], status: int, code: int | str, emulator: Emulator
) -> None:
    """
    Those that match its action strike it, and leave uploads and questions alone.
    """
    token = await token_of(emulator.endpoint)
    emulator.faults.add(fault(what, match={"action": "DescribeUploadToken"}, times=1))

    stored = await put(token, "a.png", picture())
    try:
        response = await client(emulator.endpoint).describe_upload_token_async()
        met = (response.status_code, response.body.code)
    except AlibabaCloudException as error:
        met = (error.status_code, error.code)

    assert stored.status == 200
    assert met == (status, code)
    assert await token_of(emulator.endpoint)


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ({"store_code": {"code": "SecurityTokenExpired"}}, Put(403, "SecurityTokenExpired")),
        ({"store_code": {"code": "ServiceUnavailable", "http_status": 503}}, Put(503, "ServiceUnavailable")),
    ],
)
async def test_an_upload_is_refused_by_a_fault(what: dict[str, Any], expected: Put, emulator: Emulator) -> None:
    """
    The store answers with the code that was set, once, to the object that it matches.
    """
    token = await token_of(emulator.endpoint)
    emulator.faults.add(fault(what, match={"object": "*/a.png"}, times=1))

    answers = [await put(token, name, picture()) for name in ("b.png", "a.png", "a.png")]

    assert [answers[0].status, answers[1], answers[2].status] == [200, expected, 200]


@pytest.mark.parametrize(
    ("drop", "code", "kept"),
    [("before_reading", "Dropped", False), ("after_reading", "Dropped", False), ("after_judging", "Stored", True)],
)
async def test_an_upload_is_cut(
    drop: str, code: str, kept: bool, emulator: Emulator, http: aiohttp.ClientSession
) -> None:
    """
    The connection ends without an answer; only what was cut at the end is there.
    """
    token = await token_of(emulator.endpoint)
    match = {"action": "PutObject", "object": f"{token.prefix}a.png"}
    emulator.faults.add(fault({"drop": drop}, match=match))

    with pytest.raises(Exception, match=r"(?i)connection"):
        await put(token, "a.png", picture())
    uploads = [call for call in emulator.calls if call.action == "PutObject"]
    answer = await ask_about(http, emulator.endpoint, token)

    assert {(call.code, call.http_status) for call in uploads} == {(code, None)}
    assert answer.code == (200 if kept else 404)


async def test_an_upload_is_slow_or_never_ends(emulator: Emulator, http: aiohttp.ClientSession) -> None:
    """
    A latency comes before the answer to an upload that was stored; what is never answered waits for its client.
    """
    token = await token_of(emulator.endpoint)
    emulator.faults.add(fault({"latency": 0.3}, match={"object": "*/slow.png"}))
    emulator.faults.add(fault({"never_answer": True}, match={"object": "*/never.png"}))

    started = time.monotonic()
    slow = await put(token, "slow.png", picture())
    took = time.monotonic() - started
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await http.put(f"{token.endpoint}/{token.bucket}/{token.prefix}never.png", data=b"x")
    async with asyncio.timeout(5):
        while (stats := emulator.stats())["in_progress"]:
            await asyncio.sleep(0.01)

    assert (slow.status, took >= 0.3) == (200, True)
    assert stats["by_code"]["NeverAnswered"] == 1


async def test_an_upload_is_truncated(emulator: Emulator, http: aiohttp.ClientSession) -> None:
    """
    The store says that it has everything, and the image that is asked about is none.
    """
    token = await token_of(emulator.endpoint)
    emulator.faults.add(fault({"truncated": True}, times=1))

    cut, whole = await put(token, "a.png", picture()), await put(token, "b.png", picture())
    answers = [await ask_about(http, emulator.endpoint, token, name) for name in ("a.png", "b.png")]

    assert cut == whole
    assert [answer.code for answer in answers] == [407, 200]


async def test_faults_of_the_api_pass_uploads_by(emulator: Emulator) -> None:
    """
    A fault without an action strikes an upload only if it can happen to one, and does not count it otherwise.
    """
    token = await token_of(emulator.endpoint)
    kinds: list[dict[str, Any]] = [
        {"code": 500}, {"gateway_code": "X"}, {"throttle": {}}, {"signature_refused": True}
    ]  # fmt: skip
    for what in kinds:
        emulator.faults.add(Fault.model_validate({"what": what}))

    stored = await put(token, "a.png", picture())

    assert stored.status == 200
    assert len(emulator.faults.unfired()) == 4
