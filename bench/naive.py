"""
Two limiters as they are often written, beside this service's pace, on one provider's log.

Work comes in crowds with pauses between them, which is when their promise breaks: up to 2 Q in a second.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import aiohttp

from consumer.dispatch.pace import Pace


class Limiter(Protocol):
    """Says when a call may be made."""

    async def wait(self) -> None:
        """Return when the next call may be made."""
        ...


class FixedWindow:
    """So many calls in every second of the clock."""

    def __init__(self, quota: int) -> None:
        self._quota = quota
        self._second, self._calls = 0, 0

    async def wait(self) -> None:
        while True:
            now = time.time()
            if int(now) != self._second:
                self._second, self._calls = int(now), 0
            if self._calls < self._quota:
                self._calls += 1
                return
            await asyncio.sleep(int(now) + 1 - now)


class TokenBucket:
    """So many tokens a second into a bucket that holds a second's; a call takes one."""

    def __init__(self, quota: int) -> None:
        self._quota = quota
        self._tokens, self._at = float(quota), time.monotonic()

    async def wait(self) -> None:
        while True:
            now = time.monotonic()
            self._tokens = min(self._quota, self._tokens + (now - self._at) * self._quota)
            self._at = now
            if self._tokens >= 1:
                self._tokens -= 1
                return
            await asyncio.sleep((1 - self._tokens) / self._quota)


class ThisPace:
    """The service's own."""

    def __init__(self, quota: int) -> None:
        self._pace = Pace(quota)

    async def wait(self) -> None:
        while (seconds := self._pace.earliest() - time.monotonic()) > 0:
            await asyncio.sleep(seconds)
        now = time.monotonic()
        self._pace.depart(now).sent(now)


LIMITERS: Mapping[str, Callable[[int], Limiter]] = {
    "fixed window": FixedWindow,
    "token bucket": TokenBucket,
    "this pace": ThisPace,
}


async def call_in_crowds(endpoint: str, limiter: Limiter, quota: int, crowds: int) -> None:
    """Make as many calls as two seconds allow, pause for a second or two, and again."""
    dice = random.Random(1)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        for _ in range(crowds):
            calls = []
            for number in range(2 * quota):
                await limiter.wait()
                calls.append(asyncio.create_task(call(session, endpoint, f"crowd-{number}")))
            await asyncio.gather(*calls)
            await asyncio.sleep(dice.uniform(0.7, 1.7))


async def call(session: aiohttp.ClientSession, endpoint: str, data_id: str) -> None:
    """Ask the quick provider about one image."""
    question = f'{{"dataId":"{data_id}","imageUrl":"https://img.example.com/{data_id}.jpg"}}'
    async with session.post(endpoint, data={"Service": "baselineCheck", "ServiceParameters": question}) as answer:
        await answer.read()
