"""
aiokafka's admin client as a context manager, which 0.14 does not make it. Needs a real Kafka.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient


@asynccontextmanager
async def admin_client(bootstrap_servers: str) -> AsyncIterator[Any]:
    """An `AIOKafkaAdminClient`, started; untyped, as aiokafka is. Raises `KafkaConnectionError` if nobody answers."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=5_000)
    try:
        await client.start()
        yield client
    finally:
        await client.close()
