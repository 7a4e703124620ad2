"""
The official SDK of the 1.0 API, unmodified: images that are judged behind the answer, and callbacks about them.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from aiohttp import web

from consumer.emulator import Emulator, EmulatorSettings, Fault, running
from tests.emulator.scan.asking import ask, said, tasks
from tests.emulator.scan.test_scan_sdk import RULES
from tests.emulator.uploading import Clock
from tests.rig.pictures import picture

SETTINGS = EmulatorSettings(
    rules=RULES,
    oss={"ugc": {"red.png": picture("red"), "white.png": picture("white")}},
    callback_pause=0.0,
)


@pytest.fixture
async def emulator(clock: Clock) -> AsyncIterator[Emulator]:
    """An account with a bucket of images, whose results age by a clock of the test's."""
    async with running(SETTINGS, clock=clock) as emulator:
        yield emulator


async def result_of(endpoint: str, *ids: str) -> list[dict[str, Any]]:
    """The results, once none of them is in progress."""
    async with asyncio.timeout(10):
        while True:
            entries: list[dict[str, Any]] = (await ask(endpoint, "results", list(ids)))["data"]
            if all(each["code"] != 280 for each in entries):
                return entries


async def submitted(endpoint: str, *urls: str, **more: Any) -> list[str]:
    """The ids of the tasks."""
    answered = await ask(endpoint, "asyncscan", tasks(*urls, **more))
    return [each["taskId"] for each in answered["data"]]


async def test_a_task_is_accepted_in_progress_and_then_judged(emulator: Emulator) -> None:
    """
    The first poll says 280 without results, a later one what a synchronous scan says.
    """
    accepted = await ask(emulator.endpoint, "asyncscan", tasks("oss://ugc/red.png"))
    [entry] = accepted["data"]
    task_id = entry["taskId"]
    [first] = (await ask(emulator.endpoint, "results", [task_id]))["data"]
    [last] = await result_of(emulator.endpoint, task_id)

    assert entry == {"code": 200, "msg": "OK", "taskId": task_id, "url": "oss://ugc/red.png", "dataId": "d-0"}
    assert first == {
        "code": 280, "msg": "PROCESSING - queue", "taskId": task_id, "url": "oss://ugc/red.png", "extras": {}
    }  # fmt: skip
    assert (last["code"], last["dataId"], said(last)) == (200, "d-0", {"porn": "pass", "terrorism": "block"})
    assert emulator.stats()["billed"] == 2


async def test_many_tasks_are_asked_for_in_one_call(emulator: Emulator) -> None:
    """
    Each in its place, with its own code; what was no task is 404, and nothing is billed for asking.
    """
    ids = await submitted(emulator.endpoint, "oss://ugc/red.png", "oss://ugc/gone.png")
    entries = await result_of(emulator.endpoint, *ids, "img5sO$Zsssss7RYuz4Yyhhe-1q51iZ")

    assert [each["code"] for each in entries] == [200, 404, 404]
    assert [each.get("dataId") for each in entries] == ["d-0", "d-1", None]
    assert emulator.stats()["billed"] == 2
    assert emulator.stats()["scan"]["images"] == 2


async def test_a_result_is_kept_for_an_hour(emulator: Emulator, clock: Clock) -> None:
    """
    Then it is expired, and was paid in vain.
    """
    ids = await submitted(emulator.endpoint, "oss://ugc/red.png")
    await result_of(emulator.endpoint, *ids)
    clock.ahead = 3599.0
    kept = await result_of(emulator.endpoint, *ids)
    clock.ahead = 3601.0
    expired = await result_of(emulator.endpoint, *ids)

    assert [kept[0]["code"], expired[0]["code"]] == [200, 594]


@pytest.mark.parametrize("content", [{}, [], ["id", 7], b"no JSON", ["id"] * 101])
async def test_results_take_a_list_of_ids(content: Any, emulator: Emulator) -> None:
    """
    Anything else is a wrong call.
    """
    assert (await ask(emulator.endpoint, "results", content))["code"] == 400


@dataclass
class Receiver:
    """Who is called back. It refuses the first calls, as many as are said."""

    url: str = ""
    refuse: int = 0
    forms: list[dict[str, str]] = field(default_factory=list)
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, request: web.Request) -> web.Response:
        """One callback."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        async with self._came:
            self.forms.append(form)
            self._came.notify_all()
        return web.Response(status=503 if len(self.forms) <= self.refuse else 200)

    async def wait_for(self, number: int) -> list[dict[str, str]]:
        """So many callbacks, each with its form."""
        async with asyncio.timeout(10), self._came:
            await self._came.wait_for(lambda: len(self.forms) >= number)
        return self.forms


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A server on loopback."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/called", receiver.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/called"
    yield receiver
    await runner.cleanup()


def is_signed(form: dict[str, str]) -> bool:
    """Whether the checksum is that of the account's UID, the seed and the content."""
    return form["checksum"] == hashlib.sha256(f"{SETTINGS.uid}seed-1{form['content']}".encode()).hexdigest()


async def test_a_callback_brings_the_result_signed(emulator: Emulator, receiver: Receiver) -> None:
    """
    A form with the task's JSON and the checksum over it.
    """
    [task_id] = await submitted(emulator.endpoint, "oss://ugc/red.png", callback=receiver.url, seed="seed-1")
    [form] = await receiver.wait_for(1)
    [polled] = await result_of(emulator.endpoint, task_id)

    assert sorted(form) == ["checksum", "content"]
    assert is_signed(form)
    assert orjson.loads(form["content"]) == polled


async def test_a_callback_is_repeated_three_times_until_it_is_taken(emulator: Emulator, receiver: Receiver) -> None:
    """
    HTTP 200 is what takes it.
    """
    receiver.refuse = 3
    await submitted(emulator.endpoint, "oss://ugc/red.png", callback=receiver.url, seed="seed-1")
    forms = await receiver.wait_for(4)

    assert all(form == forms[0] for form in forms)


async def test_faults_strike_callbacks(emulator: Emulator, receiver: Receiver) -> None:
    """
    One is lost, one comes twice, and one is changed on its way: its checksum is wrong.
    """
    for kind in ("lost", "twice", "tampered"):
        emulator.faults.add(Fault.model_validate({"what": {"callback": kind}, "times": 1}))
    more = {"callback": receiver.url, "seed": "seed-1"}
    lost = await submitted(emulator.endpoint, "oss://ugc/red.png", **more)
    await result_of(emulator.endpoint, *lost)
    await submitted(emulator.endpoint, "oss://ugc/red.png", **more)
    await receiver.wait_for(2)
    await submitted(emulator.endpoint, "oss://ugc/red.png", **more)
    forms = await receiver.wait_for(3)

    assert [is_signed(form) for form in forms] == [True, True, False]
    assert orjson.loads(forms[0]["content"])["taskId"] not in lost
    assert forms[0] == forms[1]


@pytest.mark.parametrize(
    "callback",
    [
        {"callback": "http://127.0.0.1:1/"},
        {"callback": "http://cdn.example.com/", "seed": "s"},
        {"callback": "ftp://127.0.0.1/", "seed": "s"},
        {"callback": "http://[", "seed": "s"},
    ],
)
async def test_a_callback_needs_a_seed_and_goes_to_loopback(callback: dict[str, Any], emulator: Emulator) -> None:
    """
    Whoever may call the emulator must not have it call other machines; nothing was accepted.
    """
    answered = await ask(emulator.endpoint, "asyncscan", tasks("oss://ugc/red.png", **callback))

    assert answered["code"] == 400
    assert emulator.stats()["billed"] == 0
