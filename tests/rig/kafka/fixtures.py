"""
pytest fixtures for a real Kafka. What happens to their tests on a machine without one is `tests/rig/needs.py`'s.
"""

import re
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.rig.kafka.cluster import KafkaCluster
from tests.rig.kafka.secured import SecuredKafka, secured


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kafka() -> AsyncIterator[KafkaCluster]:
    """A broker for the whole session. A test that stops or freezes brokers starts its own."""
    async with KafkaCluster.start(brokers=1) as cluster:
        yield cluster


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kafka_cluster() -> AsyncIterator[KafkaCluster]:
    """Three brokers for the whole session. A test that stops or freezes one brings it back."""
    async with KafkaCluster.start(brokers=3) as cluster:
        yield cluster


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def secured_kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SecuredKafka]:
    """One broker for the whole session that asks who is there."""
    async with secured(tmp_path_factory.mktemp("secured")) as kafka:
        yield kafka


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A topic name that nobody else has; also good for a group, and as a prefix for more names. Creates nothing."""
    return f"{re.sub(r'[^a-zA-Z0-9]+', '-', request.node.name)[:80]}-{uuid.uuid4().hex[:8]}"
