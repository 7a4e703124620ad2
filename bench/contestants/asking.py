"""
What the contestants in Python share: the course, from the environment, and one signed call over httpx.
"""

import os
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import httpx
import orjson

from bench.bare import sign


@dataclass(frozen=True, slots=True)
class Task:
    """What a contestant is to do; see `Course` for the words."""

    bootstrap_servers: str
    provider: str
    uploads: str
    passed: str
    group: str
    in_flight: int
    quota: int | None
    """Calls a second; None: as many as it can."""

    session_timeout_ms: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read it from the variables that the bench sets. Raises `KeyError` for one that is missing."""
        return cls(
            bootstrap_servers=environment["BENCH_BOOTSTRAP_SERVERS"],
            provider=environment["BENCH_PROVIDER"],
            uploads=environment["BENCH_UPLOADS"],
            passed=environment["BENCH_PASSED"],
            group=environment["BENCH_GROUP"],
            in_flight=int(environment["BENCH_IN_FLIGHT"]),
            quota=int(environment["BENCH_QUOTA"]) if environment["BENCH_PACED"] == "1" else None,
            session_timeout_ms=int(environment["BENCH_SESSION_TIMEOUT_MS"]),
        )


class Asking:
    """Asks about images over httpx, with its own transport, as its documentation shows it."""

    def __init__(self, client: httpx.AsyncClient, task: Task) -> None:
        self._client = client
        self._provider = task.provider
        self._host = urlsplit(task.provider).netloc
        self._limiter = None if task.quota is None else _limiter(task.quota)

    @classmethod
    @asynccontextmanager
    async def opened(cls, task: Task) -> AsyncIterator[Self]:
        """Hold connections until the context ends."""
        limits = httpx.Limits(max_connections=task.in_flight, max_keepalive_connections=task.in_flight)
        # Waiting for a connection is no failure: FastStream's workers and a batch of gather may be more than there are.
        timeout = httpx.Timeout(30.0, pool=None)
        async with httpx.AsyncClient(limits=limits, timeout=timeout) as client:
            yield cls(client, task)

    async def about(self, event: Mapping[str, Any]) -> bytes:
        """Return the verdict about an upload's one image, as JSON. `RuntimeError` and httpx's errors escape."""
        if self._limiter is not None:
            await self._limiter.acquire()
        answer = await self._call(event["images"][0]["url"], event["event_id"])
        return orjson.dumps({"event_id": event["event_id"], "risk_level": answer["Data"]["RiskLevel"]})

    async def _call(self, image_url: str, data_id: str) -> dict[str, Any]:
        parameters = orjson.dumps({"imageUrl": image_url, "dataId": data_id}).decode()
        body = urlencode({"Service": "baselineCheck_global", "ServiceParameters": parameters}).encode()
        headers = sign(body, host=self._host, now=datetime.now(UTC), nonce=uuid.uuid4().hex)
        response = await self._client.post(self._provider, content=body, headers=headers)
        answer: dict[str, Any] = orjson.loads(response.content)
        if answer["Code"] != 200:
            raise RuntimeError(f"the provider answered {answer['Code']}")
        return answer


def _limiter(quota: int) -> Any:
    from aiolimiter import AsyncLimiter  # installed by `make bench` only

    # One at a time: what its documentation advises against bursts.
    return AsyncLimiter(1, 1 / quota)
