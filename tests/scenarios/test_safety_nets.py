"""What looks after the policy while the service runs: blocks that become reviews while far too much is blocked."""

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumer.emulator import Fault
from tests.rig.emulated import BUCKET, KEY, REGION, emulated
from tests.rig.events import upload
from tests.rig.kafka import NewRecord, publish
from tests.rig.replica import Replica
from tests.rig.stage import Stage

WINDOW = 12.0  # seconds
LEAST = 50
ROUND = 100  # images
RULES = [
    {"match": {"object": object_name}, "labels": [{"label": label, "confidence": 95.0, "risk_level": "high"}]}
    for object_name, label in (("bad", "violent_bloody"), ("known", "violent_terror_lib"))
]
POLICY = {
    "policy": "nets", "version": 1,
    "rules": [{"id": "terror", "match": {"label": ["violent_terror_lib"]}, "then": "block", "pin": True}],
}  # fmt: skip


async def upload_round(stage: Stage, name: str, images: Sequence[str]) -> None:
    """An upload of each image, for a subject of its own."""
    events = []
    for number, key in enumerate(images):
        image = {"id": "0", "ref": {"store": "oss", "bucket": BUCKET, "key": key, "region": REGION}}
        value = upload(f"{name}-{number}", images=[image], subject=f"{name}/{number}")
        events.append(NewRecord(value, key=f"{name}|{number}".encode()))
    await publish(stage.kafka.bootstrap_servers, stage.uploads, events)


