"""
The plain loop, as it is usually written: poll a batch, ask about all of it at once, publish, commit, poll again.
"""

import argparse
import asyncio
import contextlib
import signal
from typing import Any

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import CommitFailedError

from bench.chaos.contestants.asking import Asking, Settings, arguments

BATCH = 500  # what Kafka's own clients poll at most unless told otherwise


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos.contestants.loop", description="The plain loop")
    settings = Settings.from_file(arguments(parser).config)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(settings))


async def run(settings: Settings) -> None:
    """Carry batches until SIGTERM; the one in hand is finished."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    consumer = AIOKafkaConsumer(
        settings.uploads,
        bootstrap_servers=settings.bootstrap_servers,
        group_id=settings.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=settings.session_timeout_ms,
        heartbeat_interval_ms=settings.heartbeat_interval_ms,
    )
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers, enable_idempotence=True, acks="all")
    async with consumer, producer, Asking.opened(settings) as asking:
        while not stopped.is_set():
            batches = await consumer.getmany(timeout_ms=500, max_records=BATCH)
            records = [record for batch in batches.values() for record in batch]
            await asyncio.gather(*(_carry(record, asking, producer, settings.verdicts) for record in records))
            if records:
                with contextlib.suppress(CommitFailedError):  # a rebalance came first: the next owner reads it again
                    await consumer.commit()


async def _carry(record: Any, asking: Asking, producer: AIOKafkaProducer, topic: str) -> None:
    images = [image["url"] for image in orjson.loads(record.value)["images"]]
    asked = (asking.about(image, partition=record.partition, offset=record.offset) for image in images)
    for verdict in await asyncio.gather(*asked):
        await producer.send_and_wait(topic, verdict.value, key=record.key, headers=verdict.headers)


if __name__ == "__main__":
    main()
