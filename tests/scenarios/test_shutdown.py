from pathlib import Path

import pytest

from tests.rig.quick_provider.process import QuickProvider
from tests.rig.replica import Replica
from tests.rig.stage import Stage


@pytest.mark.scenario
async def test_sigterm_finishes_what_is_in_flight_and_repeats_nothing(stage: Stage, tmp_path: Path) -> None:
    """
    With 64 calls in flight and a backlog, SIGTERM ends in time with status 0; after a restart every event has exactly
    one verdict and no image was paid for twice.
    """
    events, drain_timeout = 600, 10.0
    await stage.upload(events)
    async with QuickProvider.start(latency=0.6, spread=0.5) as provider:
        config = stage.config(
            provider.endpoint,
            quota={"qps": 400},
            provider={"max_in_flight": 64},
            shutdown={"drain_timeout": drain_timeout},
        )

        async with Replica.started(tmp_path, config, name="first") as first:
            await first.ready()
            await first.until_metric("moderation_calls_in_flight", at_least=64)
            await first.until_metric("moderation_calls_billed_total", at_least=64)
            first.terminate()
            status = await first.ended(timeout=drain_timeout)
        paid, published = len(await provider.arrivals()), len(await stage.verdict_ids())
        async with Replica.started(tmp_path, config, name="second"):
            ids = await stage.until(lambda ids: len(ids) >= events)
        asked = [arrival.data_id for arrival in await provider.arrivals()]

    assert status == 0
    assert 0 < paid < events
    assert published == paid
    assert len(ids) == len(set(ids)) == events
    assert len(asked) == len(set(asked)) == events


@pytest.mark.scenario
async def test_sigterm_at_a_small_share_waits_for_no_turn(stage: Stage, tmp_path: Path) -> None:
    """
    What only waits for the pace has cost nothing: it is let go, and the status is 0. After a restart every event has
    exactly one verdict and no image was paid for twice.
    """
    events = 60
    await stage.upload(events)
    async with QuickProvider.start(latency=0.3) as provider:
        slow = stage.config(provider.endpoint, quota={"qps": 4}, shutdown={"drain_timeout": 8.0})
        async with Replica.started(tmp_path, slow, name="first") as first:
            await first.ready()
            await first.until_metric("moderation_calls_billed_total", at_least=2)
            first.terminate()
            status = await first.ended(timeout=6.0)
        paid, published = len(await provider.arrivals()), len(await stage.verdict_ids())
        fast = stage.config(provider.endpoint, quota={"qps": 400})
        async with Replica.started(tmp_path, fast, name="second"):
            ids = await stage.until(lambda ids: len(ids) >= events)
        asked = [arrival.data_id for arrival in await provider.arrivals()]

    assert status == 0
    assert 0 < paid < events
    assert published == paid
    assert len(ids) == len(set(ids)) == events
    assert len(asked) == len(set(asked)) == events
