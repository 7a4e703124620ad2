from pathlib import Path

import pytest

from tests.rig.quick_provider.process import QuickProvider
from tests.rig.replica import Replica
from tests.rig.stage import Stage


@pytest.mark.scenario
async def test_a_rebalance_drains_what_is_in_flight(stage: Stage, tmp_path: Path) -> None:
    """
    A replica that joins and one that leaves under load make nobody pay or publish twice, and nothing is lost.
    """
    events = 600
    await stage.upload(events)
    async with QuickProvider.start(latency=0.4, spread=0.5) as provider:
        config = stage.config(provider.endpoint, quota={"qps": 50})

        async with Replica.started(tmp_path, config, name="first") as first:
            await first.until_metric("moderation_calls_billed_total", at_least=100)
            async with Replica.started(tmp_path, config, name="second") as second:
                await second.until_metric("moderation_calls_billed_total", at_least=40)
                first.terminate()
                status = await first.ended()
                ids = await stage.until(lambda ids: len(ids) >= events)
        asked = [arrival.data_id for arrival in await provider.arrivals()]

    assert status == 0
    assert len(ids) == len(set(ids)) == events
    assert len(asked) == len(set(asked)) == events
