"""Whether the loops count as turning while the brokers are away, with aiokafka 0.14 as it is."""

import asyncio
import time

from consumer.clock import SystemClock
from consumer.emulator.broker import EmbeddedBroker
from consumer.observability.heartbeat import PATIENCE
from tests.contract.reading import reading, upload

SPEED = 30.0


class FastClock(SystemClock):
    """Sleeps as long as it is told; what it shows runs fast."""

    def now(self) -> float:
        return time.monotonic() * SPEED


async def test_a_replica_whose_brokers_are_away_is_alive(topic: str) -> None:
    """
    Its polls return with nothing, and its commit waits for a coordinator: minutes by its clock, and no complaint.
    """
    complaints = []
    broker = EmbeddedBroker()
    with broker:
        reader_of = reading(broker, topic, clock=FastClock())
        await upload(broker, topic, 1, partition=0)
        reader = await reader_of.__aenter__()
        await reader.until(lambda: len(reader.records) == 1)

    for _ in range(round(3 * PATIENCE / SPEED / 0.1)):
        await asyncio.sleep(0.1)
        complaints += reader.source.complaints()
    await reader_of.__aexit__(None, None, None)

    assert complaints == []
