"""The service's own reading and publishing, on the embedded broker and the real one alike."""

import asyncio

from consumer.clock import SystemClock
from consumer.config.operation import AdmissionSettings
from consumer.dispatch.in_flight import InFlight
from consumer.errors import Undecodable
from consumer.intake.source import MAX_POLL_RECORDS, POLL_TIMEOUT
from consumer.journal.reader import OutputReader
from consumer.kafka.security import KafkaAccess
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Assessment, Failure
from consumer.verdicts.encode import Encoding
from consumer.verdicts.outcomes import Outcomes
from consumer.verdicts.sink import KafkaSink
from consumer.verdicts.unconfirmed import UnconfirmedPublishes
from tests.contract.reading import Broker, kafka_settings, reading, upload
from tests.rig.events import delivery, submission
from tests.rig.kafka import read_all


async def test_only_what_lies_behind_the_lowest_open_record_is_committed(broker: Broker, uploads: str) -> None:
    """
    The next reader gets the open record and all behind it, settled or not; nothing that was settled before it.
    """
    await upload(broker, uploads, 5, partition=1)
    async with reading(broker, uploads) as first:
        await first.until(lambda: len(first.records) == 5)
        for record in first.records:
            if record.delivery.offset != 2:
                record.settle()

    async with reading(broker, uploads) as second:
        await second.until(lambda: len(second.records) == 3)

    assert second.offsets(1) == [2, 3, 4]


async def test_a_full_partition_is_paused_and_the_others_go_on(broker: Broker, uploads: str) -> None:
    """
    A partition whose window is full is not read from until half of it has settled; another is read meanwhile.
    """
    window, waiting = 10, MAX_POLL_RECORDS + 100
    await upload(broker, uploads, waiting, partition=0)
    limits = AdmissionSettings(max_records_per_partition=window, max_records=2_000)
    async with reading(broker, uploads, limits) as reader:
        await reader.until(lambda: len(reader.offsets(0)) >= window)
        held = len(reader.offsets(0))
        await upload(broker, uploads, 5, partition=1)
        await reader.until(lambda: len(reader.offsets(1)) == 5)
        held_later = len(reader.offsets(0))
        reader.settle_all()
        await reader.until(lambda: len(reader.offsets(0)) == waiting)

    assert held == held_later == MAX_POLL_RECORDS
    assert reader.offsets(0) == list(range(waiting))


async def test_no_more_is_held_than_the_limits_and_one_poll(broker: Broker, uploads: str) -> None:
    """
    With the bytes used up nothing more is read of any partition; settling lets it go on, and nothing was lost.
    """
    waiting, size = 400, 1_000
    await upload(broker, uploads, waiting // 2, partition=0, size=size)
    await upload(broker, uploads, waiting // 2, partition=1, size=size)
    async with reading(broker, uploads, AdmissionSettings(max_bytes=100 * size)) as reader:
        most = 0
        while len(reader.records) < waiting:
            seen = len(reader.records)
            await reader.until(lambda seen=seen: len(reader.records) > seen)  # type: ignore[misc]
            await asyncio.sleep(2 * POLL_TIMEOUT)  # long enough for another poll, if there was one
            most = max(most, len(reader.records) - seen)
            reader.settle_all()

    assert most <= 100 + MAX_POLL_RECORDS
    assert sorted(reader.offsets(0) + reader.offsets(1)) == sorted([*range(waiting // 2)] * 2)


async def test_outcomes_are_published_where_they_belong(broker: Broker, uploads: str) -> None:
    """
    A verdict goes to the topic of its decision, a dead letter to its own, with key, value and headers.
    """
    settings = kafka_settings(broker, uploads)
    policy = Policy(settings=PolicySettings(policy="test", version=1), sha256="ab")
    verdict = Deciding(policy).decide(submission(), Assessment(failure=Failure(kind="image", code="407")), 0.0)
    poison = delivery(b"\x00\xff", key=None, headers=[("a", b"1"), ("a", b"2")])

    clock, access = SystemClock(), KafkaAccess(settings)
    outcomes = Outcomes(Encoding(group="g"), settings.outputs)
    unconfirmed = UnconfirmedPublishes(OutputReader(settings, access, 1.0).find, clock)
    async with KafkaSink.open(settings, access, unconfirmed, InFlight(clock), clock) as sink:
        await sink.publish(outcomes.verdict(verdict))
        await sink.publish(outcomes.dead_letter(poison, Undecodable("not_json", "at byte 0"), 0.0))

    [published] = await read_all(broker.bootstrap_servers, settings.outputs.review)
    [buried] = await read_all(broker.bootstrap_servers, settings.outputs.dead_letter)
    assert dict(published.headers)["ce_id"] == submission().id.encode()
    assert published.key == b"k"
    assert (buried.key, buried.value) == (None, b"\x00\xff")
    assert list(buried.headers[:2]) == [("a", b"1"), ("a", b"2")]
