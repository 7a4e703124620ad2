"""aiokafka's consumer as the commands open it: let in as the service is, impatient, and closed at the end."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer

from consumer.kafka_access import KafkaAccess
from consumer.kafka_admin import REQUEST_TIMEOUT


@contextlib.asynccontextmanager
async def reader(access: KafkaAccess, *topics: str, **options: Any) -> AsyncIterator[Any]:
    """A consumer without a group, which commits nothing. `KafkaError` escapes where nobody answers."""
    consumer = AIOKafkaConsumer(
        *topics, **access.options, request_timeout_ms=round(REQUEST_TIMEOUT * 1000), enable_auto_commit=False, **options
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()
