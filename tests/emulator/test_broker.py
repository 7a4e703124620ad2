"""
The embedded broker, used by clients that know nothing of it.
"""

import asyncio
import socket
import time
from threading import Event

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from consumer.emulator.broker import EmbeddedBroker, end
from consumer.journal.broker_clock import BrokerClock


async def test_records_and_commits_make_the_round_trip() -> None:
    """
    What one client produced, a member of a group reads with key and headers; what it commits is there for the next.
    """
    with EmbeddedBroker() as broker:
        producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, acks="all", enable_idempotence=True)
        async with producer:
            sent = await producer.send_and_wait("uploads", b"value", key=b"key", headers=[("name", b"header")])
        consumer = AIOKafkaConsumer(
            "uploads",
            bootstrap_servers=broker.bootstrap_servers,
            group_id="readers",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        async with consumer:
            async with asyncio.timeout(20):
                record = await consumer.getone()
            await consumer.commit()
            committed = {each: await consumer.committed(each) for each in consumer.assignment()}

    assert (record.topic, record.partition, record.offset) == ("uploads", sent.partition, sent.offset)
    assert (record.key, record.value, record.headers) == (b"key", b"value", (("name", b"header"),))
    assert {partition.partition: offset for partition, offset in committed.items() if offset} == {record.partition: 1}


async def test_its_acknowledgements_say_nothing_of_a_clock() -> None:
    """
    Their time is a constant of librdkafka's: taken for a clock, the demo's service would be degraded by decades.
    """
    with EmbeddedBroker() as broker:
        async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, acks="all") as producer:
            sent = await producer.send_and_wait("moderation.pass", b"value")

    assert BrokerClock().notice(time.time(), sent.timestamp, sent.timestamp_type) is None


def test_a_broker_ends_with_its_block() -> None:
    """
    Each broker has its own address, where nobody listens any more once its block has ended.
    """
    with EmbeddedBroker() as first, EmbeddedBroker() as second:
        addresses = {first.bootstrap_servers, second.bootstrap_servers}

    assert len(addresses) == 2
    for address in addresses:
        host, _, port = address.rpartition(":")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), timeout=5)


def test_a_broker_says_what_it_cannot_do() -> None:
    """
    The limits are plain sentences.
    """
    assert len(EmbeddedBroker.limits) == 5
    assert all(limit.endswith(".") for limit in EmbeddedBroker.limits)


def test_a_cluster_that_does_not_end_keeps_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    """
    It is told of, and left to the end of the process.
    """
    may_end, has_ended = Event(), Event()

    class Stuck:
        def __del__(self) -> None:
            may_end.wait(30.0)
            has_ended.set()

    end([Stuck()], patience=0.01)

    assert not has_ended.is_set()
    assert "ends with the process" in caplog.text
    may_end.set()
    assert has_ended.wait(30.0)
