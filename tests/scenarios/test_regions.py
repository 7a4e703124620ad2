import asyncio
from collections import Counter
from pathlib import Path

import pytest

from consumer.emulator import Emulator, Fault
from consumer.moderation.regions import FIRST_REGION_ATTEMPTS
from tests.rig.emulated import KEY, emulated, upload_objects
from tests.rig.replica import Replica
from tests.rig.stage import Stage

FIRST, SECOND = "ap-southeast-1", "eu-west-1"
EVENTS = 900


async def answered_by(emulator: Emulator, region: str, count: int) -> None:
    """Return once a region has answered about so many images."""
    async with asyncio.timeout(60):
        while sum(call.billed and call.region == region for call in emulator.calls) < count:
            await asyncio.sleep(0.05)


@pytest.mark.scenario
async def test_a_region_that_is_away_is_stood_in_for_until_it_is_back(stage: Stage, tmp_path: Path) -> None:
    """
    While the first region fails, the second of its configuration group answers and the first is probed once a second;
    when the first is back it has all the calls again, but for images that it has failed twice. No image waits for it,
    and none is paid for twice.
    """
    async with emulated(["good"], regions=[FIRST, SECOND], qps=100, latency=0.1) as emulator:
        config = stage.config(
            f"http://{emulator.endpoints[FIRST]}",
            quota={"qps": 50},
            provider={
                "region": FIRST, "fallback_region": SECOND, "fallback_endpoint": f"http://{emulator.endpoints[SECOND]}",
            },
        )  # fmt: skip
        await upload_objects(stage, ["good"] * EVENTS)
        async with Replica.started(tmp_path, config, environment=KEY) as replica:
            await answered_by(emulator, FIRST, 100)
            emulator.faults.add(Fault.model_validate({"match": {"region": FIRST}, "what": {"code": 500}}))
            await answered_by(emulator, SECOND, 300)
            during = Counter(call.region for call in emulator.calls)
            failed = sum(call.code == 500 for call in emulator.calls)
            emulator.faults.replace([])
            await answered_by(emulator, FIRST, 250)
            back = len(emulator.calls)
            await answered_by(emulator, FIRST, 300)
            calls = list(emulator.calls)
            ready, _ = await replica.readiness()
            ids = await stage.until(lambda ids: len(ids) >= EVENTS)
    outcomes = await stage.outcomes()

    failures = Counter(call.data_id for call in calls if call.code == 500)
    assert len(ids) == len(set(ids)) == len(outcomes["pass"]) == EVENTS
    assert {verdict["provider"]["region"] for verdict in outcomes["pass"]} == {FIRST, SECOND}
    assert all(verdict["provider"]["billed_calls"] == 1 for verdict in outcomes["pass"])
    assert during[SECOND] >= 300
    assert failed <= 30  # what was in flight, and a probe a second
    assert {call.region for call in calls[back:] if failures[call.data_id] < FIRST_REGION_ATTEMPTS} == {FIRST}
    assert ready == 200
