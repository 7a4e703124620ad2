"""aiokafka's consumer as the commands open it: the service's access, short timeouts, closed at the end."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from consumer.kafka.admin import REQUEST_TIMEOUT
from consumer.kafka.reading import Consumer
from consumer.kafka.security import KafkaAccess
from consumer.kafka.unreadable import Damage, Skip

MAX_BATCH_BYTES = 16_777_216


@contextlib.asynccontextmanager
async def reader(
    access: KafkaAccess, *topics: str, max_batch_bytes: int = MAX_BATCH_BYTES, **options: Any
) -> AsyncIterator[Any]:
    """
    A consumer without a group, which commits nothing. `KafkaError` escapes if no broker answers.

    A batch that cannot be read comes as an `UnreadableRecord`.
    """
    consumer = Consumer(
        *topics,
        max_batch_bytes=max_batch_bytes,
        decide=_deliver,
        **access.options,
        request_timeout_ms=round(REQUEST_TIMEOUT * 1000),
        enable_auto_commit=False,
        **options,
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


def _deliver(damage: Damage) -> Skip:
    return Skip(damage.next_offset or damage.offset + 1, deliver=True)
