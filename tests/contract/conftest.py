"""The brokers that the shared suite runs on."""

from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaProducer

from tests.contract.reading import kafka_settings
from tests.rig.embedded import BrokerProcess
from tests.rig.kafka import KafkaCluster


@pytest.fixture(scope="session")
def embedded_broker() -> Iterator[BrokerProcess]:
    """The package's own broker, for the whole session."""
    with BrokerProcess() as broker:
        yield broker


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> BrokerProcess | KafkaCluster:
    """The embedded broker, then a real Kafka."""
    found: BrokerProcess | KafkaCluster = request.getfixturevalue(
        {"embedded": "embedded_broker", "real": "kafka"}[request.param]
    )
    return found


@pytest.fixture
async def uploads(broker: BrokerProcess | KafkaCluster, topic: str) -> str:
    """A fresh topic of four partitions, which is what the embedded broker makes of a name on first use, and outputs."""
    if isinstance(broker, KafkaCluster):
        outputs = kafka_settings(broker, topic).outputs
        for each in (topic, *outputs.all):
            await broker.create_topic(each, partitions=4)
    else:
        async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers) as producer:
            await producer.partitions_for(topic)  # the embedded broker creates what a producer asks for
    return topic
