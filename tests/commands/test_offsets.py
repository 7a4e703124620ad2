"""`offsets` on the embedded broker, which answers less than Kafka does; on Kafka, see the scenarios."""

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from consumer.commands.offsets import standings
from consumer.config.kafka import KafkaSettings
from tests.rig.embedded import BrokerProcess

GROUP = "offsets"


async def commit(servers: str, partition: TopicPartition, offset: int) -> None:
    """Commit as a member of the group would."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, group_id=GROUP, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([partition])
        await consumer.commit({partition: offset})
    finally:
        await consumer.stop()


async def test_partitions_with_and_without_a_commit_are_told_apart() -> None:
    """
    Every partition of the topics has a standing; one that the group has never committed has no lag.
    """
    with BrokerProcess() as broker:
        servers = broker.bootstrap_servers
        async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
            for partition in (0, 1):
                for _ in range(3):
                    await producer.send_and_wait("uploads", b"{}", partition=partition)
        await commit(servers, TopicPartition("uploads", 1), 2)

        told = await standings(KafkaSettings(bootstrap_servers=servers, group_id=GROUP, topics=("uploads",)))

    assert [(each.partition, each.committed, each.end, each.lag) for each in told] == [
        (0, None, 3, None),
        (1, 2, 3, 1),
        (2, None, 0, None),
        (3, None, 0, None),
    ]
