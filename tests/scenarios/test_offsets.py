import asyncio
import os
import sys
from pathlib import Path

import orjson
import pytest
import yaml

from tests.rig.quick_provider.process import QuickProvider
from tests.rig.replica import ROOT, Replica
from tests.rig.stage import PARTITIONS, Stage


async def command(*arguments: str) -> tuple[int, str, str]:
    """Run `moderation-consumer` to its end: its status and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "consumer", *arguments),
        cwd=ROOT, env={**os.environ, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


@pytest.mark.scenario
async def test_an_operator_sees_what_is_committed_and_what_is_open(stage: Stage, tmp_path: Path) -> None:
    """
    `offsets` tells committed, lag and mark of every partition, and from a running service what is open and why.
    """
    await stage.upload(40)
    async with QuickProvider.start(latency=300.0) as provider:  # longer than the commands take on any machine
        config = stage.config(provider.endpoint, provider={"max_in_flight": 2, "read_timeout": 300.0})
        async with Replica.started(tmp_path, config) as replica:
            await replica.until_metric("moderation_in_flight", at_least=2)
            await replica.until_metric("moderation_records_held", at_least=40)
            file = str(tmp_path / "replica.yaml")
            status, shown, _ = await command("offsets", "--config", file, "--url", replica.metrics_url)
            _, lines, _ = await command("offsets", "--config", file, "--url", replica.metrics_url, "--json")

    rows = [orjson.loads(line) for line in lines.splitlines()]
    assert status == 0
    assert "journal from" in shown
    assert len(rows) == PARTITIONS
    assert sum(row["lag"] for row in rows) == sum(row["open"] for row in rows) == 40
    assert {row["committed"] for row in rows} == {0}
    assert all(row["journal_from"] for row in rows)
    states = [each["state"] for row in rows for each in row["oldest"]]
    assert "judging" in states
    assert "waiting" in states


@pytest.mark.scenario
async def test_who_does_not_answer_is_named(stage: Stage, tmp_path: Path) -> None:
    """
    No broker, or no replica: one line says who, and where that was said; the status is 1.
    """
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump({**stage.config("http://127.0.0.1:1"), "policy": str(ROOT / "config/policy.yaml")}))

    replica_away = await command("offsets", "--config", str(file), "--url", "http://127.0.0.1:1")
    broker_away = await command("offsets", "--config", str(file), "--set", "kafka.bootstrap_servers=127.0.0.1:1")

    assert [replica_away[0], broker_away[0]] == [1, 1]
    assert "--url http://127.0.0.1:1" in replica_away[2].splitlines()[-1]
    assert "kafka.bootstrap_servers: 127.0.0.1:1: no connection" in broker_away[2].splitlines()[-1]
