"""Explain what a policy makes of a published verdict's findings."""

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from consumer.errors import Misconfigured
from consumer.policy.effective import UNSEEN, Policies
from consumer.policy.explain import Explained, explained
from consumer.policy.schema import load_policy
from consumer.records import STRICTNESS, Coverage, Decision, Finding


def explain(policy_file: Path, verdict_file: Path) -> str:
    """
    Explain in words.

    Raises:
        Misconfigured: the policy cannot be read, or what is given is no verdict.
    """
    policy = load_policy(policy_file)
    verdict = _read(verdict_file)
    try:
        effective = Policies(policy.settings).of(verdict["tenant"], verdict["purpose"])
        now = datetime.fromisoformat(verdict["timing"]["decided"]).timestamp()
        found = [explained(effective, _finding(each), now) for each in verdict["findings"] if each["label"] != UNSEEN]
        unseen = verdict["coverage"] is not None and not _coverage(verdict["coverage"]).is_whole
        kind = verdict["error"] and verdict["error"]["class"]
        omitted = verdict["omitted"]
        decided = verdict["decision"]
        by = verdict["policy"]
        said = [f"decided: {decided}, by {by['id']} version {by['version']}{_same(by['sha256'], policy.sha256)}"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Misconfigured([f"{verdict_file}: is no verdict of moderation.verdict.v1: {error!r}"]) from error
    if omitted and not found:
        said.append("its findings were too large to be written: nothing can be explained")
    for each in found:
        said += ["", *_of_finding(each)]
    decisions = [each.decision for each in found]
    if unseen and effective.reviews_unseen:
        said += ["", "Not all of it was looked at → review by unseen_frames"]
        decisions.append(Decision.REVIEW)
    if kind:
        on_error = effective.on_error.get(kind, Decision.REVIEW)
        said += ["", f"A service could not answer ({kind}) → {on_error.value} by on_error.{kind}"]
        decisions.append(on_error)
    if decisions:
        said += ["", f"By {policy_file}, the strictest of these: {max(decisions, key=STRICTNESS.__getitem__).value}."]
    return "\n".join(said)


def _coverage(written: dict[str, Any]) -> Coverage:
    seen, frames = written["frames"]
    return Coverage(seen=seen, frames=frames, scaled=written["scaled"])


def _read(path: Path) -> Any:
    try:
        return orjson.loads(sys.stdin.buffer.read() if path == Path("-") else path.read_bytes())
    except OSError as error:
        raise Misconfigured([f"{path}: cannot be read: {error.strerror}"]) from error
    except orjson.JSONDecodeError as error:
        raise Misconfigured([f"{path}: is not JSON: {error}"]) from error


def _same(one: str, other: str) -> str:
    return ", which is this one" if one == other else "; this policy is another one"


def _finding(written: dict[str, Any]) -> Finding:
    return Finding(
        service=written["service"],
        label=written["label"],
        confidence=written["confidence"],
        level=written["level"],
        level_source="label",
    )


def _of_finding(each: Explained) -> Iterator[str]:
    finding = each.finding
    confidence = "" if finding.confidence is None else f", confidence {finding.confidence:g}"
    what = f"{finding.label} ({finding.service}): level {finding.level}{confidence}"
    yield f"{what} → {each.decision.value} by {each.rule}"
    decided = False
    for rule in each.looked_at:
        is_late = decided and not rule.is_pinned
        mark = "✗" if rule.why_not else "·" if is_late else "✓"
        pinned = ", pinned" if rule.is_pinned else ""
        why = rule.why_not or ("matches, and an earlier rule does" if is_late else "matches")
        decided = decided or rule.why_not is None
        yield f"    {mark} {rule.rule} (→ {rule.then.value}{pinned}): {why}"
