"""
What becomes of an outcome that Kafka does not take at once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from consumer.clock import SystemClock
from consumer.config import Policy, PolicySettings
from consumer.errors import Undecodable
from consumer.flight import Flight
from consumer.intake.tail import Tail
from consumer.kafka_access import KafkaAccess
from consumer.records import Assessment, Failure
from consumer.verdicts.doubts import Doubts
from consumer.verdicts.encode import Encoding
from consumer.verdicts.kafka import KafkaSink
from consumer.verdicts.outcomes import Outcome, Outcomes
from consumer.verdicts.policy import Deciding
from tests.contract.reading import Broker, kafka_settings, output_topics
from tests.events import delivery, submission
from tests.kafka import KafkaCluster, read_all
from tests.kafka.waiting import until

DECIDING = Deciding(Policy(settings=PolicySettings(policy="test", version=1), sha256="ab"))


def outcomes(prefix: str) -> Outcomes:
    """Those of a group, for its topics."""
    return Outcomes(Encoding(group=prefix), output_topics(prefix))


def verdict(prefix: str, offset: int) -> Outcome:
    """A review verdict about the upload at `offset`."""
    failed = Assessment(failure=Failure(kind="image", code="407"))
    return outcomes(prefix).verdict(DECIDING.decide(submission(delivery(offset=offset)), failed, 0.0))


@asynccontextmanager
async def publishing(broker: Broker, prefix: str, *, request_timeout: float = 40.0) -> AsyncIterator[KafkaSink]:
    """A sink whose producers give up on a batch without a leader after `request_timeout` seconds."""
    settings, clock = kafka_settings(broker, prefix), SystemClock()
    access = KafkaAccess(settings)
    doubts = Doubts(Tail(settings, access, 1.0).find, clock)
    async with KafkaSink.open(settings, access, doubts, Flight(clock), clock, request_timeout) as sink:
        yield sink


async def create_outputs(kafka: KafkaCluster, prefix: str, **configs: str) -> None:
    outputs = kafka_settings(kafka, prefix).outputs
    for output in (outputs.block, outputs.review, outputs.pass_, outputs.dead_letter):
        await kafka.create_topic(
            output, replication=1, configs={name.replace("_", "."): configs[name] for name in configs}
        )


async def test_an_outcome_that_its_topic_does_not_take_holds_nobody_else(kafka: KafkaCluster, topic: str) -> None:
    """
    A dead letter that is too large is tried again and named by readiness; others go to the same topic meanwhile, and
    calls may still be paid for.
    """
    await create_outputs(kafka, topic, max_message_bytes="20000")
    reason = Undecodable("not_json", "at byte 0")
    large, small = (
        outcomes(topic).dead_letter(delivery(b"\xff" * size, offset=size), reason, 0.0) for size in (50_000, 1)
    )

    async with publishing(kafka, topic) as sink:
        stuck = asyncio.create_task(sink.publish(large))
        await until(lambda: bool(sink.reasons_not_ready()))
        async with asyncio.timeout(15):
            await sink.publish(small)
        takes_more, reasons = sink.takes_more(), sink.reasons_not_ready()
        stuck.cancel()
        await asyncio.wait([stuck])

    assert takes_more
    assert len(reasons) == 1
    assert "MessageSizeTooLargeError" in reasons[0]
    assert f"{topic}.dead_letter" in reasons[0]
    assert [record.value for record in await read_all(kafka.bootstrap_servers, f"{topic}.dead_letter")] == [b"\xff"]


async def test_an_outcome_whose_fate_is_unknown_stands_in_its_topic_once(
    kafka_cluster: KafkaCluster, topic: str
) -> None:
    """
    Its partition loses its leader for longer than the producer waits. Nothing more may be paid for meanwhile, readiness
    says so, and when the leader is back every outcome is there exactly once.
    """
    await create_outputs(kafka_cluster, topic)
    review = kafka_settings(kafka_cluster, topic).outputs.review
    leader = await kafka_cluster.leader_of(review)

    async with publishing(kafka_cluster, topic, request_timeout=2.0) as sink:
        await sink.publish(verdict(topic, 0))
        await kafka_cluster.kill_broker(leader)
        try:
            sending = [asyncio.create_task(sink.publish(verdict(topic, offset))) for offset in range(1, 6)]
            await until(lambda: any("Error" in reason for reason in sink.reasons_not_ready()))
            takes_more = sink.takes_more()
        finally:
            await kafka_cluster.start_broker(leader)
        async with asyncio.timeout(60):
            await asyncio.gather(*sending)
        recovered = sink.takes_more()

    assert not takes_more
    assert recovered
    published = await read_all(kafka_cluster.bootstrap_servers, review)
    assert sorted(dict(record.headers)["source_offset"] for record in published) == [b"%d" % n for n in range(6)]


async def test_a_dead_letter_that_its_topic_finds_too_large_is_cut(kafka: KafkaCluster, topic: str) -> None:
    """
    A message of 3 MB that is no event, with a key of a megabyte: its beginning stands in the topic, with its size.
    """
    await create_outputs(kafka, topic)
    read = delivery(b"\xff" * 3_000_000, key=b"k" * 1_048_576)

    async with publishing(kafka, topic) as sink, asyncio.timeout(30):
        await sink.publish(outcomes(topic).dead_letter(read, Undecodable("not_json", "at byte 0"), 0.0))

    [letter] = await read_all(kafka.bootstrap_servers, f"{topic}.dead_letter")
    headers = dict(letter.headers)
    assert letter.value == b"\xff" * 65_536
    assert (headers["dlq_truncated"], headers["dlq_size"], headers["dlq_key_size"]) == (b"true", b"3000000", b"1048576")
