"""
The quick provider as its clients meet it: a process, spoken to over HTTP.
"""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
import pytest
from alibabacloud_green20220302.client import Client
from alibabacloud_green20220302.models import ImageModerationRequest
from alibabacloud_tea_openapi.utils_models import Config

from tests.rig.quick_provider.process import QuickProvider
from tests.rig.quick_provider.script import Behaviour, Question, Script
from tests.rig.windows import busiest_window

_DEADLINE = 20.0


async def moderate(session: aiohttp.ClientSession, endpoint: str, **parameters: str) -> dict[str, Any]:
    form = {"Service": "baselineCheck_global", "ServiceParameters": orjson.dumps(parameters).decode()}
    async with session.post(
        endpoint,
        data=urlencode(form),
        headers={"content-type": "application/x-www-form-urlencoded", "x-acs-action": "ImageModeration"},
    ) as response:
        response.raise_for_status()
        answer: dict[str, Any] = await response.json()
        return answer


async def test_the_official_client_reads_its_answer() -> None:
    """
    The vendor's own client takes the answer, and finds in it the data id that it sent and the verdict asked for.
    """
    parameters = {"imageUrl": "https://img.example/a b+c&d=é.jpg", "dataId": "img-1"}
    async with QuickProvider.start(latency=0.0, verdict="high") as provider:
        address = provider.endpoint.removeprefix("http://")
        client = Client(Config(access_key_id="ak", access_key_secret="sk", endpoint=address, protocol="http"))
        request = ImageModerationRequest("baselineCheck_global", orjson.dumps(parameters).decode())

        response = await asyncio.to_thread(client.image_moderation, request)
        arrivals = await provider.arrivals()

    assert response.body.code == 200
    assert response.body.data.data_id == "img-1"
    assert response.body.data.risk_level == "high"
    assert [(arrival.data_id, arrival.image) for arrival in arrivals] == [("img-1", parameters["imageUrl"])]


async def test_each_task_of_a_scan_is_an_arrival_and_has_its_own_answer() -> None:
    """
    Of the 1.0 API: in its place, with a result for each scene, or with the code that 1.0 has for it.
    """
    asked = {"tasks": [{"dataId": "a", "url": "https://i/a"}, {"url": "https://i/b"}], "scenes": ["porn", "ad"]}
    async with (
        QuickProvider.start(latency=0.0, verdict="medium", codes={"/b": 405}) as provider,
        aiohttp.ClientSession() as session,
    ):
        async with session.post(f"{provider.endpoint}/green/image/scan", data=orjson.dumps(asked)) as response:
            answer = await response.json()
        async with session.post(f"{provider.endpoint}/green/image/scan", data=b"{}") as response:
            refused = await response.json()
        arrivals = await provider.arrivals()

    first, second = answer["data"]
    assert (answer["code"], refused["code"]) == (200, 400)
    assert (first["code"], first["dataId"], second["code"]) == (200, "a", 592)
    assert [(each["scene"], each["suggestion"]) for each in first["results"]] == [("porn", "review"), ("ad", "review")]
    assert sorted((each.data_id, each.image) for each in arrivals) == [
        ("", ""),
        ("", "https://i/b"),
        ("a", "https://i/a"),
    ]


async def test_an_answer_comes_after_the_latency_and_not_before() -> None:
    """
    Answers wait for the latency from their own arrival, so calls made together are answered together: one after the
    other would take longer than any machine needs for twenty calls.
    """
    async with QuickProvider.start(latency=1.0) as provider, aiohttp.ClientSession() as session:
        began = time.monotonic()

        await asyncio.gather(*(moderate(session, provider.endpoint, imageUrl=f"https://i/{n}") for n in range(20)))
        took = time.monotonic() - began

    assert 1.0 <= took < 20.0


async def test_arrivals_lie_between_the_call_and_its_answer() -> None:
    """
    An arrival is stamped in wall-clock seconds while its call is under way, not when the answer goes out.
    """
    async with QuickProvider.start(latency=0.3) as provider, aiohttp.ClientSession() as session:
        before = time.time()

        await moderate(session, provider.endpoint, imageUrl="https://i/1", dataId="1")
        after = time.time()
        arrivals = await provider.arrivals()

    assert len(arrivals) == 1
    assert before - 0.01 <= arrivals[0].at <= after - 0.2


