"""
FastStream 0.7, with either of the two ways to work at several messages at once that its documentation names.

- `ack_first`: all messages at once, acknowledged when they are read: at most once.
- `nack_on_error`: acknowledged when they are done: at least once. A worker is a consumer of its own and takes the
  messages of its partitions one after the other, so more workers than partitions would idle.
"""

import argparse
import asyncio
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage

from bench.chaos.contestants.asking import Asking, Settings, arguments

WORKERS_BY_PARTITION = 4  # of each of two replicas, for eight partitions


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos.contestants.stream", description="FastStream")
    parser.add_argument("policy", choices=[AckPolicy.ACK_FIRST.value, AckPolicy.NACK_ON_ERROR.value])
    options = arguments(parser)
    asyncio.run(run(Settings.from_file(options.config), AckPolicy(options.policy)))


async def run(settings: Settings, policy: AckPolicy) -> None:
    """Subscribe and publish as the documentation shows it."""
    broker = KafkaBroker(settings.bootstrap_servers, acks="all", enable_idempotence=True)
    workers = settings.in_flight if policy is AckPolicy.ACK_FIRST else WORKERS_BY_PARTITION
    async with Asking.opened(settings) as asking:

        @broker.subscriber(  # type: ignore[untyped-decorator]
            settings.uploads,
            group_id=settings.group,
            auto_offset_reset="earliest",
            ack_policy=policy,
            max_workers=workers,
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=settings.heartbeat_interval_ms,
        )
        async def moderate(event: dict[str, Any], message: KafkaMessage) -> None:
            record = message.raw_message
            images = [image["url"] for image in event["images"]]
            asked = (asking.about(image, partition=record.partition, offset=record.offset) for image in images)
            for verdict in await asyncio.gather(*asked):
                await broker.publish(
                    verdict.value,
                    settings.verdicts,
                    key=record.key,
                    headers={name: value.decode() for name, value in verdict.headers},
                )

        await FastStream(broker).run()


if __name__ == "__main__":
    main()
