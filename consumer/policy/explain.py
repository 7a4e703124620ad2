"""
Why a policy decides as it does: every finding, every rule that was looked at, and why it matched or did not. Pure.
"""

import datetime
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from consumer.hits import Hits
from consumer.policy.effective import Effective
from consumer.policy.language import OVERALL
from consumer.policy.ready import RANK, Circumstances, Ready, Routed, libraries_of, value_of
from consumer.records import Decision, Finding


class Looked(NamedTuple):
    """One rule that was looked at: why it does not match, and why it does not count; None where it does."""

    rule: str
    then: Decision
    is_pinned: bool
    why_not: str | None
    why_held: str | None


class Explained(NamedTuple):
    """One finding, the rules in the order in which they are looked at, and what it led to."""

    finding: Finding
    looked_at: tuple[Looked, ...]
    routed: Routed


def explained(policy: Effective, finding: Finding, hits: Hits, image: Circumstances) -> Explained:
    """Explain one finding of an answer with these hits."""
    looked_at = tuple(
        Looked(each.id, each.then, each.is_pinned, _why_not(each, finding, hits, image), _why_held(each, image))
        for each in policy.rules
    )
    return Explained(finding, looked_at, policy.at(image.now).route(finding, hits, image))


def _why_held(rule: Ready, image: Circumstances) -> str | None:
    if rule.counts_for(image):
        return None
    if rule.in_shadow:
        return "in shadow"
    return f"rolled out to {rule.share:g} of images, not to this one" if rule.share else "rolled out to no image"


def _why_not(rule: Ready, finding: Finding, hits: Hits, image: Circumstances) -> str | None:
    return "; ".join(_reasons(rule, finding, hits, image)) or None


def _reasons(rule: Ready, finding: Finding, hits: Hits, image: Circumstances) -> Iterator[str]:
    if finding.label == OVERALL:
        yield "no rule is about a level which no label explains"
        return
    if not rule.is_about(finding.label):
        yield "it is about other labels"
    if not rule.is_by(finding.service):
        yield "it is about other services"
    if rule.levels and finding.level not in rule.levels:
        yield f"the level is {finding.level}, not {' or '.join(sorted(rule.levels, key=RANK.__getitem__))}"
    if finding.level not in RANK and rule.then is Decision.PASS:
        yield "the level is unknown, and no rule lets that pass"
    if not rule.any_confidence and not rule.has_in_range(finding.confidence):
        has = "there is no confidence" if finding.confidence is None else f"the confidence is {finding.confidence:g}"
        yield f"{has}, not {rule.low:g} or more and less than {rule.high:g}"
    if rule.libraries and rule.libraries.isdisjoint(met := libraries_of(finding.label, hits)):
        yield (
            f"the libraries that were met are {_all(met)}, not {_any(rule.libraries)}" if met else "no library was met"
        )
    if rule.figure and not hits.public_figures:
        yield "no person was recognised"
    if rule.logos and rule.logos.isdisjoint(hits.logo_names):
        others = f"the logos that were met are {_all(hits.logo_names)}, not {_any(rule.logos)}"
        yield others if hits.logo_names else "no logo was met"
    for name, values in rule.context.items():
        is_there = image.context.get(name)
        if value_of(is_there) not in values:
            yield f"context.{name} is {_shown(is_there)}, not {_any(_shown(each) for _, each in values)}"
    if image.now >= rule.until:
        last = datetime.datetime.fromtimestamp(rule.until, datetime.UTC).date() - datetime.timedelta(days=1)
        yield f"it expired on {last}"


def _all(names: Iterable[str]) -> str:
    return " and ".join(sorted(names))


def _any(names: Iterable[str]) -> str:
    return " or ".join(sorted(names))


def _shown(value: Any) -> str:
    """A value as JSON has it; a text without its quotes."""
    return value if isinstance(value, str) else "missing" if value is None else orjson.dumps(value).decode()