async def test_calls_over_the_quota_are_throttled() -> None:
    """
    Of a burst, as many calls as the quota are admitted and the others answered 403, all of them in the log.
    """
    async with QuickProvider.start(latency=0.0, qps=5) as provider, aiohttp.ClientSession() as session:
        answers = await asyncio.gather(
            *(moderate(session, provider.endpoint, imageUrl=f"https://i/{n}") for n in range(12))
        )
        arrivals = await provider.arrivals()
        stats = await provider.stats()

    admitted = [arrival.at for arrival in arrivals if arrival.code == 200]
    assert sorted(answer["Code"] for answer in answers) == sorted(arrival.code for arrival in arrivals)
    assert busiest_window(admitted) == 5
    assert stats["codes"] == {"200": len(admitted), "403": 12 - len(admitted)}


async def test_a_code_is_given_to_the_images_it_is_meant_for() -> None:
    """
    A part of the data id or of the URL chooses the code; a code other than 200 comes without data.
    """
    async with (
        QuickProvider.start(latency=0.0, codes={"/gone/": 404, "bad-": 407}) as provider,
        aiohttp.ClientSession() as session,
    ):
        gone = await moderate(session, provider.endpoint, imageUrl="https://i/gone/1", dataId="1")
        bad = await moderate(session, provider.endpoint, imageUrl="https://i/2", dataId="bad-2")
        fine = await moderate(session, provider.endpoint, imageUrl="https://i/3", dataId="3")

    assert [gone["Code"], bad["Code"], fine["Code"]] == [404, 407, 200]
    assert ["Data" in gone, "Data" in bad, "Data" in fine] == [False, False, True]


def test_the_slow_share_is_evenly_spread() -> None:
    """
    With a quarter of slow answers every fourth call is to be slow, and no other, whenever they come.
    """
    script = Script(Behaviour(latency=0.0, slow_share=0.25, slow_latency=0.4))

    latencies = [script.reply(Question("1", f"https://i/{number}"), 0.0).latency for number in range(8)]

    assert latencies == [0.0, 0.0, 0.0, 0.4] * 2


async def test_what_is_to_be_slow_is_slow() -> None:
    """
    A slow answer is waited for. How quick the others are is the machine's affair.
    """
    took = []
    async with (
        QuickProvider.start(latency=0.0, slow_share=0.25, slow_latency=0.4) as provider,
        aiohttp.ClientSession() as session,
    ):
        for number in range(4):
            began = time.monotonic()
            await moderate(session, provider.endpoint, imageUrl=f"https://i/{number}")
            took.append(time.monotonic() - began)

    assert took[-1] >= 0.39  # loops wake a little early


def test_spread_latencies_fill_their_range_evenly() -> None:
    """
    Latencies with a spread of a half lie from half to half as much again, as many in each tenth of the range.
    """
    script = Script(Behaviour(latency=1.0, spread=0.5))

    latencies = [script.reply(Question("1", "https://i/1"), float(number)).latency for number in range(1_000)]

    tenths = Counter(int((latency - 0.5) * 10) for latency in latencies)
    assert set(tenths) == set(range(10))
    assert max(tenths.values()) - min(tenths.values()) <= 5


async def test_a_call_it_cannot_read_is_no_success() -> None:
    """
    A form without readable parameters, or without an image, gets a code and never a verdict.
    """
    async with QuickProvider.start(latency=0.0) as provider, aiohttp.ClientSession() as session:
        empty = await moderate(session, provider.endpoint)
        async with session.post(provider.endpoint, data=b"ServiceParameters=%7Bbroken") as response:
            broken = await response.json()

    assert [empty["Code"], broken["Code"]] == [400, 401]


