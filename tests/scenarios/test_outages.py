"""Outages of provider and account: work waits, readiness says why, and it goes on by itself."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from consumer.emulator import Emulator, Fault
from tests.rig.emulated import KEY, emulated, upload_objects
from tests.rig.replica import Replica
from tests.rig.stage import Stage

QPS = 50
OUTAGE = 20.0  # seconds
EVENTS = 900
SETTLING = 3.0  # seconds after which only probes are sent

FAULTS: dict[str, dict[str, Any] | None] = {
    "connection-refused": None,
    "http-500": {"gateway_code": "InternalError", "http_status": 500},
    "code-500": {"code": 500},
    "code-403-for-all": {"code": 403},
    "code-408": {"code": 408},
    "signature-refused": {"signature_refused": True},
}


@asynccontextmanager
async def outage(emulator: Emulator, what: dict[str, Any] | None) -> AsyncIterator[None]:
    """The provider fails every call, or cannot be connected to."""
    if what is None:
        await emulator.stop_listening()
        yield
        await emulator.resume_listening()
    else:
        emulator.faults.add(Fault.model_validate({"what": what}))
        yield
        assert emulator.faults.unfired() == []
        emulator.faults.replace([])


@pytest.mark.scenario
@pytest.mark.parametrize("kind", FAULTS)
async def test_an_outage_ends_nothing(
    stage: Stage, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Through an outage nothing is dead-lettered, sent to review or lost, and nobody restarts anything. While provider or
    account are away no more than a probe a second is sent, and readiness names the reason.
    """
    async with emulated(["good"], qps=QPS, latency=0.2) as emulator:
        await upload_objects(stage, ["good"] * EVENTS)
        config = stage.config(emulator.url, quota={"qps": QPS})
        async with Replica.started(tmp_path, config, environment=KEY) as replica:
            await replica.until_metric("moderation_calls_billed_total", at_least=3 * QPS)

            async with outage(emulator, FAULTS[kind]):
                began = time.time()
                await asyncio.sleep(OUTAGE)
                readiness = await replica.readiness()
            recovered = time.time()

            await stage.until(lambda ids: len(ids) >= EVENTS)
            ready_again = await replica.readiness()
    outcomes = await stage.outcomes()
    arrivals = [call.arrival for call in emulator.calls]
    probes = [arrival for arrival in arrivals if began + SETTLING < arrival < recovered]
    full_pace_after = _full_pace([arrival - recovered for arrival in arrivals if arrival > recovered])
    with capsys.disabled():
        print(f"\n  {kind}: {len(probes)} calls in {OUTAGE - SETTLING:.0f} s, full pace after {full_pace_after:.1f} s")

    assert {name: len(found) for name, found in outcomes.items()} == {
        "pass": EVENTS, "review": 0, "block": 0, "dead_letter": 0,
    }  # fmt: skip
    assert len({verdict["verdict_id"] for verdict in outcomes["pass"]}) == EVENTS
    assert readiness[0] == 503
    assert "provider: " in readiness[1]
    assert ready_again[0] == 200
    if kind != "code-403-for-all":
        assert len(probes) <= OUTAGE - SETTLING + 1


def _full_pace(arrivals: list[float]) -> float:
    """Seconds from the recovery until nine tenths of the quota come in a second."""
    for begin in range(len(arrivals)):
        end = begin + int(QPS * 0.9)
        if end < len(arrivals) and arrivals[end] - arrivals[begin] <= 1.0:
            return arrivals[begin]
    return float("inf")
