"""Policies nobody has thought of, against one who reads YAML and JSON without the service's code."""

from pathlib import Path

from consumer.policy.schema import OnError
from tests.rig.policy_cases.cases import FAILURES
from tests.rig.policy_cases.play import play

SEED = 7
POLICIES = 150
IMAGES = 14


def test_it_decides_and_refuses_as_one_who_reads_the_files(tmp_path: Path) -> None:
    """
    Each sound policy asks, decides, names its reasons, its floor and what is in shadow as an oracle does; each broken
    one is refused by the service, and called broken by lint, for a reason that the oracle has. `python -m
    bench.policies` plays 20,000.
    """
    report = play(SEED, range(POLICIES), IMAGES, tmp_path)

    assert not report.problems, "\n".join(report.problems)
    assert report.policies == POLICIES
    assert report.images >= 1_000
    assert min(report.decisions[each] for each in ("pass", "review", "block")) >= 100
    assert min(report.by_rules, report.floors, report.trials, report.refused.total()) >= 30


def test_the_oracle_knows_every_kind_of_failure() -> None:
    """
    It reads without the service's code, so a kind that is new must be told to it: else no case would have it.
    """
    assert list(OnError.model_fields) == FAILURES
