"""
What the contestants share: one signed call for each image, evenly paced, and a verdict that the harness can read.
"""

import argparse
import asyncio
import hashlib
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode

import aiohttp
import orjson
import yaml
from yarl import URL

from bench.bare import sign


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a contestant takes of the service's configuration."""

    bootstrap_servers: str
    group: str
    uploads: str
    verdicts: str
    endpoint: str
    qps: float
    in_flight: int
    session_timeout_ms: int
    heartbeat_interval_ms: int

    @classmethod
    def from_file(cls, file: Path) -> Self:
        """Read the service's configuration file."""
        config = yaml.safe_load(file.read_text())
        kafka = config["kafka"]
        return cls(
            bootstrap_servers=kafka["bootstrap_servers"],
            group=kafka["group_id"],
            uploads=kafka["topics"][0],
            verdicts=kafka["outputs"]["pass"],
            endpoint=config["provider"]["endpoint"],
            qps=config["quota"]["qps"],
            in_flight=config["provider"]["max_in_flight"],
            session_timeout_ms=round(kafka["session_timeout"] * 1000),
            heartbeat_interval_ms=round(kafka["heartbeat_interval"] * 1000),
        )


def arguments(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse `run --config FILE`, as the service's own command line."""
    parser.add_argument("command", choices=["run"])
    parser.add_argument("--config", type=Path, required=True)
    return parser.parse_args()


class Verdict(NamedTuple):
    """What is published about an image."""

    value: bytes
    headers: list[tuple[str, bytes]]


class Asking:
    """Asks about images, never faster than the pace."""

    def __init__(self, session: aiohttp.ClientSession, settings: Settings) -> None:
        self._session = session
        self._provider = URL(settings.endpoint)
        self._interval = 1.0 / settings.qps
        self._slots = asyncio.Semaphore(settings.in_flight)
        self._next = 0.0

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: Settings) -> AsyncIterator[Self]:
        """Hold connections until the context ends."""
        connector = aiohttp.TCPConnector(limit=settings.in_flight)
        async with aiohttp.ClientSession(connector=connector) as session:
            yield cls(session, settings)

    async def about(self, image: str, *, partition: int, offset: int) -> Verdict:
        """Return the verdict about an image. `RuntimeError` and aiohttp's errors escape."""
        async with self._slots:
            await self._turn()
            answer = await self._call(image)
        decision = {"none": "pass", "low": "pass"}.get(answer["Data"]["RiskLevel"], "review")
        # The same on every redelivery, so that what is published twice can be counted.
        name = hashlib.sha256(f"{partition} {offset} {image}".encode()).hexdigest()[:32]
        headers = {"ce_id": name, "source_partition": str(partition), "source_offset": str(offset)}
        value = orjson.dumps({"image": {"url": image}, "decision": decision})
        return Verdict(value, [(key, text.encode()) for key, text in headers.items()])

    async def _turn(self) -> None:
        now = asyncio.get_running_loop().time()
        self._next = max(self._next + self._interval, now)
        await asyncio.sleep(self._next - now)

    async def _call(self, image: str) -> dict[str, Any]:
        parameters = orjson.dumps({"imageUrl": image, "dataId": hashlib.sha256(image.encode()).hexdigest()}).decode()
        body = urlencode({"Service": "baselineCheck_global", "ServiceParameters": parameters}).encode()
        headers = sign(
            body,
            host=self._provider.authority,
            now=datetime.now(UTC),
            nonce=uuid.uuid4().hex,
            access_key_id=os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"],
        )
        async with self._session.post(self._provider, data=body, headers=headers) as response:
            answer: dict[str, Any] = orjson.loads(await response.read())
        if answer["Code"] != 200:
            raise RuntimeError(f"the provider answered {answer['Code']}")
        return answer
