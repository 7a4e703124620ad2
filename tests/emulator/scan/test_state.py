"""
What the emulator remembers can be listed, saved, taken back and forgotten.
"""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from consumer.emulator import Emulator, EmulatorSettings, running
from tests.emulator.asking import account
from tests.emulator.scan.asking import ask, said, tasks
from tests.emulator.scan.drawing import drawing, file_of

SETTINGS = EmulatorSettings(
    oss={"ugc": {"a.jpg": file_of(drawing(1)), "b.jpg": file_of(drawing(1), quality=70)}}, scan_pending=0
)
KEY = account(SETTINGS)
PAGES = ("libraries", "feedback", "tasks", "state")


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An account with a library, a feedback and a task that is done."""
    async with running(SETTINGS) as emulator:
        library = emulator.libraries.create("image", {"name": "n", "category": "REVIEW", "scene": "AD"})
        emulator.libraries.add(library, "oss://ugc/a.jpg")
        emulator.libraries.biz_types["avatars"] = "of people"
        url = "oss://ugc/a.jpg"
        await ask(emulator.endpoint, "feedback", {"suggestion": "block", "scenes": ["porn"], "url": url})
        await ask(emulator.endpoint, "asyncscan", tasks(url))
        [task] = emulator.tasks
        while (await ask(emulator.endpoint, "results", [task.id]))["data"][0]["code"] == 280:
            pass
        yield emulator


async def page(http: aiohttp.ClientSession, emulator: Emulator, name: str, key: dict[str, str] | None = None) -> Any:
    """What a page shows."""
    async with http.get(f"{emulator.url}/emulator/{name}", headers=key or {}) as response:
        return orjson.loads(await response.read())


async def test_what_is_remembered_is_listed(emulator: Emulator, http: aiohttp.ClientSession) -> None:
    """
    Tasks without their URLs, which may be presigned.
    """
    [feedback] = await page(http, emulator, "feedback")
    [task] = await page(http, emulator, "tasks")

    assert (feedback["suggestion"], feedback["scenes"], feedback["image"]) == ("block", ["porn"], "ugc/a.jpg")
    assert (task["code"], sorted(task)) == (200, ["code", "id", "polls", "since"])


async def test_what_was_saved_is_taken_back_by_another_emulator(
    emulator: Emulator, http: aiohttp.ClientSession
) -> None:
    """
    Its answers are the same, and its ids go on where the others ended.
    """
    document = await page(http, emulator, "state", KEY)
    [task] = emulator.tasks

    async with running(SETTINGS) as other:
        async with http.put(f"{other.url}/emulator/state", headers=KEY, data=orjson.dumps(document)) as response:
            status = response.status
        again = await page(http, other, "state", KEY)
        scanned = await ask(other.endpoint, "scan", tasks("oss://ugc/b.jpg", scenes=("porn", "ad", "terrorism")))
        [result] = (await ask(other.endpoint, "results", [task.id]))["data"]
        created = other.libraries.create("image", {"name": "m", "category": "BLACK", "scene": "AD"})

    assert status == 204
    assert again == document
    assert said(scanned["data"][0]) == {"porn": "block", "ad": "review", "terrorism": "pass"}
    assert result == task.result
    assert created.id > document["libraries"][0]["id"]


async def test_what_is_remembered_is_the_accounts(emulator: Emulator, http: aiohttp.ClientSession) -> None:
    """
    Nobody else saves, replaces or forgets it.
    """
    statuses = []
    for name in PAGES:
        async with http.delete(f"{emulator.url}/emulator/{name}") as response:
            statuses.append(response.status)
    for method in ("GET", "PUT"):
        async with http.request(method, f"{emulator.url}/emulator/state", data=None) as response:
            statuses.append(response.status)

    assert statuses == [401] * 6
    assert (len(emulator.libraries.all()), len(emulator.feedback), len(emulator.tasks)) == (1, 1, 1)


async def test_each_part_is_forgotten_by_itself_and_all_at_once(
    emulator: Emulator, http: aiohttp.ClientSession
) -> None:
    """
    A task that was forgotten is unknown.
    """
    left = []
    for name in ("tasks", "feedback", "state"):
        async with http.delete(f"{emulator.url}/emulator/{name}", headers=KEY) as response:
            assert response.status == 204
        left.append((len(emulator.libraries.all()), len(emulator.feedback), len(emulator.tasks)))

    assert left == [(1, 1, 0), (1, 0, 0), (0, 0, 0)]
    assert emulator.libraries.biz_types == {}


@pytest.mark.parametrize(
    "document",
    [
        b"no JSON",
        b'{"libraries": [{"id": 1, "kind": "image", "name": "n", "category": "BLACK"}]}',
        b'{"libraries": [{"id": 1, "kind": "keyword", "name": "n", "category": "BLACK", "resource_type": "IMAGE"}]}',
        b'{"feedback": [{"id": 1, "suggestion": "review", "scenes": ["porn"], "sha256": "a"}]}',
        b'{"feedback": [{"id": 1, "suggestion": "pass", "scenes": ["porn"], "sha256": "a", "bits": "xyz"}]}',
        b'{"tasks": [{"id": "a", "url": "https://a/?Signature=secret"}]}',
        b'{"calls": []}',
    ],
)
async def test_a_wrong_document_changes_nothing(
    document: bytes, emulator: Emulator, http: aiohttp.ClientSession
) -> None:
    """
    Every problem is named, without what was sent.
    """
    async with http.put(f"{emulator.url}/emulator/state", headers=KEY, data=document) as response:
        status, text = response.status, await response.text()

    assert (status, bool(orjson.loads(text))) == (400, True)
    assert "secret" not in text
    assert (len(emulator.libraries.all()), len(emulator.feedback), len(emulator.tasks)) == (1, 1, 1)
