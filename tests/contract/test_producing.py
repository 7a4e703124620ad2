"""
What an idempotent aiokafka 0.14 producer does with a record that the brokers do not acknowledge.
"""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import LeaderNotAvailableError, OutOfOrderSequenceNumber

from tests.contract.consumers import outage, stays_pending
from tests.rig.kafka import KafkaCluster, read_all
from tests.rig.kafka.waiting import until

pytestmark = pytest.mark.scenario  # brokers go away

REQUEST_TIMEOUT = 500  # milliseconds, well below `stays_pending`


def producer_of(kafka: KafkaCluster) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers,
        enable_idempotence=True,
        acks="all",
        request_timeout_ms=REQUEST_TIMEOUT,
    )


async def test_a_send_outlives_an_outage_and_so_does_stop(kafka: KafkaCluster, topic: str) -> None:
    """
    With every broker away a send is repeated beyond the request timeout, and `stop` waits for it as long.

    aiokafka 0.14: the last known leader stays known, and then such a batch never expires. `stop` needs a deadline.
    """
    await kafka.create_topic(topic)
    producer = producer_of(kafka)
    await producer.start()
    await producer.send_and_wait(topic, b"before")

    async with outage(kafka):
        send = await producer.send(topic, b"during")
        stop = asyncio.create_task(producer.stop())
        waited = await stays_pending(stop)
        undecided = not send.done()
    await stop

    assert waited
    assert undecided
    assert [record.value for record in await read_all(kafka.bootstrap_servers, topic)] == [b"before", b"during"]


async def test_a_send_that_failed_may_have_been_written(kafka_cluster: KafkaCluster, topic: str) -> None:
    """
    A partition without leader fails the send after the request timeout, although the record may be in it already.

    Here the leader froze with the request in its socket. Only reading the topic tells.
    """
    await kafka_cluster.create_topic(topic, replication=1)
    leader = await kafka_cluster.leader_of(topic)

    async with producer_of(kafka_cluster) as producer:
        await producer.send_and_wait(topic, b"before")
        kafka_cluster.suspend_broker(leader)
        try:
            with pytest.raises(LeaderNotAvailableError):
                await producer.send_and_wait(topic, b"unknown")
        finally:
            kafka_cluster.resume_broker(leader)

    async def is_led() -> bool:
        return await kafka_cluster.leader_of(topic) == leader

    await until(is_led)
    assert [record.value for record in await read_all(kafka_cluster.bootstrap_servers, topic)] == [
        b"before",
        b"unknown",
    ]


async def test_a_send_that_was_lost_ends_the_producer(kafka_cluster: KafkaCluster, topic: str) -> None:
    """
    After a failed send that was not written, everything more for that partition fails: a new producer is needed.

    aiokafka 0.14 has given the lost batch its sequence number, and the broker takes none after the gap.
    """
    await kafka_cluster.create_topic(topic, replication=1)
    leader = await kafka_cluster.leader_of(topic)

    async with producer_of(kafka_cluster) as producer:
        await producer.send_and_wait(topic, b"before")
        await kafka_cluster.kill_broker(leader)
        try:
            with pytest.raises(LeaderNotAvailableError):
                await producer.send_and_wait(topic, b"lost")
        finally:
            await kafka_cluster.start_broker(leader)
        with pytest.raises(OutOfOrderSequenceNumber):
            await producer.send_and_wait(topic, b"after")

    assert [record.value for record in await read_all(kafka_cluster.bootstrap_servers, topic)] == [b"before"]
