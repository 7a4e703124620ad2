"""
Lists of decisions that are written by hand have each decision: what leaves one out would leave out its images.

`docs/architecture.md`, "A decision", says what else another one needs.
"""

from collections.abc import Collection, Iterator
from typing import get_args

import pytest

from consumer.commands.policy.backtesting.page import CHANGES
from consumer.commands.policy.backtesting.text import BECOMES
from consumer.commands.scan.options import FailOn
from consumer.commands.scan.progress import STYLES
from consumer.config.kafka import OutputTopics
from consumer.demo.outcomes import Place
from consumer.policy.language import Outcome, Unjudged
from consumer.records import DECISIONS, STRICTNESS, Decision
from tests.rig.policy_cases.cases import OUTCOMES
from tests.rig.replica import ROOT

MILDEST, *STRICTER = DECISIONS
NO_DECISIONS = {Place.DEAD_LETTER, Place.IGNORED}


@pytest.mark.parametrize(
    ("listed", "wanted"),
    [
        (DECISIONS, list(Decision)),
        (get_args(Outcome), DECISIONS),
        (OutputTopics().by_decision, DECISIONS),
        (STYLES, DECISIONS),
        (BECOMES, DECISIONS),
        (CHANGES, DECISIONS),
        (list(FailOn), STRICTER),
        ([each for each in Place if each not in NO_DECISIONS], DECISIONS),
        (OUTCOMES, DECISIONS),
    ],
    ids=[
        "order", "policy", "topics", "colours", "words of a backtest", "cards of a backtest", "scan --fail-on", "demo",
        "oracle",
    ],
)  # fmt: skip
def test_a_list_of_decisions_has_each_of_them(listed: Collection[str], wanted: Collection[str]) -> None:
    """
    Once, and nothing else. `--fail-on` lacks the mildest alone, which every image has at least.
    """
    assert sorted(map(str, listed)) == sorted(map(str, wanted))


def test_the_oracle_has_the_same_order() -> None:
    """
    From the mildest to the strictest.
    """
    assert [Decision(each) for each in OUTCOMES] == sorted(Decision, key=STRICTNESS.__getitem__)


def test_what_could_not_be_judged_is_never_passed() -> None:
    """
    Whatever decisions there are.
    """
    assert set(get_args(Unjudged)) <= set(STRICTER)


def styles() -> Iterator[tuple[str, str]]:
    """What the pages need of each decision, by the file that must have it."""
    for decision in DECISIONS:
        yield "page.css", f"--{decision}:"
        yield "policy/backtesting/page.html", f".{decision} {{ color: var(--{decision})"
        yield "policy/backtesting/page.html", f".to-{decision} {{ fill: var(--{decision})"
        yield "scan/page.html", f".card.{decision} {{ border-top-color: var(--{decision})"
        yield "scan/page.html", f".{decision} .decision, .choice.{decision} b {{ color: var(--{decision})"


@pytest.mark.parametrize(("file", "rule"), list(styles()), ids=lambda each: each)
def test_the_pages_have_a_colour_for_each_decision(file: str, rule: str) -> None:
    """
    In light and dark, on cards, in plots and in texts: what has none cannot be told from its surroundings.
    """
    times = 2 if rule.startswith("--") else 1

    assert (ROOT / "consumer" / "commands" / file).read_text("utf-8").count(rule) == times
