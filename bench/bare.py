"""
The bare loop: the least that reads uploads, asks about each and publishes an answer. The floor for the service's cost.

    getmany → N tasks, each: signed POST → send and wait → commit once, at the end

It has no policy, retries, pace, order, deadline or journal, and it signs with code of its own: what it leaves out is
what the service adds.
"""

import argparse
import asyncio
import hashlib
import hmac
import resource
import signal
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from yarl import URL

_ACCESS_KEY_ID = "bench"
_ACCESS_KEY_SECRET = b"bench-secret"


def main() -> None:
    """Carry the events that the command line asks for, print one JSON line of figures, and wait for SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m bench.bare", description="The bare loop; SIGTERM ends it")
    parser.add_argument("--bootstrap-servers", required=True)
    parser.add_argument("--uploads", required=True, help="the topic to read")
    parser.add_argument("--answers", required=True, help="the topic to write")
    parser.add_argument("--group", required=True)
    parser.add_argument("--provider", required=True, help="the provider's URL")
    parser.add_argument("--events", type=int, required=True, help="how many to carry")
    parser.add_argument("--in-flight", type=int, default=64)
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(options))


async def _run(options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    # From the start: the last outcome can be seen, and SIGTERM come, before its commit is through.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    consumer = AIOKafkaConsumer(
        options.uploads,
        bootstrap_servers=options.bootstrap_servers,
        group_id=options.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    producer = AIOKafkaProducer(bootstrap_servers=options.bootstrap_servers, enable_idempotence=True, acks="all")
    connector = aiohttp.TCPConnector(limit=options.in_flight)
    async with consumer, producer, aiohttp.ClientSession(connector=connector) as session:
        loop = BareLoop(consumer, producer, session, URL(options.provider), options.answers)
        carrying = asyncio.create_task(loop.carry(options.events, options.in_flight))
        stopping = asyncio.create_task(stopped.wait())
        await asyncio.wait({carrying, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if carrying.done():
            print(orjson.dumps(await carrying).decode(), flush=True)
            # Whoever started it can still read its CPU clock.
            await stopping
        else:  # it was asked for a time, and not for all of them
            carrying.cancel()
            await asyncio.gather(carrying, return_exceptions=True)


class BareLoop:
    """Consumer, calls and producer, with nothing in between."""

    def __init__(self, consumer: Any, producer: Any, session: aiohttp.ClientSession, provider: URL, topic: str) -> None:
        self._consumer = consumer
        self._producer = producer
        self._session = session
        self._provider = provider
        self._topic = topic

    async def carry(self, events: int, in_flight: int) -> dict[str, float]:
        """
        Carry exactly `events` records, `in_flight` at once, and commit.

        Returns `events`, `cpu_seconds` (user and system) and `wall_seconds`, from the first fetch to the last
        acknowledgement. The first error ends it and escapes.
        """
        records = self._records(events)
        first = await anext(records)
        began, cpu_before = time.monotonic(), _cpu_seconds()
        # Shared by all tasks: an async generator cannot be asked twice at once, a queue can.
        queue: asyncio.Queue[Any] = asyncio.Queue(maxsize=in_flight)
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(self._work(queue)) for _ in range(in_flight)]
            await queue.put(first)
            async for record in records:
                await queue.put(record)
            for _ in workers:
                await queue.put(None)
        wall, cpu = time.monotonic() - began, _cpu_seconds() - cpu_before
        await self._consumer.commit()
        return {"events": events, "cpu_seconds": cpu, "wall_seconds": wall}

    async def _records(self, count: int) -> AsyncIterator[Any]:
        """Yield the first `count` records that come."""
        while count:
            batches = await self._consumer.getmany(timeout_ms=1_000, max_records=count)
            for records in batches.values():
                count -= len(records)
                for record in records:
                    yield record

    async def _work(self, queue: asyncio.Queue[Any]) -> None:
        while (record := await queue.get()) is not None:
            await self._carry_one(record)

    async def _carry_one(self, record: Any) -> None:
        event = orjson.loads(record.value)
        image = event["images"][0]
        answer = await self._ask(image["url"], event["event_id"])
        outcome = {"event_id": event["event_id"], "risk_level": answer["Data"]["RiskLevel"]}
        await self._producer.send_and_wait(self._topic, orjson.dumps(outcome), key=record.key)

    async def _ask(self, image_url: str, data_id: str) -> dict[str, Any]:
        parameters = orjson.dumps({"imageUrl": image_url, "dataId": data_id}).decode()
        body = urlencode({"Service": "baselineCheck_global", "ServiceParameters": parameters}).encode()
        headers = sign(body, host=self._provider.authority, now=datetime.now(UTC), nonce=uuid.uuid4().hex)
        async with self._session.post(self._provider, data=body, headers=headers) as response:
            answer: dict[str, Any] = orjson.loads(await response.read())
        if answer["Code"] != 200:
            raise RuntimeError(f"the provider answered {answer['Code']}")
        return answer


def sign(
    body: bytes,
    *,
    host: str,
    now: datetime,
    nonce: str,
    access_key_id: str = _ACCESS_KEY_ID,
    access_key_secret: bytes = _ACCESS_KEY_SECRET,
) -> dict[str, str]:
    """
    Return the headers of an ImageModeration call with a form `body`, signed with ACS3-HMAC-SHA256.

    Vendor: the host, the content type and every `x-acs-` header are signed, in the order of their names.
    """
    payload = hashlib.sha256(body).hexdigest()
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "host": host,
        "x-acs-action": "ImageModeration",
        "x-acs-content-sha256": payload,
        "x-acs-date": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": nonce,
        "x-acs-version": "2022-03-02",
    }
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    names = ";".join(headers)
    request = f"POST\n/\n\n{lines}\n{names}\n{payload}"
    wanted = f"ACS3-HMAC-SHA256\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.digest(access_key_secret, wanted.encode(), "sha256").hex()
    headers["authorization"] = (
        f"ACS3-HMAC-SHA256 Credential={access_key_id},SignedHeaders={names},Signature={signature}"
    )
    return headers


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