def mixed(bad: int, known: int) -> list[str]:
    """A round with so many bad ones among it, spread evenly, and at its end so many that a pinned rule knows."""
    spread = ["bad" if n * bad // ROUND != (n + 1) * bad // ROUND else "good" for n in range(ROUND)]
    return [*spread, *["known"] * known]


def summary(outcomes: dict[str, list[dict[str, Any]]], name: str) -> Counter[tuple[str, str, str]]:
    """How the images of a round were decided, by which and by what."""
    return Counter(
        (verdict["image"]["ref"]["key"], decision, verdict["decided_by"])
        for decision in ("block", "review", "pass")
        for verdict in outcomes[decision]
        if verdict["event"]["id"].startswith(f"{name}-")
    )


@pytest.mark.scenario
async def test_blocks_are_reviews_while_two_fifths_of_all_is_blocked(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    On a normal day a few are blocked, and stays so. When it suddenly is two fifths, blocks become reviews that say so,
    but for those that a pinned rule asks for; when the window has passed, what is bad is blocked again.
    """
    (tmp_path / "nets.policy.yaml").write_text(yaml.safe_dump(POLICY))
    changes: dict[str, Any] = {"breaker_of_blocks": {"share": 0.15, "least": LEAST, "window": WINDOW}}
    async with emulated(["good", "bad", "known"], latency=0.02, rules=RULES) as emulator:
        config = {**stage.config(emulator.url, quota={"qps": 200}, **changes), "policy": "nets.policy.yaml"}
        async with Replica.started(tmp_path, config, environment=KEY) as replica:
            await upload_round(stage, "before", mixed(bad=4, known=0))
            await stage.until(lambda ids: len(ids) >= ROUND)
            quiet = await replica.readiness()
            await upload_round(stage, "sudden", mixed(bad=40, known=0))
            await stage.until(lambda ids: len(ids) >= 2 * ROUND)
            await replica.until(lambda _, said: "breaker_of_blocks: " in said)
            opened = time.monotonic()
            await upload_round(stage, "during", mixed(bad=40, known=3))
            await stage.until(lambda ids: len(ids) >= 3 * ROUND + 3)
            tripped = await replica.readiness()
            shown = await replica.metric("moderation_breaker_of_blocks_open")
            await replica.until(lambda status, said: status == 200 and "breaker_of_blocks: " not in said)
            lasted = time.monotonic() - opened
            await upload_round(stage, "after", mixed(bad=4, known=1))
            await stage.until(lambda ids: len(ids) >= 4 * ROUND + 4)
        log = replica.log.read_text()
    outcomes = await stage.outcomes()
    before, sudden, during, after = (summary(outcomes, name) for name in ("before", "sudden", "during", "after"))
    with capsys.disabled():
        print(f"\n  before {dict(before)}\n  sudden {dict(sudden)}\n  during {dict(during)}\n  after {dict(after)}")
        print(f"  open for {lasted:.1f} s")

    assert before == {("bad", "block", "policy"): 4, ("good", "pass", "policy"): 96}
    assert sudden["bad", "block", "policy"] + sudden["bad", "review", "breaker"] == 40
    assert sudden["bad", "review", "breaker"] > 0
    assert during == {
        ("bad", "review", "breaker"): 40, ("good", "pass", "policy"): 60, ("known", "block", "policy"): 3,
    }  # fmt: skip
    assert after == {("bad", "block", "policy"): 4, ("good", "pass", "policy"): 96, ("known", "block", "policy"): 1}
    held_back = [each for each in outcomes["review"] if each["decided_by"] == "breaker"]
    assert {(each["risk_level"], each["reasons"][0]["rule"]) for each in held_back} == {("high", "default:high")}
    assert (quiet, tripped[0], shown) == ((200, "ok\n"), 200, 1.0)
    assert (log.count("blocks.held_back"), log.count("blocks.let_through")) == (1, 1)


INTERVAL = 2.0  # seconds
SLACK = 3.0  # for a slow machine
CANARIES = [
    {"name": name, "expect": expect, "object": {"bucket": BUCKET, "key": key, "region": REGION}}
    for name, expect, key in (("blood", "flagged", "bad"), ("sky", "clean", "good"))
]


@pytest.mark.scenario
async def test_an_account_whose_items_are_off_is_noticed_within_an_interval(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    All is answered as harmless, and only the image that is known to be bad shows it: readiness, metric and log say so.
    Uploads go on meanwhile; the canaries' calls are billed, and no verdict is published about them.
    """
    async with emulated(["good", "bad"], latency=0.02, rules=RULES) as emulator:
        canaries = {"interval": INTERVAL, "images": CANARIES}
        config = stage.config(emulator.url, quota={"qps": 20}, canaries=canaries)
        async with Replica.started(tmp_path, config, environment=KEY) as replica:
            await replica.until_metric("moderation_canaries_total", at_least=2)
            quiet = await replica.readiness()
            emulator.faults.add(Fault.model_validate({"what": {"items_off": True}}))
            began = time.monotonic()
            await upload_round(stage, "off", ["bad"] * 20)
            await replica.until(lambda _, said: "canaries: blood is known to be bad" in said)
            noticed = time.monotonic() - began
            missed = await replica.metric("moderation_canaries_wrong", result="missed")
            status = (await replica.readiness())[0]
            emulator.faults.replace([])
            await replica.until(lambda _, said: "canaries: " not in said)
            await stage.until(lambda ids: len(ids) >= 20)
            replica.terminate()
            ended = await replica.ended()
            log = replica.log.read_text()
    outcomes = await stage.outcomes()
    calls = Counter(call.data_id for call in emulator.calls if (call.data_id or "").startswith("canary-"))
    with capsys.disabled():
        print(f"\n  noticed after {noticed:.1f} s of an interval of {INTERVAL:.0f} s; calls {dict(calls)}")

    assert (quiet, missed, status, ended) == ((200, "ok\n"), 1.0, 200, 0)
    assert noticed < INTERVAL + SLACK
    assert {name: len(found) for name, found in outcomes.items()} == {
        "pass": 20, "review": 0, "block": 0, "dead_letter": 0,
    }  # fmt: skip
    assert emulator.stats()["billed"] == 20 + calls["canary-blood"] + calls["canary-sky"]
    assert abs(calls["canary-blood"] - calls["canary-sky"]) <= 1
    assert (log.count("canary.missed"), log.count("canary.as_expected"), log.count("canary.flagged")) == (1, 1, 0)
