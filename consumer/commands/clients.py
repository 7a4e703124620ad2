"""aiokafka's clients as the commands open them: let in as the service is, impatient, and closed at the end."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from consumer.kafka_access import KafkaAccess

REQUEST_TIMEOUT = 5.0  # seconds


@contextlib.asynccontextmanager
async def admin_client(access: KafkaAccess) -> AsyncIterator[Any]:
    """An admin client. `KafkaError` escapes where nobody answers."""
    admin = AIOKafkaAdminClient(**access.options, request_timeout_ms=round(REQUEST_TIMEOUT * 1000))
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


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
