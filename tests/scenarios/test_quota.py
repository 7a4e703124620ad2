from pathlib import Path

import pytest

from tests.rig.quick_provider.process import QuickProvider
from tests.rig.replica import Replica
from tests.rig.stage import Stage
from tests.rig.windows import busiest_window


@pytest.mark.scenario
@pytest.mark.parametrize(
    ("api", "qps"), [("image-moderation-2.0", 20), ("image-moderation-2.0", 100), ("scan-1.0", 50)]
)
async def test_no_sliding_second_at_the_provider_holds_more_than_the_quota(
    stage: Stage, tmp_path: Path, qps: int, api: str
) -> None:
    """
    In calls of the 2.0 API, and in images of the 1.0 API, of which one that cannot be fetched counts as well.
    With a backlog, more slots than needed and images that fail again, the provider's log has no busier second.

    The provider stamps a call late by as much as it was kept from running. Calls whose stamps lie within a second less
    that lag arrived within a second, so that is the window to count in.
    """
    events = qps * 10
    await stage.upload(events)
    async with QuickProvider.start(latency=0.3, spread=0.5, codes={"/7": 404}) as provider:
        config = stage.config(
            provider.endpoint, provider={"api": api}, oss={"buckets": []}, quota={"qps": qps},
            retries={"first_delay": 0.05},
        )  # fmt: skip

        async with Replica.started(tmp_path, config):
            await stage.until(lambda ids: len(ids) >= events)
        arrivals = [arrival.at for arrival in await provider.arrivals()]
        lag = (await provider.stats())["worst_lag"]

    assert len(arrivals) > events
    assert busiest_window(arrivals, 1.0 - lag) <= qps
