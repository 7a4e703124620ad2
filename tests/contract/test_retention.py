"""What a real Kafka deletes of records with times that nobody's clock shows, and what the service says of it."""

import time

from aiokafka import AIOKafkaConsumer, TopicPartition

from consumer.intake.dating import RecordDates
from consumer.intake.retention import Retention
from tests.contract.reading import reading
from tests.rig.clock import ManualClock
from tests.rig.kafka import KafkaCluster, NewRecord, publish
from tests.rig.kafka.waiting import until

HOUR = 3_600
RETENTION = {"retention.ms": str(HOUR * 1000), "message.timestamp.after.max.ms": str(2**62)}
LOOKS_OFTEN = {"log.retention.check.interval.ms": "300", "log.initial.task.delay.ms": "300"}
YEAR_2100 = 4_102_444_800_000  # unix milliseconds


async def beginning(kafka: KafkaCluster, topic: str) -> int:
    """The offset of the first record that the topic still has."""
    partition = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers) as consumer:
        return int((await consumer.beginning_offsets([partition]))[partition])


async def test_a_record_dated_1970_is_deleted_only_where_no_younger_one_lies_before_it(topic: str) -> None:
    """
    Behind an honest record it stays as long as that one, in whichever segment, and raises no alarm; alone it is gone
    at Kafka's next look, as the alarm said. A record dated 2100 makes no difference to either.
    """
    now = time.time()
    honest, odd = round(now * 1000), 0
    behind, alone = f"{topic}-behind", f"{topic}-alone"
    async with KafkaCluster.start(properties=LOOKS_OFTEN) as kafka:
        for name in (behind, alone):
            await kafka.create_topic(name, configs=RETENTION)
        dated = (honest, odd, YEAR_2100, odd, honest)  # the third begins a segment of its own
        await publish(kafka.bootstrap_servers, behind, [NewRecord(b"x", partition=0, timestamp=at) for at in dated])
        async with reading(kafka, behind) as reader:
            await reader.until(lambda: len(reader.records) == len(dated))
        await publish(kafka.bootstrap_servers, alone, [NewRecord(b"x", partition=0, timestamp=odd)])

        async def is_deleted() -> bool:
            return await beginning(kafka, alone) == 1

        await until(is_deleted)
        kept = await beginning(kafka, behind)

    assert kept == 0
    headroom = await headroom_of(min(record.delivery.kept_from for record in reader.records), now)
    assert abs(headroom - HOUR) < 1.0
    assert await headroom_of(RecordDates().kept_from(odd / 1000, now), now) < 0.0


async def headroom_of(kept_from: float, now: float) -> float:
    """What the metric shows of a record in a topic that keeps an hour."""

    async def look() -> dict[str, float]:
        return {"uploads": float(HOUR)}

    clock = ManualClock(start=now)
    retention = Retention(look, clock)
    async with retention.watched():
        await clock.run(clock.sleep(0.0))
        return retention.headroom("uploads", kept_from)
