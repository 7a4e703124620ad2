"""Reading the outputs back while they change."""

import asyncio
import contextlib
import time
from dataclasses import replace

from consumer.journal.belief import Belief
from consumer.journal.headers import OF_VERDICT, Source
from consumer.journal.reader import OutputReader
from consumer.journal.signatures import HEADER, Claim, Keyring
from consumer.kafka.security import KafkaAccess
from consumer.records import source_id
from tests.contract.reading import kafka_settings
from tests.contract.test_takeover import LONG_AGO, publish_verdicts, verdict
from tests.rig.events import delivery
from tests.rig.forgery import KINDS, LETTERS, Forger
from tests.rig.kafka import KafkaCluster, NewRecord, publish
from tests.rig.kafka.admin import admin_client
from tests.rig.kafka.waiting import until


async def test_no_forged_outcome_ends_the_doubt_about_a_publish(kafka: KafkaCluster, topic: str) -> None:
    """
    Of outcomes whose acknowledgement was lost, only those were written that stand there with our signature. Forged ones
    of each kind stand for all of them.
    """
    settings = kafka_settings(kafka, topic)
    for output in settings.outputs.all:
        await kafka.create_topic(output)
    keyring = Keyring({"k1": b"k" * 32}, "k1")
    names = {"pass": settings.outputs.pass_, "review": settings.outputs.review}
    forger = Forger(topic, names | {"dead_letter": settings.outputs.dead_letter}, keyring)
    messages = [delivery(offset=offset) for offset in range(len(KINDS))]
    doubtful = [source_id(topic, each, f"event-{each.offset}", "0") for each in messages]
    for kind, about in enumerate(messages):
        place, forged = forger.forge(kind, about, f"event-{about.offset}")
        await publish(kafka.bootstrap_servers, place, [forged])
    source = Source(doubtful[3], messages[3].topic_partition, 3)
    signature = keyring.sign(Claim(topic, OF_VERDICT, source, names["pass"], None, b"{}"), time.time(), None)
    genuine = NewRecord(b"{}", headers=[*OF_VERDICT.write_source(topic, source), (HEADER, signature)])
    await publish(kafka.bootstrap_servers, names["pass"], [genuine])

    believing = OutputReader(settings, KafkaAccess(settings), 1.0)
    verifying = OutputReader(settings, KafkaAccess(settings), 1.0, Belief(keyring, 0.0, time.time))

    assert set(await verifying.find(doubtful, 0.0)) == {doubtful[3]}
    assert len(await believing.find(doubtful, 0.0)) == len(KINDS) - len(LETTERS)


async def test_a_look_up_ends_though_its_topic_is_made_again_meanwhile(kafka: KafkaCluster, topic: str) -> None:
    """
    The new log may never be as long as the old one was: what was to be read of that is gone.
    """
    settings = kafka_settings(kafka, topic)
    outputs = settings.outputs
    for output in outputs.all:
        await kafka.create_topic(output)
    large = [replace(verdict(topic, offset, at=LONG_AGO), value=b"x" * 2_000) for offset in range(4_000)]
    await publish_verdicts(kafka, topic, *large)

    async def gone() -> bool:
        async with admin_client(kafka.bootstrap_servers) as admin:
            return outputs.pass_ not in await admin.list_topics()

    read = 0
    async with (
        asyncio.timeout(60),
        contextlib.aclosing(OutputReader(settings, KafkaAccess(settings), 1.0).read(0.0, lambda *_: True)) as batches,
    ):
        await anext(batches)
        async with admin_client(kafka.bootstrap_servers) as admin:
            await admin.delete_topics([outputs.pass_])
        await until(gone)
        await kafka.create_topic(outputs.pass_)
        await publish_verdicts(kafka, topic, verdict(topic, 1))
        async for batch in batches:
            read += len(batch)

    assert read < 4_000
