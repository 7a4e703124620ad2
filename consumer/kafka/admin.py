"""aiokafka's admin client as this project uses it: the service's access, short timeouts, closed at the end."""

import contextlib
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from consumer.kafka.security import KafkaAccess

REQUEST_TIMEOUT = 5.0  # seconds


@contextlib.asynccontextmanager
async def admin_client(access: KafkaAccess) -> AsyncIterator[Any]:
    """An admin client. `KafkaError` escapes if no broker answers."""
    admin = AIOKafkaAdminClient(**access.options, request_timeout_ms=round(REQUEST_TIMEOUT * 1000))
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def topic_settings(
    admin: Any, topics: Collection[str], wanted: Collection[str]
) -> Mapping[str, Mapping[str, str]]:
    """Return the wanted settings of each topic for which the cluster shows them; none if it cannot be asked."""
    if not topics:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, configs=dict.fromkeys(wanted)) for name in topics]
    try:
        responses = await admin.describe_configs(asked)
    except KafkaError:  # the embedded broker cannot be asked
        return {}
    return {
        name: {entry[0]: entry[1] for entry in entries}
        for response in responses
        for code, _, _, name, entries in response.resources
        if code == 0
    }
