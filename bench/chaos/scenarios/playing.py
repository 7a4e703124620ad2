"""
What every scenario is given and gives back, and the checks that most of them share.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bench.chaos import compare
from bench.chaos.compare import Evidence
from bench.chaos.crew import SERVICE
from bench.chaos.nets import Nets
from bench.chaos.report import Check, at_most, none_of
from bench.chaos.stage import Script, Stage
from tests.rig.kafka import KafkaCluster
from tests.rig.windows import busiest_window


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a scenario is played with."""

    kafka: KafkaCluster
    seed: int
    full: bool
    runs: int | None = None
    """How often, where a scenario repeats itself; its own number where None."""

    program: Sequence[str] = SERVICE
    changes: Mapping[str, Any] | None = None
    """Settings of the service that differ from the usual."""

    nets: Nets = field(default_factory=Nets)
    """The service's safety nets: in which runs they are on."""

    def script(self, **more: Any) -> Script:
        """Return a script for this setting, with `more` of a script's members."""
        return Script(program=self.program, nets=self.nets, **{"changes": self.changes, **more})


class Findings(NamedTuple):
    """What a scenario found: what is judged, and what is told beside it."""

    checks: Sequence[Check]
    figures: Mapping[str, Any]


class NotYet(Exception):
    """The scenario needs something that is not there; the message says what."""


async def within_quota(stage: Stage, evidence: Evidence) -> Check:
    """
    Check that no sliding second held more calls than the account's quota.

    The provider stamps a call when it gets to it: stamps are late by its worst lag at the most, so a second is shorter
    by that.
    """
    lag = (await stage.provider.stats())["worst_lag"]
    busiest = busiest_window([call.at for call in evidence.arrivals], max(0.5, 1.0 - lag))
    return at_most(f"calls in the worst sliding second, less {lag * 1000:.0f} ms of lag", busiest, stage.script.quota)


def nothing_lost_or_repeated(evidence: Evidence, finished: bool) -> list[Check]:
    """Check what holds whatever breaks, but for what a kill has in flight."""
    return [
        *nothing_lost(evidence, finished),
        none_of("verdict ids published twice", compare.published_twice(evidence.outcomes)),
        none_of("provisional verdict ids published twice", compare.published_twice(evidence.provisional)),
        none_of("images billed more than once", compare.billed_twice(evidence.calls)),
    ]


def nothing_lost(evidence: Evidence, finished: bool) -> list[Check]:
    """Check that all was done, and in time."""
    return [
        Check("all uploads committed in time", "yes" if finished else "no", "yes", finished),
        none_of("images without outcome", compare.lost(evidence)),
        none_of("dead letters", evidence.dead_letters),
    ]


def exits(stage: Stage) -> list[Check]:
    """Check that every replica stayed until it was asked to go, and ended with status 0."""
    fallen = stage.crew.fallen
    return [
        none_of("replicas that ended with another status than 0", sum(map(bool, stage.crew.statuses))),
        Check("replicas that ended before they were asked to", "\n".join(fallen) or "none", "none", not fallen),
    ]


def stall(evidence: Evidence, allowed: float) -> Check:
    """Check the longest time without a call while work was waiting."""
    return at_most(
        "longest stall, seconds", compare.longest_stall(evidence.calls, evidence.uploads).seconds, allowed, " s"
    )


async def told(stage: Stage) -> dict[str, float]:
    """Return what the replicas that are there say of themselves, 0 where they have no such metric: never judged."""
    names = ("moderation_journal_saved_total", "moderation_paid_in_vain_total", "moderation_commit_failures_total")
    return {name: await stage.crew.metric(name) for name in names}
