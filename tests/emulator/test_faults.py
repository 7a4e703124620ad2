"""
Faults: which strikes when, and what its call then meets.
"""

import asyncio
import logging
import time
from typing import Any

import aiohttp
import orjson
import pytest
from alibabacloud_green20220302.client import Client
from alibabacloud_green20220302.models import ImageModerationRequest
from alibabacloud_tea_openapi.exceptions import ThrottlingException
from alibabacloud_tea_openapi.utils_models import Config
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from consumer.emulator import Emulator, EmulatorSettings, Fault, running
from consumer.emulator.faults import Faults, Moment, Subject
from tests.emulator.asking import account, ask, oss
from tests.emulator.signing import question, signed_headers
from tests.rig.pictures import picture

SETTINGS = EmulatorSettings(oss={"uploads": {"a.png": picture(), "b.png": picture()}})
SUBJECT = Subject(region="eu-west-1", action="ImageModeration", service="baselineCheck_global", object="a.png")


def fault(what: dict[str, Any], **more: Any) -> Fault:
    return Fault.model_validate({"what": what} | more)


async def until_idle(emulator: Emulator) -> dict[str, Any]:
    async with asyncio.timeout(5):
        while (stats := emulator.stats())["in_progress"]:
            await asyncio.sleep(0.01)
    return stats


@pytest.mark.parametrize(
    ("match", "strikes"),
    [
        ({}, True),
        ({"region": "eu-west-1", "action": "ImageModeration"}, True),
        ({"service": "baseline*", "object": "*.png"}, True),
        ({"region": "us-*"}, False),
        ({"object": "A.png"}, False),
        ({"object": "a.png", "data_id": "x"}, False),
        ({"url": "?*"}, False),
    ],
)
def test_a_fault_strikes_what_it_matches(match: dict[str, str], strikes: bool) -> None:
    """
    Every glob given must match; what a call has not matches only the empty text.
    """
    faults = Faults([fault({"code": 500}, match=match)])

    assert (faults.draw(Moment.INSIDE_QUOTA, SUBJECT) is not None) is strikes


@pytest.mark.parametrize(
    ("what", "moment"),
    [
        ({"drop": "before_reading"}, Moment.BEFORE_READING),
        ({"drop": "after_reading"}, Moment.BEFORE_GATEWAY),
        ({"never_answer": True}, Moment.BEFORE_GATEWAY),
        ({"gateway_code": "InternalError", "http_status": 500}, Moment.BEFORE_GATEWAY),
        ({"throttle": {}}, Moment.BEFORE_GATEWAY),
        ({"signature_refused": True}, Moment.BEFORE_GATEWAY),
        ({"drop": "after_judging"}, Moment.INSIDE_QUOTA),
        ({"latency": 1.0, "code": None}, Moment.INSIDE_QUOTA),
        ({"code": 408}, Moment.INSIDE_QUOTA),
        ({"items_off": True}, Moment.INSIDE_QUOTA),
        ({"slow_drip": 1.0}, Moment.INSIDE_QUOTA),
        ({"garbage": True}, Moment.INSIDE_QUOTA),
        ({"body": ""}, Moment.INSIDE_QUOTA),
    ],
)
def test_a_fault_strikes_at_its_moment(what: dict[str, Any], moment: Moment) -> None:
    """
    Each thing that goes wrong does so where it would at the provider, and at no other moment.
    """
    faults = Faults([fault(what)])

    struck = [each for each in Moment if faults.draw(each, SUBJECT)]

    assert struck == [moment]


@pytest.mark.parametrize(
    ("what", "moment"),
    [
        ({"drop": "before_reading"}, Moment.BEFORE_READING),
        ({"drop": "after_reading"}, Moment.BEFORE_GATEWAY),
        ({"never_answer": True}, Moment.BEFORE_GATEWAY),
        ({"store_code": {"code": "InternalError", "http_status": 500}}, Moment.BEFORE_GATEWAY),
        ({"latency": 1.0}, Moment.INSIDE_QUOTA),
        ({"truncated": True}, Moment.INSIDE_QUOTA),
        ({"drop": "after_judging"}, Moment.INSIDE_QUOTA),
        ({"slow_drip": 1.0}, Moment.INSIDE_QUOTA),
        ({"garbage": True}, Moment.INSIDE_QUOTA),
        ({"body": ""}, Moment.INSIDE_QUOTA),
        ({"items_off": True}, None),
        ({"code": 500}, None),
        ({"gateway_code": "InternalError"}, None),
        ({"throttle": {}}, None),
        ({"signature_refused": True}, None),
    ],
)
def test_a_fault_strikes_an_upload_where_it_can(what: dict[str, Any], moment: Moment | None) -> None:
    """
    The API's refusals strike no upload; the store's strike nothing else.
    """
    faults = Faults([fault(what)])
    upload = Subject(region="eu-west-1", action="PutObject", object="upload/x/a.png")

    struck = [each for each in Moment if faults.draw(each, upload)]

    assert struck == ([] if moment is None else [moment])
    if "store_code" in what or "truncated" in what:
        assert not any(faults.draw(each, SUBJECT) for each in Moment)


