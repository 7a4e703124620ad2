"""Explain what a policy makes of a published verdict's findings."""

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from consumer.errors import Misconfigured
from consumer.policy.decide import tried
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
        identity = str(verdict.get("identity") or "")  # releases before it, and minimal verdicts, have none
        findings = [_finding(each) for each in verdict["findings"] if each["label"] != UNSEEN]
        found = [explained(effective, each, now, identity) for each in findings]
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
    if not identity and any(0 < rule.share < 1 for rule in effective.rules):
        said.append("it has no identity, so that no rollout is taken to have this image")
    for each in found:
        said += ["", *_of_finding(each)]
    decisions, others = [each.routed.decision for each in found], []
    if unseen and effective.reviews_unseen:
        said += ["", "Not all of it was looked at → review by unseen_frames"]
        others.append(Decision.REVIEW)
    if kind:
        on_error = effective.on_error.get(kind, Decision.REVIEW)
        said += ["", f"A service could not answer ({kind}) → {on_error.value} by on_error.{kind}"]
        others.append(on_error)
    if not decisions and not others:
        return "\n".join(said)
    strictest = max([*decisions, *others], key=STRICTNESS.__getitem__)
    said += ["", f"By {policy_file}, the strictest of these: {strictest.value}."]
    if trial := tried([each.routed for each in found], strictest, others):
        said.append(
            f"Did the rules count that are in shadow, or in a rollout: {trial.decision.value}, by {_and(trial.rules)}."
        )
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


def _and(names: Sequence[str]) -> str:
    return " and ".join(names)


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
    yield f"{what} → {each.routed.decision.value} by {each.routed.rule}"
    decided = False
    for rule in each.looked_at:
        is_late = decided and not rule.is_pinned
        mark = "✗" if rule.why_not else "·" if is_late or rule.why_held else "✓"
        ways = [*(["pinned"] if rule.is_pinned else []), *([rule.why_held] if rule.why_held else [])]
        why = rule.why_not or ("matches, and an earlier rule does" if is_late else "matches")
        if rule.why_held and not (rule.why_not or is_late):
            why = "matches, and decides nothing"
        decided = decided or not (rule.why_not or rule.why_held)
        yield f"    {mark} {rule.rule} ({', '.join([f'→ {rule.then.value}', *ways])}): {why}"
    if each.routed.tried:
        yield f"    did every rule count: {each.routed.tried.decision.value} by {each.routed.tried.rule}"
