from pathlib import Path

import pytest
import yaml

from tests.rig.emulated import KEY, emulated, upload_objects
from tests.rig.replica import ROOT, Replica
from tests.rig.stage import Stage

EVENTS = 200


@pytest.mark.scenario
async def test_a_service_name_that_does_not_exist_halts(stage: Stage, tmp_path: Path) -> None:
    """
    What has never been accepted is configuration: the service halts and says so, nothing floods the reviewers, and with
    the name put right everything is judged.
    """
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        (ROOT / "config" / "policy.yaml").read_text().replace("baselineCheck_global", "baselineChek_global")
    )
    assert yaml.safe_load(policy.read_text())["services"] == ["baselineChek_global"]
    async with emulated(["good"]) as emulator:
        await upload_objects(stage, ["good"] * EVENTS)
        config = stage.config(emulator.url)

        async with Replica.started(tmp_path, {**config, "policy": str(policy)}, environment=KEY) as wrong:
            await wrong.until(lambda status, text: status == 503 and "baselineChek_global" in text)
            _, reason = await wrong.readiness()
            wrong.terminate()
            status = await wrong.ended(timeout=10.0)
        while_halted, asked = await stage.verdict_ids(), len(list(emulator.calls))
        async with Replica.started(tmp_path, config, name="right", environment=KEY):
            ids = await stage.until(lambda ids: len(ids) >= EVENTS)
    outcomes = await stage.outcomes()

    assert "is not asked: account 401" in reason
    assert status == 0
    assert while_halted == []
    assert asked <= 70  # what was in flight at the start, and a probe a second
    assert len(ids) == len(outcomes["pass"]) == EVENTS


@pytest.mark.scenario
async def test_a_wrong_key_halts(stage: Stage, tmp_path: Path) -> None:
    """
    Nothing is sent but probes, readiness names the provider's code, and no key stands in the log.
    """
    async with emulated(["good"]) as emulator:
        await upload_objects(stage, ["good"] * EVENTS)
        wrong_key = {**KEY, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "canary-secret"}

        async with Replica.started(tmp_path, stage.config(emulator.url), environment=wrong_key) as replica:
            await replica.until(lambda status, text: status == 503 and "SignatureDoesNotMatch" in text)
            replica.terminate()
            status = await replica.ended(timeout=10.0)

    assert status == 0
    assert await stage.verdict_ids() == []
    assert "canary-secret" not in replica.log.read_text()
