"""Whether the loops count as turning while the brokers are away, with aiokafka 0.14 as it is."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from consumer.clock import SystemClock
from consumer.kafka import internals
from consumer.observability.heartbeat import PATIENCE
from tests.contract.reading import reading, upload
from tests.rig.embedded import BrokerProcess
from tests.rig.kafka.waiting import until

SPEED = 30.0


class FastClock(SystemClock):
    """Sleeps as long as it is told; what it shows runs fast."""

    def now(self) -> float:
        return time.monotonic() * SPEED


@pytest.mark.scenario
@pytest.mark.parametrize("mid_rebalance", [False, True])
async def test_a_replica_whose_brokers_are_away_is_alive(topic: str, *, mid_rebalance: bool) -> None:
    """
    Minutes by its clock, and no complaint: its commit waits for a coordinator, and its polls return with nothing, or
    not at all where the group was being divided as the brokers went.
    """
    complaints = []
    async with AsyncExitStack() as stack:
        with BrokerProcess() as broker:
            await upload(broker, topic, 1, partition=0)
            reader = await stack.enter_async_context(reading(broker, topic, clock=FastClock()))
            await reader.until(lambda: len(reader.records) == 1)
            consumer = reader.source._consumer
            if mid_rebalance:
                consumer._coordinator.request_rejoin()
                await until(lambda: internals.is_reassigning(consumer))

        for _ in range(round(3 * PATIENCE / SPEED / 0.1)):
            await asyncio.sleep(0.1)
            complaints += reader.source.complaints()
        still_divided = internals.is_reassigning(consumer)

    assert complaints == []
    assert still_divided == mid_rebalance
