"""
Poll a batch, ask about all of it at once, publish, commit, poll again.
"""

import asyncio
import contextlib
import signal
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import CommitFailedError

from bench.contestants.asking import Asking, Task


async def run(task: Task) -> None:
    """Carry batches of as many as may be in flight until SIGTERM; the one in hand is finished."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    consumer = AIOKafkaConsumer(
        task.uploads,
        bootstrap_servers=task.bootstrap_servers,
        group_id=task.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=task.session_timeout_ms,
    )
    producer = AIOKafkaProducer(bootstrap_servers=task.bootstrap_servers, enable_idempotence=True, acks="all")
    async with consumer, producer, Asking.opened(task) as asking:
        while not stopped.is_set():
            batches = await consumer.getmany(timeout_ms=500, max_records=task.in_flight)
            records = [record for batch in batches.values() for record in batch]
            await asyncio.gather(*(_carry(record, asking, producer, task.passed) for record in records))
            if records:
                with contextlib.suppress(CommitFailedError):  # a rebalance came first: the next owner reads it again
                    await consumer.commit()


async def _carry(record: Any, asking: Asking, producer: AIOKafkaProducer, topic: str) -> None:
    verdict = await asking.about(orjson.loads(record.value))
    await producer.send_and_wait(topic, verdict, key=record.key)


if __name__ == "__main__":
    asyncio.run(run(Task.from_environment()))
