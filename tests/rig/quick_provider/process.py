"""
The quick provider as a child process.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

from tests.rig.children import running
from tests.rig.quick_provider.log import Arrival, read_json_lines
from tests.rig.quick_provider.script import RiskLevel

_START_TIMEOUT = 10.0


class QuickProvider:
    """
    A running stand-in.

        async with QuickProvider.start(latency=0.3) as provider:
            ...  # call provider.endpoint
            arrivals = await provider.arrivals()
    """

    def __init__(self, endpoint: str, pid: int) -> None:
        self.endpoint = endpoint
        """Its URL without a path: `http://127.0.0.1:41234`."""

        self.pid = pid

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        *,
        latency: float = 0.3,
        spread: float = 0.0,
        verdict: RiskLevel = "none",
        qps: int | None = None,
        slow_share: float = 0.0,
        slow_latency: float = 6.0,
        codes: Mapping[str, int] | None = None,
        latencies: Mapping[str, float] | None = None,
        verdicts: Mapping[str, RiskLevel] | None = None,
        seed: int | None = None,
        failing_share: float = 0.0,
        store: str | None = None,
    ) -> AsyncIterator["QuickProvider"]:
        """
        Start one that behaves as `script.Behaviour` says; it ends with the context or this process.

        Raises:
            RuntimeError: it ended before it was ready; its reason is on standard error.
            TimeoutError: it was not ready within ten seconds.
        """
        command = [sys.executable, "-m", "tests.rig.quick_provider", "--latency", str(latency), "--verdict", verdict]
        command += ["--spread", str(spread), "--slow-share", str(slow_share), "--slow-latency", str(slow_latency)]
        if qps is not None:
            command += ["--qps", str(qps)]
        if seed is not None:
            command += ["--seed", str(seed), "--failing-share", str(failing_share)]
        if store is not None:
            command += ["--store", store]
        named: dict[str, Mapping[str, Any] | None] = {
            "--code": codes,
            "--latency-of": latencies,
            "--verdict-of": verdicts,
        }
        for option, by_part in named.items():
            for part, value in (by_part or {}).items():
                command += [option, f"{part}={value}"]
        async with running(command, output=asyncio.subprocess.PIPE) as process:
            assert process.stdout is not None
            async with asyncio.timeout(_START_TIMEOUT):
                line = await process.stdout.readline()
            if not line:
                raise RuntimeError(f"the quick provider ended before it was ready: {' '.join(command)}")
            yield cls(orjson.loads(line)["endpoint"], process.pid)

    async def arrivals(self) -> list[Arrival]:
        """Return the calls since the start or the last `clear`, by the time of their first byte."""
        return read_json_lines((await self._control("GET", "/log")).splitlines())

    async def stats(self) -> dict[str, Any]:
        """Return `arrivals`, `codes`, `in_flight`, `worst_lag` and `cpu_seconds` (times in seconds)."""
        stats: dict[str, Any] = orjson.loads(await self._control("GET", "/stats"))
        return stats

    async def clear(self) -> None:
        """Forget the arrivals and the worst lag."""
        await self._control("DELETE", "/log")

    async def _control(self, method: str, path: str) -> bytes:
        async with (
            aiohttp.ClientSession(raise_for_status=True) as session,
            session.request(method, self.endpoint + path) as response,
        ):
            return await response.read()
