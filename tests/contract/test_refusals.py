"""
What `consumer/kafka/producing.py` relies on in aiokafka 0.14, at a real broker.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.producer.transaction_manager import TransactionManager

from consumer.kafka.producing import Batch, Refused, producer, refusal
from tests.rig.kafka import KafkaCluster, read_all

HOUR = 3_600_000  # milliseconds


@asynccontextmanager
async def producing(kafka: KafkaCluster) -> AsyncIterator[AIOKafkaProducer]:
    """A producer as the service has it."""
    made = producer(bootstrap_servers=kafka.bootstrap_servers, acks="all", enable_idempotence=True)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


@pytest.mark.parametrize(
    ("word", "configs", "bad"),
    [
        ("INVALID_RECORD", {"cleanup.policy": "compact"}, {"key": None}),
        ("MESSAGE_TOO_LARGE", {"max.message.bytes": "1000"}, {"value": b"v" * 2000}),
        ("INVALID_TIMESTAMP", {"message.timestamp.before.max.ms": str(HOUR)}, {"timestamp_ms": 1}),
    ],
)
async def test_a_refusal_leaves_no_gap(
    kafka: KafkaCluster, topic: str, word: str, configs: dict[str, str], bad: dict[str, object]
) -> None:
    """
    The same producer goes on sending, before and after, without a doubt about anything.
    """
    await kafka.create_topic(topic, configs=configs)
    good = {"key": b"k", "value": b"v", "timestamp_ms": round(time.time() * 1000)}

    async with producing(kafka) as made:
        await made.send_and_wait(topic, **good)
        for _ in range(3):
            with pytest.raises(Refused) as refused:
                await made.send_and_wait(topic, **{**good, **bad})
            assert (refused.value.word, refused.value.alone) == (word, True)
            await made.send_and_wait(topic, **good)

    assert len(await read_all(kafka.bootstrap_servers, topic)) == 4


async def test_who_shares_a_batch_with_a_refused_record_is_told_that_it_was_not_alone(
    kafka: KafkaCluster, topic: str
) -> None:
    """
    The broker refuses the batch as a whole and appends none of it.
    """
    await kafka.create_topic(topic, configs={"cleanup.policy": "compact"})

    async with producing(kafka) as made:
        sent = await asyncio.gather(
            *(made.send_and_wait(topic, b"v", key=key, partition=0) for key in (b"a", None, b"b")),
            return_exceptions=True,
        )
        again = await made.send_and_wait(topic, b"v", key=b"a", partition=0)

    assert [(type(each), getattr(each, "alone", None)) for each in sent] == [(Refused, False)] * 3
    assert again.offset == 0


async def test_a_refusal_after_an_attempt_without_an_answer_is_a_doubt() -> None:
    """
    That attempt may have been written: the batch's number stays taken, and the record is looked for.
    """
    partition = TopicPartition("topic", 0)
    transactions = TransactionManager(None, 1000)
    owner = SimpleNamespace(_txn_manager=transactions)
    builder = BatchBuilder(16_384, 0, is_transactional=False)
    batch = Batch(partition, builder, 10.0, 0.0, owner)  # type: ignore[arg-type]
    sent = batch.append(b"k", b"v", None)
    batch.set_producer_state(1, 0, 0)
    transactions.increment_sequence_number(partition, 1)
    batch.drain_ready()
    batch.reset_drain()
    batch.drain_ready()

    batch.failure(MessageSizeTooLargeError())

    assert sent is not None
    assert refusal(sent.exception(), alone=True) is None
    assert transactions.sequence_number(partition) == 1
