"""
A real MinIO on this machine, in a folder of the test's, for as long as a test needs it; it publishes what is put into
it to a real Kafka by itself. What it is built of is `go_tools.py`'s.
"""

import asyncio
import io
import json
import socket
import zipfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.rig.children import running

ROOT_KEY, ROOT_SECRET = "minioadmin", "minioadmin-secret"
QUEUE = "arn:minio:sqs::A:kafka"
START_TIMEOUT = 30.0
POLL = 0.05


class StartFailed(Exception):
    """It did not come up; the message is what it said."""


@dataclass(frozen=True, slots=True)
class User:
    """A user of it other than root."""

    key_id: str
    secret: str
    policy: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Minio:
    """A running one."""

    url: str

    async def allow(self, *users: User) -> None:
        """Have these users, each with its policy; one that is there gets this secret and this policy."""
        files = {
            "policies": {each.key_id: each.policy for each in users},
            "users": {each.key_id: {"secretKey": each.secret, "status": "enabled"} for each in users},
            "user_mappings": {each.key_id: {"version": 1, "policy": each.key_id} for each in users},
        }
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as into:
            for name, content in files.items():
                into.writestr(f"iam-assets/{name}.json", json.dumps(content))
        failed = (await self._as_root("PUT", "/minio/admin/v3/import-iam-v2", archive.getvalue())).get("failed", {})
        assert not any(failed.values()), failed

    async def _as_root(self, method: str, path: str, body: bytes) -> Any:
        request = AWSRequest(method, self.url + path, data=body)
        S3SigV4Auth(Credentials(ROOT_KEY, ROOT_SECRET), "s3", "us-east-1").add_auth(request)
        async with (
            aiohttp.ClientSession(raise_for_status=True) as session,
            session.request(method, self.url + path, data=body, headers=dict(request.headers.items())) as answer,
        ):
            return json.loads(await answer.read())


@asynccontextmanager
async def started(command: str, folder: Path, bootstrap_servers: str, topic: str) -> AsyncIterator[Minio]:
    """
    Run one whose buckets may tell a topic that is there (`QUEUE`): a PUT is answered once Kafka has the event.

    Raises: StartFailed.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {
        "MINIO_ROOT_USER": ROOT_KEY, "MINIO_ROOT_PASSWORD": ROOT_SECRET, "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off", "MINIO_API_SYNC_EVENTS": "on", "GOMEMLIMIT": "256MiB",
        "MINIO_NOTIFY_KAFKA_ENABLE_A": "on", "MINIO_NOTIFY_KAFKA_BROKERS_A": bootstrap_servers,
        "MINIO_NOTIFY_KAFKA_TOPIC_A": topic,
    }  # fmt: skip
    log = folder / "minio.log"
    program = [command, "server", "--quiet", "--address", address, str(folder / "objects")]
    with log.open("wb") as output:
        async with running(program, environment=environment, output=output) as process:
            minio = Minio(f"http://{address}")
            try:
                async with asyncio.timeout(START_TIMEOUT), aiohttp.ClientSession() as session:
                    while not await _is_ready(session, minio.url):
                        if process.returncode is not None:
                            raise StartFailed(log.read_text())
                        await asyncio.sleep(POLL)
            except TimeoutError:
                raise StartFailed(log.read_text()) from None
            yield minio


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/minio/health/cluster") as answer:
            return answer.status == 200
    except aiohttp.ClientConnectionError:
        return False
