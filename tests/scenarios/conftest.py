"""The stage of each scenario."""

import pytest_asyncio

from tests.rig.kafka import KafkaCluster
from tests.rig.stage import Stage


@pytest_asyncio.fixture
async def stage(kafka: KafkaCluster, topic: str) -> Stage:
    """Fresh topics and a fresh group on the session's broker."""
    stage = Stage(kafka, topic)
    await stage.set_up()
    return stage
