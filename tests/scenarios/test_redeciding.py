"""`policy redecide` beside the service: killed and repeated, to another policy and back, a person in between."""

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.docs.test_order import function
from tests.rig.events import upload
from tests.rig.kafka import NewRecord, publish
from tests.rig.quick_provider.process import QuickProvider
from tests.rig.quick_provider.script import RiskLevel
from tests.rig.replica import ROOT, Replica, surroundings
from tests.rig.stage import Stage
from tests.scenarios.test_forgery import identity

EVENTS = 60
MORE = 4
A = ROOT / "config" / "policy.yaml"
B = "policy: b\nversion: 2\nroute: {high: review}\n"
SLOW = "/0.jpg"  # holds the commits of its partition: what lies behind it is left to the journal
MILD = [f"/{number}.jpg" for number in range(1, EVENTS, 10)]


async def run(
    config: Path, candidate: Path, *options: str, kill_after: int | None = None
) -> Sequence[Mapping[str, Any]]:
    """Run the command as an operator does, and return what it tells; kill it (SIGKILL) after so many lines."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "consumer", "policy", "redecide", str(candidate), "--config", str(config)),
        *("--apply", "--json", *options),
        cwd=ROOT,
        env=surroundings(),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    told = []
    while line := await process.stdout.readline():
        told.append(orjson.loads(line))
        if len(told) == kill_after:
            process.kill()
    assert await process.wait() == (0 if kill_after is None else -9)
    return told


async def person(stage: Stage, about: Mapping[str, Any], decision: str) -> None:
    """Publish what a person decides about a verdict."""
    said = {
        **about, "decision": decision, "decided_by": "human", "cause": "human", "sequence": about["sequence"] + 1,
        "supersedes": about["verdict_id"], "verdict_id": "e" * 32,
    }  # fmt: skip
    await publish(stage.kafka.bootstrap_servers, stage.outputs[decision], [NewRecord(orjson.dumps(said))])


async def verdicts(stage: Stage) -> Sequence[dict[str, Any]]:
    outcomes = await stage.outcomes()
    return [each for name in ("block", "review", "pass") for each in outcomes[name]]


def what_counts(arrived: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By event: what a subscriber makes of verdicts, in this order."""
    page: dict[str, Any] = {}
    exec(function("python"), page)
    return {each["event"]["id"]: page["counts"](each) for each in arrived}


@pytest.mark.scenario
async def test_each_flip_is_published_once_whatever_ends_a_run(stage: Stage, tmp_path: Path) -> None:
    """
    Killed in the middle and repeated; to B and back to A. A person's word in between counts for every subscriber, the
    provider is not called, and the service, killed before it has committed all and started again afterwards, takes
    nothing of it for its own and pays again for nothing but what was in flight.
    """
    candidate = tmp_path / "b.yaml"
    candidate.write_text(B)
    await publish_uploads(stage, range(EVENTS))
    mild: dict[str, RiskLevel] = dict.fromkeys(MILD, "low")
    async with QuickProvider.start(latency=0.02, latencies={SLOW: 6.0}, verdict="high", verdicts=mild) as provider:
        config = stage.config(provider.endpoint, identity=identity(tmp_path), kafka={"commit_interval": 2.0})
        file = tmp_path / "before.yaml"
        async with Replica.started(tmp_path, config, name="before") as replica:
            await stage.until(lambda ids: len(ids) >= EVENTS - 1)
            replica.kill()
            await replica.ended()
        asked = len(await provider.arrivals())

        killed = await run(file, candidate, "--rate", "20", kill_after=10)
        first = {each["event"]["id"]: each for each in await verdicts(stage) if each["sequence"] == 1}
        flipped = {each["supersedes"] for each in await verdicts(stage) if "supersedes" in each}
        waiting = next(
            each for each in first.values() if each["decision"] == "block" and each["verdict_id"] not in flipped
        )
        await person(stage, waiting, "pass")
        policies = [candidate, candidate, A, A]
        to_b, again, to_a, twice = [(await run(file, each, "--rate", "1000"))[-1] for each in policies]
        stood = await verdicts(stage)
        async with Replica.started(tmp_path, config, name="after") as replica:
            await publish_uploads(stage, range(EVENTS, EVENTS + MORE))
            await stage.until(lambda ids: len(ids) >= len(stood) + 1 + MORE)
            saved = await replica.metric("moderation_journal_saved_total")
            doubted = await replica.metric("moderation_outcomes_not_believed_total")
        calls = [arrival.data_id for arrival in await provider.arrivals()]

    flips = EVENTS - 1 - len(MILD)
    assert 10 <= len(killed) <= len(flipped) < flips
    assert (len(flipped) + to_b["published"], to_b["for_people"]) == (flips - 1, {"person": 1})
    assert (again["published"], to_a["published"], twice["published"]) == (0, flips - 1, 0)
    ids = Counter(each["verdict_id"] for each in stood)
    assert max(ids.values()) == 1
    for seed in range(5):
        random.Random(seed).shuffle(shuffled := list(stood))
        counting = what_counts(shuffled)
        last = {each["event"]["id"]: counting[each["event"]["id"]] for each in stood}
        assert last[waiting["event"]["id"]]["decided_by"] == "human"
        others = [each for event, each in last.items() if event != waiting["event"]["id"]]
        assert Counter(each["decision"] for each in others) == {"block": flips - 1, "pass": len(MILD)}
        assert {each["policy"]["id"] for each in others} == {"default"}
    assert saved > 0
    assert doubted == 0
    assert asked == EVENTS
    assert Counter(calls).most_common(2)[0][1] == 2  # the one that was in flight, and no other
    assert (len(calls), len(set(calls))) == (EVENTS + 1 + MORE, EVENTS + MORE)


async def publish_uploads(stage: Stage, numbers: range) -> None:
    """One image each, of a subject and a key of its own."""
    records = [
        NewRecord(upload(f"event-{n}", f"https://img.example.com/{n}.jpg", subject=f"u_{n}"), key=f"u_{n}".encode())
        for n in numbers
    ]
    await publish(stage.kafka.bootstrap_servers, stage.uploads, records)