async def test_clearing_forgets_the_arrivals() -> None:
    """
    After a clear the log and its figures begin anew.
    """
    async with QuickProvider.start(latency=0.0) as provider, aiohttp.ClientSession() as session:
        await moderate(session, provider.endpoint, imageUrl="https://i/1")
        before = await provider.stats()

        await provider.clear()
        after = await provider.stats()

        assert before["arrivals"] == 1
        assert after["arrivals"] == 0
        assert after["codes"] == {}
        assert await provider.arrivals() == []


async def test_it_ends_with_its_context() -> None:
    """
    Leaving the context ends the process.
    """
    async with QuickProvider.start() as provider:
        ended = watch_end(provider.pid)

    await asyncio.wait_for(ended, _DEADLINE)


async def test_it_dies_with_its_parent() -> None:
    """
    A parent that is killed leaves no stand-in behind.
    """
    script = (
        "import asyncio\n"
        "from tests.rig.quick_provider.process import QuickProvider\n"
        "async def main():\n"
        "    async with QuickProvider.start() as provider:\n"
        "        print(provider.pid, flush=True)\n"
        "        await asyncio.sleep(3600)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    ended = watch_end(int(await asyncio.wait_for(parent.stdout.readline(), _DEADLINE)))

    os.kill(parent.pid, signal.SIGKILL)

    await asyncio.wait_for(ended, _DEADLINE)
    await parent.communicate()


async def test_a_wrong_setting_is_refused_at_the_start() -> None:
    """
    A code that the provider does not have stops the start instead of being answered.
    """
    with pytest.raises(RuntimeError, match="before it was ready"):
        async with QuickProvider.start(codes={"x": 299}):
            pass


def watch_end(pid: int) -> asyncio.Future[None]:
    """Return a future that is done when the process ends; `pid` must be running."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    descriptor = os.pidfd_open(pid)

    def note_end() -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)
        ended.set_result(None)

    loop.add_reader(descriptor, note_end)
    return ended


def test_what_a_seed_draws_does_not_depend_on_the_order_of_calls() -> None:
    """
    Latency and failure of an image's first, second … call are the same whoever was asked about before.
    """
    behaviour = Behaviour(latency=1.0, spread=0.5, seed=7, failing_share=0.3)
    images = [f"https://i/{number % 50}" for number in range(100)]

    one, other = Script(behaviour), Script(behaviour)
    forwards = {(image, n): one.reply(Question("1", image), 0.0) for n, image in enumerate(sorted(images))}
    backwards = {(image, n): other.reply(Question("1", image), 0.0) for n, image in enumerate(sorted(images)[::-1])}

    assert sorted((image, *reply) for (image, _), reply in forwards.items()) == sorted(
        (image, *reply) for (image, _), reply in backwards.items()
    )


def test_the_failing_share_is_kept() -> None:
    """
    About as many calls fail as asked for, and an image that failed can succeed when it is asked about again.
    """
    script = Script(Behaviour(seed=1, failing_share=0.2))

    codes = [[script.reply(Question("1", f"https://i/{number}"), 0.0).code for _ in range(2)] for number in range(500)]

    failed = sum(code == 500 for both in codes for code in both)
    assert 150 <= failed <= 250
    assert [500, 200] in codes


async def test_latency_and_verdict_are_given_to_the_images_they_are_meant_for() -> None:
    """
    A part of the URL chooses them, and the log says who asked.
    """
    signature = {"authorization": "ACS3-HMAC-SHA256 Credential=replica-1,Signature=0"}
    async with (
        QuickProvider.start(latency=0.0, latencies={"/slow/": 0.3}, verdicts={"/high/": "high"}) as provider,
        aiohttp.ClientSession(headers=signature) as session,
    ):
        usual = await moderate(session, provider.endpoint, imageUrl="https://i/usual/none/1")
        began = time.monotonic()
        slow = await moderate(session, provider.endpoint, imageUrl="https://i/slow/high/2")
        took = time.monotonic() - began
        arrivals = await provider.arrivals()

    assert [usual["Data"]["RiskLevel"], slow["Data"]["RiskLevel"]] == ["none", "high"]
    assert took >= 0.29  # loops wake a little early
    assert [arrival.caller for arrival in arrivals] == ["replica-1", "replica-1"]
