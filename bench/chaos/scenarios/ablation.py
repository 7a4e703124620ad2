"""
Switch one mechanism off and play a scenario that must fail then. One that passes shows nothing.
"""

import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from pydantic import ValidationError

from bench.chaos.report import Check
from bench.chaos.scenarios.keys import keys
from bench.chaos.scenarios.kill import kill
from bench.chaos.scenarios.playing import Findings, NotYet, Setting
from bench.chaos.scenarios.rebalances import storm
from bench.chaos.scenarios.sigstop import sigstop
from consumer.config import Config


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
    "committer": Ablation(sigstop, "committed offsets that went back"),
    "key order": Ablation(keys, "verdicts that overtook", {"ordering": "none"}),
}


async def ablation(setting: Setting) -> Findings:
    """Play each in its short form, once."""
    checks, figures, missing = [], {}, []
    for name, off in ABLATIONS.items():
        try:
            program = _program(name, off)
        except NotYet as reason:
            missing.append(str(reason))
            continue
        played = replace(setting, full=False, runs=1, seed=setting.seed + 1_000, program=program, changes=off.changes)
        found = await off.play(played)
        failed = [f"{check.what}: {check.seen}" for check in found.checks if not check.holds]
        noticed = any(text.startswith(off.must_fail) for text in failed)
        checks.append(
            Check(f"without {name}", "; ".join(failed) or "nothing failed", f"fails: {off.must_fail}", noticed)
        )
        figures[f"without {name}"] = dict(found.figures)
    if missing:
        checks.append(Check("mechanisms that could not be switched off", "; ".join(missing), "none", holds=False))
    return Findings(checks, figures)


def _program(name: str, off: Ablation) -> tuple[str, ...]:
    """Return what to start, once it is known that it starts. Raises `NotYet`."""
    if off.changes is not None:
        try:
            Config.model_validate({**off.changes})
        except ValidationError as error:
            raise NotYet(
                f"{name}: {error.errors()[0]['msg']} ({'.'.join(map(str, error.errors()[0]['loc']))})"
            ) from None
        return ("consumer",)
    tried = subprocess.run(
        [sys.executable, "-m", "bench.chaos.without", name, "--help"], capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        raise NotYet(tried.stderr.strip().splitlines()[-1])
    return ("bench.chaos.without", name)
