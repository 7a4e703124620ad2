"""
Switch one mechanism off and play a scenario that must fail then. One that passes shows nothing.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from bench.chaos.report import Check
from bench.chaos.scenarios.keys import keys
from bench.chaos.scenarios.kill import kill
from bench.chaos.scenarios.playing import Findings, Setting
from bench.chaos.scenarios.rebalances import storm


class Ablation(NamedTuple):
    """What is switched off, and what must fail then."""

    play: Callable[[Setting], Awaitable[Findings]]
    must_fail: str
    """The beginning of one of the scenario's checks."""

    changes: Mapping[str, Any] | None = None
    """Settings that switch it off; without them `bench.chaos.without` does."""


ABLATIONS: Mapping[str, Ablation] = {
    "journal": Ablation(kill, "verdict ids published twice"),
    "registry": Ablation(storm, "images billed more than once"),
    "committer": Ablation(kill, "images without outcome"),
    "key order": Ablation(keys, "verdicts that overtook", {"ordering": "none"}),
}


async def ablation(setting: Setting) -> Findings:
    """Play each in its short form, once."""
    checks, figures = [], {}
    for number, (name, off) in enumerate(ABLATIONS.items(), 1):
        program = ("consumer",) if off.changes else ("bench.chaos.without", name)
        played = replace(
            setting, full=False, runs=1, seed=setting.seed + 1_000 * number, program=program, changes=off.changes
        )
        found = await off.play(played)
        failed = [f"{check.what}: {check.seen}" for check in found.checks if not check.holds]
        noticed = any(text.startswith(off.must_fail) for text in failed)
        checks.append(
            Check(f"without {name}", "; ".join(failed) or "nothing failed", f"fails: {off.must_fail}", noticed)
        )
        figures[f"without {name}"] = dict(found.figures)
    return Findings(checks, figures)
