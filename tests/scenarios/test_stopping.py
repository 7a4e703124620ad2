"""Stopping while no broker answers, on a real Kafka."""

from pathlib import Path

import pytest

from tests.rig.kafka import KafkaCluster
from tests.rig.quick_provider.process import QuickProvider
from tests.rig.replica import Replica
from tests.rig.stage import Stage

DRAIN_TIMEOUT = 3.0
CLOSING = 5.0 + 2.0 + 2.0 + 2.0  # the last commit, leaving the group, the producer, and the rest


@pytest.mark.scenario
@pytest.mark.kafka
async def test_a_stop_ends_in_time_though_no_broker_answers(tmp_path: Path, topic: str) -> None:
    """
    With verdicts that Kafka never acknowledged, SIGTERM ends the service within the drain and its closing deadlines,
    and the status says that not everything was finished.
    """
    async with KafkaCluster.start() as kafka, QuickProvider.start(latency=0.3) as provider:
        stage = Stage(kafka, topic)
        await stage.set_up()
        await stage.upload(200)
        config = stage.config(provider.endpoint, quota={"qps": 50}, shutdown={"drain_timeout": DRAIN_TIMEOUT})
        async with Replica.started(tmp_path, config) as replica:
            await replica.until_metric("moderation_calls_billed_total", at_least=50)

            kafka.suspend_broker(1)
            await replica.until_metric("moderation_calls_billed_total", at_least=70)
            replica.terminate()
            status = await replica.ended(timeout=DRAIN_TIMEOUT + CLOSING)
            kafka.resume_broker(1)

    assert status == 1
    assert "messages in flight did not end within 3.0 s" in replica.log.read_text()
