"""Reading the outputs back while they change."""

import asyncio
import contextlib
from dataclasses import replace

from consumer.journal.reader import OutputReader
from consumer.kafka.security import KafkaAccess
from tests.contract.reading import kafka_settings
from tests.contract.test_takeover import LONG_AGO, publish_verdicts, verdict
from tests.rig.kafka import KafkaCluster
from tests.rig.kafka.admin import admin_client
from tests.rig.kafka.waiting import until


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
