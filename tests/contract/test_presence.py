"""
What `consumer/kafka/presence.py` relies on in aiokafka 0.14, at a real broker.
"""

import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from consumer.kafka.presence import SILENCE, bootstrap, is_heard, known
from tests.rig.kafka import KafkaCluster, read_all
from tests.rig.kafka.waiting import until


async def test_a_client_is_heard_while_brokers_answer_it(kafka: KafkaCluster, topic: str) -> None:
    """
    From its first answered request on, and while it asks for nothing; never once it is stopped.
    """
    await kafka.create_topic(topic)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"1")
        now = time.monotonic()
        heard, idle = is_heard(producer.client, now), is_heard(producer.client, now + 2 * SILENCE)
        addresses = known(producer.client)
    finally:
        await producer.stop()

    assert heard
    assert idle
    assert not is_heard(producer.client, time.monotonic())
    assert addresses == {(host, int(port)) for host, port in [kafka.bootstrap_servers.split(":")]}


async def test_a_client_whose_requests_wait_is_heard_no_more_after_a_while(kafka: KafkaCluster, topic: str) -> None:
    """
    Here of a fetch that waits for records.
    """
    await kafka.create_topic(topic)
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=kafka.bootstrap_servers, fetch_max_wait_ms=30_000, auto_offset_reset="earliest"
    ) as consumer:
        client = consumer._client
        await until(lambda: client._conns and all(each._requests for each in client._conns.values()))
        now = time.monotonic()
        at_first, later = is_heard(client, now), is_heard(client, now + 2 * SILENCE)

    assert at_first
    assert not later


async def test_a_client_that_knows_no_broker_finds_them_by_the_bootstrap_servers(
    kafka: KafkaCluster, topic: str
) -> None:
    """
    It goes on sending as the client that it was; one that knows a broker, or is stopped, is left alone.
    """
    await kafka.create_topic(topic)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"before")
        there = known(producer.client)
        knew = await bootstrap(producer.client, there | {("127.0.0.1", 1)})
        for broker in list(producer.client.cluster.brokers()):
            producer.client.cluster._brokers[broker.nodeId] = broker._replace(port=1)
        moved = await bootstrap(producer.client, there)
        await producer.send_and_wait(topic, b"after")
    finally:
        await producer.stop()
    stopped = await bootstrap(producer.client, frozenset({("127.0.0.1", 1)}))

    assert (knew, moved, stopped) == (False, True, False)
    assert [record.value for record in await read_all(kafka.bootstrap_servers, topic)] == [b"before", b"after"]
