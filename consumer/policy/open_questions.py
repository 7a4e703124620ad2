"""
Which conditions of rules a verdict leaves open: what was not asked for then, or not kept. Pure.

A rule is looked at as it would be at the time; where it hangs on something that is not known, so does what the finding
leads to, unless a rule before it decides.
"""

from collections.abc import Iterator
from typing import NamedTuple

from consumer.hits import Hits
from consumer.policy.effective import Effective
from consumer.policy.ready import NEVER_MATCHED, Circumstances, Ready, libraries_of
from consumer.records import Finding
from consumer.vendor_facts.aliyun import ALLOWLISTED, LIBRARY, TEXT_LIBRARY


class Told(NamedTuple):
    """How much a verdict says beside its findings."""

    info: frozenset[str]  # that was asked for, and is told by service
    names_logos: bool  # whether the logos that were met have their names
    kept: frozenset[str]  # members of the context: another may have been there


def open_question(policy: Effective, finding: Finding, hits: Hits, image: Circumstances, told: Told) -> str | None:
    """Return what is not known and decides about a finding, as `info.…` or `context.…`; None where all is known."""
    if finding.label in NEVER_MATCHED or all(rule.always for rule in policy.rules):
        return None
    decided = False
    for rule in _looked_at(policy, finding, image):
        if decided and not rule.is_pinned:
            continue
        answers = list(_conditions(rule, finding.label, hits, image, told))
        if False in answers:
            continue
        if unknown := [each for each in answers if isinstance(each, str)]:
            return unknown[0]
        decided = True
    return None


def _looked_at(policy: Effective, finding: Finding, image: Circumstances) -> Iterator[Ready]:
    """The rules that match, and count, if their conditions hold."""
    for place in policy.index.about(finding.label):
        rule = policy.rules[place]
        if (
            rule.may_match(finding.service, finding.level)
            and image.now < rule.until
            and (rule.any_confidence or rule.has_in_range(finding.confidence))
            and rule.counts_for(image)
        ):
            yield rule


def _conditions(rule: Ready, label: str, hits: Hits, image: Circumstances, told: Told) -> Iterator[bool | str]:
    """Whether each condition holds, or what is not known."""
    complete = hits.left_out == 0
    if rule.libraries:
        needed = "textInImage" if label.endswith(TEXT_LIBRARY) else "customImage"
        met = not rule.libraries.isdisjoint(libraries_of(label, hits))
        can_have = label.endswith(LIBRARY) and label != ALLOWLISTED
        yield met or _unless(can_have, needed in told.info and complete, f"info.{needed}")
    if rule.figure:
        met = hits.public_figures > 0
        yield met or _unless(True, "publicFigure" in told.info and complete, "info.publicFigure")
    if rule.logos:
        met = not rule.logos.isdisjoint(hits.logo_names)
        yield met or _unless(True, "logoData" in told.info and told.names_logos and complete, "info.logoData")
    for name in rule.context:
        if name not in told.kept:
            yield f"context.{name}"
    if rule.context and rule.context.keys() <= told.kept:
        yield rule.is_in(image.context)


def _unless(may_be: bool, is_known: bool, what: str) -> bool | str:
    """False where it is known not to hold, or cannot; else what is not known."""
    return what if may_be and not is_known else False
