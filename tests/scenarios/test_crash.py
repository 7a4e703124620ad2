from pathlib import Path

import pytest

from tests.rig.quick_provider.process import QuickProvider
from tests.rig.replica import Replica
from tests.rig.stage import Stage


@pytest.mark.scenario
async def test_a_crash_repeats_no_more_than_what_was_in_flight(stage: Stage, tmp_path: Path) -> None:
    """
    After a SIGKILL every image still gets exactly one verdict; paid for twice is at most what was in flight, though
    hundreds of verdicts lie beyond the committed offsets.
    """
    events, in_flight = 800, 32
    await stage.upload(events)
    async with QuickProvider.start(latency=0.3, spread=0.9) as provider:
        # A commit every 2 s leaves many outcomes to the journal.
        config = stage.config(
            provider.endpoint,
            kafka={"commit_interval": 2.0},
            quota={"qps": 100},
            provider={"max_in_flight": in_flight},
        )

        async with (
            Replica.started(tmp_path, config, name="first") as first,
            Replica.started(tmp_path, config, name="second") as second,
        ):
            await second.until_metric("moderation_calls_billed_total", at_least=100)
            first.kill()
            await first.ended()
            ids = await stage.until(lambda ids: len(set(ids)) >= events)
            saved = await second.metric("moderation_journal_saved_total")
        asked = [arrival.data_id for arrival in await provider.arrivals()]

    assert len(ids) == len(set(ids)) == events
    assert len(set(asked)) == events
    assert len(asked) - events <= in_flight
    assert saved > 0
