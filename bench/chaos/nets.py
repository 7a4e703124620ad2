"""
All safety nets at once, set so tight that each has something to do in a run of seconds; and what each was seen to do.

The policy decides otherwise every few seconds, by what a mounted configuration map holds: for three tenths of the
images that nothing is found in, or for a twentieth, it blocks. The breaker of blocks makes reviews of those, and opens
and closes as the policies take turns.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from bench.chaos.report import Check, at_least
from tests.rig.config_maps import ConfigMap
from tests.rig.quick_provider.log import Arrival
from tests.rig.quick_provider.script import RiskLevel

TURN = 3.0  # seconds between two policies
CANARY = "canary-"
"""How the data ids of canaries' calls begin."""

VERDICTS: Mapping[str, RiskLevel] = {"/canary/bad": "high", "/canary/good": "none"}
"""What the stand-in answers about the canaries."""

_FIRST_VERSION = 1
_TESTS = [{"name": "nothing found", "answer": {"RiskLevel": "none", "Result": [{"Label": "nonLabel"}]},
           "decision": "pass"}]  # fmt: skip
_POLICY, _SHADOW, _FIXTURES = "policy.yaml", "candidate.yaml", "policy.tests.yaml"
_SEEN = {
    "policies": "policies that decided in one run",
    "rollout": "images blocked by a rollout",
    "breaker": "blocks that became reviews",
    "shadow": "verdicts that shadow would have changed",
    "provisional": "provisional verdicts",
    "canaries": "calls about canaries",
}


class Mode(StrEnum):
    """In which runs they are on."""

    ODD = "odd"
    """Where the seed is odd, so that runs with and without them take turns."""

    ON = "on"
    OFF = "off"


class Nets:
    """Says in which runs all nets are on, and remembers what they did in all of these."""

    def __init__(self, mode: Mode = Mode.OFF) -> None:
        self._mode = mode
        self._seen: Counter[str] = Counter()
        self.runs = 0
        """Whose evidence was read, with all of them on."""

    def are_on(self, seed: int) -> bool:
        """Return whether they are on in a run of that seed."""
        return self._mode is Mode.ON or (self._mode is Mode.ODD and seed % 2 == 1)

    def add(self, seen: Mapping[str, int]) -> None:
        """Remember what was seen in a run."""
        self.runs += 1
        policies = max(self._seen["policies"], seen["policies"])
        self._seen.update(seen)
        self._seen["policies"] = policies

    def figures(self) -> dict[str, int]:
        """Return what each did; of policies the most of a run."""
        return {what: self._seen[name] for name, what in _SEEN.items()}

    def checks(self) -> list[Check]:
        """Check that each had something to do: one that had not shows nothing."""
        return [at_least(what, self._seen[name], 2 if name == "policies" else 1) for name, what in _SEEN.items()]


def changes(mounted: Path) -> dict[str, Any]:
    """Return the settings that switch all of them on; the policy's files are in the folder `mounted`."""
    images = [
        {"name": name, "expect": expect, "url": f"https://img.example.com/canary/{name}.jpg"}
        for name, expect in (("bad", "flagged"), ("good", "clean"))
    ]
    policy = {
        "file": str(mounted / _POLICY), "shadow": str(mounted / _SHADOW), "tests": str(mounted / _FIXTURES),
        "reload": 1,
    }  # fmt: skip
    return {
        "policy": policy,
        "breaker_of_blocks": {"share": 0.15, "window": 4.0, "least": 20},
        "canaries": {"interval": 1, "images": images},
        "deadline": {"default": "1s", "per_minute": 6_000},
    }


@contextlib.asynccontextmanager
async def reloading(mounted: Path) -> AsyncIterator[None]:
    """Have a policy in that folder, and another every few seconds, while the context lasts."""
    versions, config_map = count(_FIRST_VERSION), ConfigMap(mounted)
    _put(config_map, next(versions))

    async def go_on() -> None:
        while True:
            await asyncio.sleep(TURN)
            _put(config_map, next(versions))

    task = asyncio.create_task(go_on(), name="policies")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()):
            raise error


def _put(mounted: ConfigMap, version: int) -> None:
    files = {
        _POLICY: _policy(version),
        _SHADOW: {"policy": "candidate", "version": version, "route": {"none": "review"}},
        _FIXTURES: _TESTS,
    }
    mounted.put(**{name.replace(".", "_"): orjson.dumps(content).decode() for name, content in files.items()})


def _policy(version: int) -> dict[str, Any]:
    nothing = {"label": ["nonLabel"]}
    return {
        "policy": "chaos",
        "version": version,
        "rules": [
            {"id": "known", "match": {"label": ["pornographic_adultContent"], "level": ["high"]}, "then": "block",
             "pin": True},
            {"id": "rolled-out", "match": nothing, "then": "block", "rollout": 0.3 if version % 2 else 0.05},
            {"id": "watched", "match": nothing, "then": "review", "mode": "shadow"},
        ],
    }  # fmt: skip


def seen_in(verdicts: Iterable[Mapping[str, Any]], calls: Iterable[Arrival]) -> dict[str, int]:
    """Return what each net did, by these verdicts (parsed, the provisional ones among them) and the provider's log."""
    seen, policies = Counter[str](), set()
    for verdict in verdicts:
        seen["provisional"] += verdict["provisional"]
        seen["breaker"] += verdict["decided_by"] == "breaker"
        seen["shadow"] += "shadow" in verdict
        seen["rollout"] += any(reason["rule"] == "rolled-out" for reason in verdict["reasons"])
        policies.add(verdict["policy"]["version"])
    seen["policies"] = len(policies)
    seen["canaries"] = sum(call.data_id.startswith(CANARY) for call in calls)
    return {name: seen[name] for name in _SEEN}
