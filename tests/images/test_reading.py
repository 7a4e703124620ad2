import asyncio
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, cast

import aiohttp

from consumer.images.held import BytesHeld
from consumer.images.reading import read_image
from consumer.images.turns import AT_ONCE

PIECE = bytes(range(256)) * 1024


class Here:
    """The answer to a request, and its body, of which every piece has come already."""

    def __init__(self, pieces: int, moved: Counter[int], at: list[int]) -> None:
        self.content_length = pieces * len(PIECE)
        self.content = self
        self._pieces, self._moved, self._at = pieces, moved, at

    async def iter_any(self) -> AsyncIterator[bytes]:
        for _ in range(self._pieces):
            self._moved[self._at[0]] += 1
            yield PIECE


async def _read(answer: Here, held: BytesHeld) -> bytes:
    async with asyncio.timeout(10) as deadline:
        with held.room() as room:
            data = await read_image(cast(aiohttp.ClientResponse, answer), [], 1 << 30, room, deadline)
    assert data is not None
    return data


async def test_images_come_in_turns_however_many_are_there() -> None:
    """
    The first piece of each is there at once; of the others few move in each turn of the loop, over all images.
    """
    held, moved, now = BytesHeld(1 << 30), Counter[int](), [0]
    reading = [asyncio.ensure_future(_read(Here(8, moved, now), held)) for _ in range(16)]
    while not all(each.done() for each in reading):
        await asyncio.sleep(0)
        now[0] += 1

    assert {await each for each in reading} == {8 * PIECE}
    assert moved.pop(0) == 16
    assert max(moved.values()) <= AT_ONCE


async def test_an_image_is_in_memory_once() -> None:
    """
    It is written where it stays: what is held is what `images.max_bytes_held` counts, and nothing is moved at its end.
    """
    answer: Any = Here(64, Counter(), [0])
    tracemalloc.start()
    data = await _read(answer, BytesHeld(1 << 30))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(data) == 64 * len(PIECE)
    assert peak < 1.1 * len(data)