def test_the_first_that_matches_strikes() -> None:
    """
    Faults are asked in their order; one that is used up leaves the call to the next.
    """
    faults = Faults(
        [fault({"code": 500}, times=1), fault({"code": 404}, match={"region": "us-*"}), fault({"code": 408})]
    )

    drawn = [faults.draw(Moment.INSIDE_QUOTA, SUBJECT) for _ in range(3)]

    assert [each and each.what.code for each in drawn] == [500, 408, 408]
    assert [each.fired for each in faults] == [1, 0, 2]


@given(st.integers(1, 20), st.integers(0, 40), st.floats(0.05, 1), st.integers())
def test_a_budget_is_never_overdrawn(times: int, calls: int, probability: float, seed: int) -> None:
    """
    However many calls match, a fault fires at most as often as it may.
    """
    faults = Faults([fault({"code": 500}, times=times, probability=probability, seed=seed)])

    struck = sum(faults.draw(Moment.INSIDE_QUOTA, SUBJECT) is not None for _ in range(calls))

    assert struck <= times
    assert [each.fired for each in faults] == [struck]
    if probability == 1:
        assert struck == min(times, calls)


def test_probability_is_kept_and_repeats_with_its_seed() -> None:
    """
    A fault of probability 0.3 strikes about three calls in ten, the same ones for the same seed.
    """
    struck = [
        [
            bool(faults.draw(Moment.INSIDE_QUOTA, SUBJECT))
            for faults in [Faults([fault({"code": 500}, probability=0.3, seed=seed)])]
            for _ in range(1000)
        ]
        for seed in (1, 1, 2)
    ]

    assert 250 < sum(struck[0]) < 350
    assert struck[0] == struck[1] != struck[2]


def test_what_never_fired_is_remembered() -> None:
    """
    A fault that struck nothing is listed as unfired, also after it was removed.
    """
    never, once, later = fault({"code": 500}, match={"region": "x"}), fault({"code": 404}), fault({"code": 408})
    faults = Faults([never, once])
    faults.draw(Moment.INSIDE_QUOTA, SUBJECT)

    faults.replace([])
    added = faults.add(later)

    assert faults.unfired() == [never, later]
    faults.draw(Moment.INSIDE_QUOTA, SUBJECT)
    assert (added.fired, faults.unfired()) == (1, [never])


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"what": {}},
        {"what": {"latency": 1, "code": 500}},
        {"what": {"code": 200}},
        {"what": {"explode": True}},
        {"what": {"never_answer": False}},
        {"what": {"code": 500, "http_status": 500}},
        {"what": {"gateway_code": "X", "http_status": 200}},
        {"what": {"latency": 1, "headers": {"a": "b"}}},
        {"what": {"latency": -1}},
        {"what": {"code": 500}, "times": 0},
        {"what": {"code": 500}, "probability": 0},
        {"what": {"code": 500}, "match": {"colour": "red"}},
        {"what": {"drop": "before_reading"}, "match": {"object": "a.png"}},
        {"what": {"drop": "before_reading"}, "match": {"object": "a.png", "action": "ImageModeration"}},
        {"what": {"drop": "before_reading"}, "match": {"data_id": "a", "action": "PutObject"}},
        {"what": {"code": 500}, "match": {"action": "PutObject"}},
        {"what": {"store_code": {"code": "X", "http_status": 200}}},
        {"what": {"store_code": {"code": "X"}, "http_status": 503}},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(broken: dict[str, Any]) -> None:
    """
    Exactly one thing goes wrong, with what belongs to it, and only what is known at its moment can be matched.
    """
    with pytest.raises(ValidationError):
        Fault.model_validate(broken)


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ({"code": 500}, 200, 500),
        ({"code": 408}, 200, 408),
        ({"gateway_code": "ServiceUnavailable", "http_status": 503}, 503, "ServiceUnavailable"),
        ({"gateway_code": "Forbidden.RAM", "http_status": 403}, 403, "Forbidden.RAM"),
        ({"throttle": {}}, 400, "Throttling.User"),
        ({"throttle": {"code": "Throttling.Api", "http_status": 429}}, 429, "Throttling.Api"),
        ({"signature_refused": True}, 400, "SignatureDoesNotMatch"),
    ],
)
async def test_a_refusal_is_set_and_passes(
    what: dict[str, Any], status: int, code: int | str, http: aiohttp.ClientSession
) -> None:
    """
    A call meets the refusal that was set, is not billed for it, and the next one is answered as ever.
    """
    async with running(SETTINGS) as emulator:
        emulator.faults.add(fault(what, times=1))
        refused = await ask(http, emulator.endpoint, **oss("a.png"))
        billed = emulator.stats()["billed"]
        answered = await ask(http, emulator.endpoint, **oss("a.png"))

    assert (refused.status, refused.code) == (status, code)
    assert billed == 0
    assert answered.code == 200
    assert emulator.faults.unfired() == []


