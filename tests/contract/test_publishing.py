"""
What becomes of an outcome that Kafka does not take at once.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

import pytest

from consumer.clock import SystemClock
from consumer.dispatch.in_flight import InFlight
from consumer.errors import OutcomeRefused, Undecodable
from consumer.journal.reader import OutputReader
from consumer.kafka.producing import Refused
from consumer.kafka.security import KafkaAccess
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Assessment, Failure
from consumer.verdicts.encode import Encoded, Encoding
from consumer.verdicts.outcomes import Outcome, Outcomes
from consumer.verdicts.producers import Producers
from consumer.verdicts.refused import RefusedOutcomes
from consumer.verdicts.sink import KafkaSink
from consumer.verdicts.unconfirmed import UnconfirmedPublishes
from tests.contract.reading import Broker, kafka_settings, output_topics
from tests.rig.events import delivery, submission
from tests.rig.kafka import KafkaCluster, read_all
from tests.rig.kafka.waiting import until

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
    unconfirmed = UnconfirmedPublishes(OutputReader(settings, access, 1.0).find, clock)
    async with KafkaSink.open(settings, access, unconfirmed, InFlight(clock), clock, request_timeout) as sink:
        yield sink


async def create_outputs(kafka: KafkaCluster, prefix: str, **configs: str) -> None:
    outputs = kafka_settings(kafka, prefix).outputs
    for output in outputs.all:
        await kafka.create_topic(
            output, replication=1, configs={name.replace("_", "."): configs[name] for name in configs}
        )


async def test_an_outcome_that_its_topic_does_not_take_is_refused_at_once_and_alone(
    kafka: KafkaCluster, topic: str
) -> None:
    """
    It is neither in flight nor pending any more; others go to the same topic before and after, by the same producers.
    """
    await create_outputs(kafka, topic, max_message_bytes="20000")
    reason = Undecodable("not_json", "at byte 0")
    noise = random.Random(1).randbytes(50_000)
    large, small = (
        outcomes(topic).dead_letter(delivery(value, offset=len(value)), reason, 0.0) for value in (noise, b"\xff")
    )

    async with publishing(kafka, topic) as sink:
        with pytest.raises(OutcomeRefused) as refused:
            await sink.publish(large)
        await sink.publish(small)
        takes_more, reasons = sink.takes_more(), sink.reasons_not_ready()

    assert (refused.value.word, refused.value.too_large) == ("MESSAGE_TOO_LARGE", True)
    assert takes_more
    assert not reasons
    assert [record.value for record in await read_all(kafka.bootstrap_servers, f"{topic}.dead_letter")] == [b"\xff"]


@pytest.mark.parametrize(
    ("configs", "word"),
    [
        ({"cleanup.policy": "compact"}, "INVALID_RECORD"),
        ({"max.message.bytes": "400"}, "MESSAGE_TOO_LARGE"),
    ],
)
async def test_one_refused_record_is_told_from_those_that_shared_its_batch(
    kafka: KafkaCluster, topic: str, configs: dict[str, str], word: str
) -> None:
    """
    A batch of sixteen holds one that the broker refuses: fifteen are written once, one is refused by its own name, no
    number is skipped, and the producers stay the same.
    """
    await kafka.create_topic(topic, partitions=1, replication=1, configs=configs)
    settings, clock = kafka_settings(kafka, topic), SystemClock()
    producers = Producers(KafkaAccess(settings), 40.0, clock)
    await producers.open()
    first = producers._batching.producer
    bad = {
        "INVALID_RECORD": Encoded(None, b"no key", []),
        "MESSAGE_TOO_LARGE": Encoded(b"key", random.Random(1).randbytes(500), []),
    }[word]
    sent = [Encoded(b"key", b"%d" % number, []) for number in range(15)]

    async def ending(record: Encoded) -> str:
        try:
            await producers.send(topic, record, alone=False)
        except Refused as refusal:
            if refusal.alone:
                return "refused too soon"
        else:
            return "written"
        try:
            await producers.send(topic, record, alone=True)
        except Refused as refusal:
            return refusal.word if refusal.alone else "nobody knows which"
        return "written"

    try:
        endings = await asyncio.gather(*(ending(each) for each in [*sent[:7], bad, *sent[7:]]))
        again = await asyncio.gather(*(ending(each) for each in sent[:3]))
        same = producers._batching.producer is first
    finally:
        await producers.close()

    assert endings == ["written"] * 7 + [word] + ["written"] * 8
    assert again == ["written"] * 3
    assert same
    values = sorted(record.value or b"" for record in await read_all(kafka.bootstrap_servers, topic))
    assert values == sorted(each.value or b"" for each in [*sent, *sent[:3]])


@pytest.mark.scenario
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


@pytest.mark.parametrize("noisy", [False, True], ids=["compressible", "noise"])
async def test_a_dead_letter_is_compressed_and_cut_where_it_still_does_not_fit(
    kafka: KafkaCluster, topic: str, noisy: bool
) -> None:
    """
    A message of 3 MB that is no event, with a key of a megabyte: all of it stands in the topic if it can be compressed,
    else its beginning, with its size.
    """
    await create_outputs(kafka, topic)
    value = random.Random(1).randbytes(3_000_000) if noisy else b"\xff" * 3_000_000
    read = delivery(value, key=b"k" * 1_048_576)
    letter = outcomes(topic).dead_letter(read, Undecodable("not_json", "at byte 0"), 0.0)

    async with publishing(kafka, topic) as sink, asyncio.timeout(30):
        try:
            await sink.publish(letter)
        except OutcomeRefused as refused:
            await sink.publish(await RefusedOutcomes(sink.clock, nullcontext).wait(letter, read, refused))

    [stored] = await read_all(kafka.bootstrap_servers, f"{topic}.dead_letter")
    headers = dict(stored.headers)
    if noisy:
        cut = (headers["dlq_truncated"], headers["dlq_size"], headers["dlq_key_size"])
        assert cut == (b"true", b"3000000", b"1048576")
        assert stored.value == value[:65_536]
    else:
        assert "dlq_truncated" not in headers
        assert stored.value == value
