"""Explain what a policy makes of a published verdict's findings."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from consumer.errors import Misconfigured
from consumer.hits import NOTHING_MET, Hits
from consumer.policy.decide import tried
from consumer.policy.effective import Effective, Policies
from consumer.policy.explain import Explained, explained
from consumer.policy.ready import UNSEEN, Circumstances
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
        context, hits_of = verdict.get("context") or {}, _hits_of(verdict.get("hits") or {})
        image = Circumstances(now, lambda: identity, lambda: context)
        findings = [_finding(each) for each in verdict["findings"] if each["label"] != UNSEEN]
        found = [explained(effective, each, hits_of(each), image) for each in findings]
        said_less = list(_not_known(verdict, effective))
        unseen = verdict["coverage"] is not None and not _coverage(verdict["coverage"]).is_whole
        kind = verdict["error"] and verdict["error"]["class"]
        omitted = verdict["omitted"]
        decided, by_breaker = verdict["decision"], verdict.get("decided_by") == "breaker"
        by = verdict["policy"]
        said = [f"decided: {decided}, by {by['id']} version {by['version']}{_same(by['sha256'], policy.sha256)}"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Misconfigured([f"{verdict_file}: is no verdict of moderation.verdict.v1: {error!r}"]) from error
    if by_breaker:
        said.append("it was blocked, and the breaker of blocks made a review of it: what follows is the policy's")
    if omitted and not found:
        said.append("its findings were too large to be written: nothing can be explained")
    said += said_less
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


def _not_known(verdict: Mapping[str, Any], effective: Effective) -> Iterator[str]:
    """What rules ask about and the verdict does not say; they are taken not to match."""
    rules, asked, hits = effective.rules, verdict.get("asked") or {}, verdict.get("hits") or {}
    if not verdict.get("identity") and any(0 < rule.share < 1 for rule in rules):
        yield "it has no identity, so that no rollout is taken to have this image"
    if any(rule.context for rule in rules) and verdict.get("context") is None:
        yield "it has no context, which was too large, so that no rule on it is taken to match"
    needed = (
        (any(rule.libraries for rule in rules), ("customImage", "textInImage"), "libraries"),
        (any(rule.figure for rule in rules), ("publicFigure",), "people"),
        (any(rule.logos for rule in rules), ("logoData",), "logos"),
    )
    for is_needed, info, what in needed:
        if is_needed and not set(info) & set(asked.get("info", ())):
            yield f"the provider was not asked for {' or '.join(info)}, so that no rule on {what} is taken to match"
    logos = [logo for service in hits.get("services", ()) for logo in service["logos"]]
    if needed[-1][0] and logos and not any("name" in logo for logo in logos):
        yield "it does not keep names of logos (privacy.logos), so that no rule on them is taken to match"


def _hits_of(written: Mapping[str, Any]) -> Callable[[Finding], Hits]:
    """What was met in the answer that a finding is in. Of one service all ids are kept, of several a few of each."""
    services = written.get("services", ())
    met = {
        (each["service"], each.get("frame")): Hits(
            image_libraries=tuple(library["id"] for library in each["image_libraries"]),
            keyword_libraries=tuple(library["id"] for library in each["keyword_libraries"]),
            public_figures=each["public_figures"],
            logo_names=tuple(logo["name"] for logo in each["logos"] if logo.get("name")),
        )
        for each in services
    }
    if len(met) == 1:
        [(of, hits)] = met.items()
        images, keywords = tuple(written["image_libraries"]), tuple(written["keyword_libraries"])
        met = {of: replace(hits, image_libraries=images, keyword_libraries=keywords)}
    return lambda finding: met.get((finding.service, finding.frame), NOTHING_MET)


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
        frame=written.get("frame"),
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