async def test_throttling_says_when_to_come_back() -> None:
    """
    The official SDK reads the wait, in milliseconds, from the gateway's refusal.
    """
    settings = SETTINGS.model_copy(update={"faults": (fault({"throttle": {"retry_after": 1.5}}),)})

    async with running(settings) as emulator:
        client = Client(
            Config(
                access_key_id=settings.access_key_id,
                access_key_secret=settings.access_key_secret.get_secret_value(),
                endpoint=emulator.endpoint,
                protocol="http",
                region_id="ap-southeast-1",
            )
        )
        with pytest.raises(ThrottlingException) as caught:
            await client.image_moderation_async(ImageModerationRequest(service="baselineCheck_global"))

    assert (caught.value.status_code, caught.value.retry_after) == (400, 1500)


@pytest.mark.parametrize(
    ("drop", "billed", "code", "read"),
    [
        ("before_reading", 0, "Dropped", False),
        ("after_reading", 0, "Dropped", True),
        ("after_judging", 1, 200, True),
    ],
)
async def test_a_dropped_call_gets_no_answer(
    drop: str,
    billed: int,
    code: int | str,
    read: bool,
    http: aiohttp.ClientSession,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    The connection is cut without an answer; only a call that was judged before is billed, and the log knows it.
    """
    async with running(SETTINGS) as emulator:
        emulator.faults.add(fault({"drop": drop}, times=1))
        with pytest.raises(aiohttp.ClientConnectionError), caplog.at_level(logging.WARNING):
            await ask(http, emulator.endpoint, **oss("a.png"))
        stats = await until_idle(emulator)
        (call,) = emulator.calls

    assert (stats["billed"], call.code, call.http_status) == (billed, code, None)
    assert call.image == ("uploads/a.png" if read else None)
    assert caplog.records == []


async def test_a_call_that_is_never_answered_waits_for_its_client(http: aiohttp.ClientSession) -> None:
    """
    The connection stays open without an answer until the client leaves; the call was not judged.
    """
    async with running(SETTINGS) as emulator:
        emulator.faults.add(fault({"never_answer": True}))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await ask(http, emulator.endpoint, **oss("a.png"))
        stats = await until_idle(emulator)

    assert (stats["billed"], stats["by_code"]) == (0, {"NeverAnswered": 1})


async def test_a_slow_call_is_answered_late(http: aiohttp.ClientSession) -> None:
    """
    A latency is added to the call that it strikes, and to no other.
    """
    async with running(SETTINGS) as emulator:
        emulator.faults.add(fault({"latency": 30.0}, match={"object": "c.png"}))
        emulator.faults.add(fault({"latency": 0.8}, match={"object": "a.png"}))
        started = time.monotonic()
        quick = await ask(http, emulator.endpoint, **oss("b.png"))
        between = time.monotonic()
        slow = await ask(http, emulator.endpoint, **oss("a.png"))
        ended = time.monotonic()

    assert (quick.code, slow.code) == (200, 200)
    assert between - started < 30.0  # what the first fault would take, on any machine
    assert 0.8 <= ended - between < 30.0
    assert emulator.stats()["billed"] == 2


async def test_an_account_whose_items_are_off_finds_nothing(http: aiohttp.ClientSession) -> None:
    """
    What a rule finds is answered as `nonLabel`, by a service that is named or by all, and billed as ever.
    """
    found = {"match": {}, "labels": [{"label": "violent_bloody", "confidence": 91.0, "risk_level": "high"}]}
    settings = EmulatorSettings.model_validate({**SETTINGS.model_dump(exclude_unset=True), "rules": [found]})
    async with running(settings) as emulator:
        before = await ask(http, emulator.endpoint, **oss("a.png"))
        emulator.faults.add(fault({"items_off": True}, match={"service": "baselineCheck*"}))
        off = await ask(http, emulator.endpoint, **oss("a.png"))

    assert (before.json["Data"]["RiskLevel"], off.json["Data"]["RiskLevel"]) == ("high", "none")
    assert [label["Label"] for label in off.json["Data"]["Result"]] == ["nonLabel"]
    assert emulator.stats()["billed"] == 2


async def test_a_dripping_answer_is_whole_in_the_end(http: aiohttp.ClientSession) -> None:
    """
    An answer that trickles takes its time, begins at once, and is complete and billed.
    """
    async with running(SETTINGS) as emulator:
        emulator.faults.add(fault({"slow_drip": 0.4}))
        started = time.monotonic()
        answer = await ask(http, emulator.endpoint, **oss("a.png"))
        took = time.monotonic() - started

    assert took >= 0.4
    assert (answer.code, answer.json["Data"]["RiskLevel"]) == (200, "none")
    assert emulator.stats()["billed"] == 1


async def test_a_client_may_leave_a_dripping_answer(
    http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A client that does not wait for the end of a trickling answer leaves no error behind.
    """
    async with running(SETTINGS) as emulator:
        emulator.faults.add(fault({"slow_drip": 30.0}))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await ask(http, emulator.endpoint, **oss("a.png"))
        with caplog.at_level(logging.WARNING):
            stats = await until_idle(emulator)

    assert stats["billed"] == 1
    assert caplog.records == []


@pytest.mark.parametrize(
    ("what", "status", "billed"),
    [
        ({"garbage": True}, 200, 1),
        ({"body": '{"Code": 200, "Data": {}}'}, 200, 1),
        ({"body": "<html>Bad Gateway</html>", "http_status": 502, "headers": {"Content-Type": "text/html"}}, 502, 0),
        ({"body": ""}, 200, 1),
        ({"garbage": True, "http_status": 500}, 500, 0),
    ],
)
async def test_an_answer_is_replaced_on_its_way(
    what: dict[str, Any], status: int, billed: int, http: aiohttp.ClientSession
) -> None:
    """
    The call was judged; in place of its answer come other bytes. Only HTTP status 200 is billed.
    """
    async with running(SETTINGS) as emulator:
        emulator.faults.add(fault(what))
        body = question(**oss("a.png"))
        async with http.post(emulator.url, data=body, headers=signed_headers(emulator.endpoint, body)) as response:
            received = await response.read()

    assert response.status == status
    assert emulator.stats()["billed"] == billed
    if "body" in what:
        assert received.decode() == what["body"]
    else:
        with pytest.raises(ValueError):
            orjson.loads(received)


async def test_a_fault_of_one_region_leaves_the_others(http: aiohttp.ClientSession) -> None:
    """
    Regions fail one by one: the one matched is down, the other answers.
    """
    settings = SETTINGS.model_copy(update={"regions": ("ap-southeast-1", "eu-west-1")})

    async with running(settings) as emulator:
        emulator.faults.add(fault({"code": 500}, match={"region": "ap-southeast-1"}))
        codes = [(await ask(http, endpoint, **oss("a.png"))).code for endpoint in emulator.endpoints.values()]

    assert codes == [500, 200]


async def test_faults_are_set_and_counted_over_http(http: aiohttp.ClientSession) -> None:
    """
    PUT replaces the faults and answers them; GET shows how often each fired.
    """
    faults = [
        {"match": {"object": "a.png"}, "what": {"code": 500}, "times": 2},
        {"what": {"throttle": {"retry_after": 2.0}}, "probability": 0.5, "seed": 7, "match": {"region": "eu-*"}},
    ]

    async with running(SETTINGS) as emulator:
        page = f"{emulator.url}/emulator/faults"
        async with http.put(page, json=faults, headers=account(SETTINGS)) as response:
            put = await response.json()
        codes = [(await ask(http, emulator.endpoint, **oss("a.png"))).code for _ in range(3)]
        async with http.get(page) as response:
            got = await response.json()
        async with http.put(page, json=[], headers=account(SETTINGS)) as response:
            removed = await response.json()

    assert put == [fault | {"fired": 0} for fault in faults]
    assert codes == [500, 500, 200]
    assert got == [faults[0] | {"fired": 2}, faults[1] | {"fired": 0}]
    assert removed == []


@pytest.mark.parametrize("body", [b"{", b"{}", b'[{"what": {}}, {"what": {"code": 200}}]'])
async def test_faults_that_make_no_sense_change_nothing(body: bytes, http: aiohttp.ClientSession) -> None:
    """
    A list that cannot be read is refused with every problem in it, and the faults stay as they were.
    """
    async with running(SETTINGS) as emulator:
        kept = emulator.faults.add(fault({"code": 500}))
        async with http.put(f"{emulator.url}/emulator/faults", data=body, headers=account(SETTINGS)) as response:
            status, problems = response.status, await response.json()

        assert status == 400
        assert len(problems) == max(1, body.count(b"what"))
        assert list(emulator.faults) == [kept]
