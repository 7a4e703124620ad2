"""
What a decision costs: CPU for one image, by a policy of 50 rules and 20 overlays: `python -m bench.policy`.

Six findings an image. Which rules are about a label is remembered once it was met; for one that was not, all are looked
at. Times are of the process's CPU, the median of the rounds, whose parts alternate: what else the machine does falls on
all. Ends with status 1 where a bound does not hold.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, cycle, islice
from statistics import median
from typing import Any, NamedTuple

from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Assessment, Label, ModerationResult, Submission
from consumer.vendor_facts.aliyun import DEFAULT_SERVICE, LABELS, NOTHING_FOUND
from tests.rig.events import submission

RULES = 50
OVERLAYS = 20
FINDINGS = 6
NOW = 1_763_632_800.0  # unix seconds
LISTED = sorted(LABELS - {NOTHING_FOUND})
LEVELS = ("high", "medium", "low")


class Part(NamedTuple):
    """One kind of image, and what deciding about it may cost."""

    about: str
    assessments: Iterator[Assessment]
    most: float  # microseconds


def main() -> None:
    """Parse the command line, measure, and print a line for each part."""
    parser = argparse.ArgumentParser(prog="python -m bench.policy", description="CPU of deciding about an image")
    parser.add_argument("--images", type=int, default=5_000, help="decided about in a round, of each part")
    parser.add_argument("--rounds", type=int, default=15, help="after one that is not counted")
    options = parser.parse_args()
    parts = [
        Part(f"{FINDINGS} findings of labels that were met before", met_before(), 10.0),
        Part(f"{FINDINGS} findings of labels never met", never_met(), 60.0),
    ]
    costs = measure(parts, options.images, options.rounds)
    print(f"{RULES} rules, {OVERLAYS} overlays; {options.rounds} rounds of {options.images:,} images\n")
    print("| part | CPU of one image | fastest to slowest round | at most |\n|---|---|---|---|")
    for part, cost in zip(parts, costs, strict=True):
        spread = f"{min(cost):.1f} to {max(cost):.1f} µs"
        print(f"| {part.about} | {median(cost):.1f} µs | {spread} | {part.most:.0f} µs |")
    sys.exit(int(any(median(cost) > part.most for part, cost in zip(parts, costs, strict=True))))


def measure(parts: Sequence[Part], images: int, rounds: int) -> list[list[float]]:
    """Return microseconds of CPU for one image, by part and round."""
    deciders = [Deciding(Policy(settings=policy(), sha256="ab")) for _ in parts]  # each remembers its part's labels
    tenants = [replace(submission(), tenant=f"tenant-{number}") for number in range(OVERLAYS)]
    costs: list[list[float]] = [[] for _ in parts]
    for _ in range(rounds + 1):
        for part, deciding, cost in zip(parts, deciders, costs, strict=True):
            work = list(zip(cycle(tenants), islice(part.assessments, images), strict=False))
            cost.append(_seconds(deciding, work) / images * 1e6)
    return [cost[1:] for cost in costs]


def _seconds(deciding: Deciding, work: Sequence[tuple[Submission, Assessment]]) -> float:
    decide = deciding.decide
    began = time.process_time()
    for about, assessment in work:
        decide(about, assessment, NOW)
    return time.process_time() - began


def policy() -> PolicySettings:
    """Rules of every form, 50 for everybody, and for each tenant one more."""
    return PolicySettings.model_validate(
        {
            "policy": "bench",
            "version": 1,
            "rules": [_rule(f"base-{number}", number) for number in range(RULES)],
            "overlays": [
                {
                    "when": {"tenant": [f"tenant-{number}"]},
                    "strict_recall": True,
                    "rules": [_rule(f"own-{number}", number)],
                }
                for number in range(OVERLAYS)
            ],
        }
    )


def _rule(name: str, number: int) -> dict[str, Any]:
    label = LISTED[number * 7 % len(LISTED)]
    scenario = label.partition("_")[0]
    forms: list[dict[str, Any]] = [
        {"label": [label]},
        {"label": [f"{scenario}_*", "!*_lib", f"!{label}"], "level": ["high"]},
        {"label": [f"{scenario}_*_tii_lib", label], "confidence": {"gte": 80}},
        {"label": [f"*_{label[-4:]}"], "level": ["low", "medium"]},
    ]
    return {
        "id": name,
        "match": forms[number % len(forms)],
        "then": ("block", "review")[number % 2],
        "pin": number % 10 == 0,
        "why": {"owner": "bench", "reason": "bench", "expires": "2030-12-31" if number % 5 == 0 else None},
    }


def met_before() -> Iterator[Assessment]:
    """Images of listed labels, for ever; each tenant meets all of them in a round that is not counted."""
    yield from cycle([_assessment([*islice(cycle(LISTED), at, at + FINDINGS)]) for at in range(len(LISTED))])


def never_met() -> Iterator[Assessment]:
    """Images of labels of which none comes twice, for ever."""
    for number in count(step=FINDINGS):
        yield _assessment([f"{LISTED[at % len(LISTED)]}_{at}" for at in range(number, number + FINDINGS)])


def _assessment(labels: Sequence[str]) -> Assessment:
    found = tuple(Label(label, 60.0 + at * 7, LEVELS[at % len(LEVELS)]) for at, label in enumerate(labels))
    return Assessment(
        answers=(ModerationResult(service=DEFAULT_SERVICE, request_id="R", risk_level="high", labels=found),)
    )


if __name__ == "__main__":
    main()
