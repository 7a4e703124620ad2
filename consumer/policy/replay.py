"""
Deciding again about what was published, from the verdict alone. Pure, and no call.

    verdict, as JSON ──recorded──► findings, failures, coverage ──Replaying──► what another policy decides, or why not

A verdict keeps its findings as they were normalised, before any rule, so that any policy can route them again. What
another policy would have needed, and the verdict does not say, is never guessed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from consumer.hits import NOTHING_MET, Hits
from consumer.policy.effective import Effective, Policies
from consumer.policy.ready import NEVER_MATCHED, UNSEEN, Circumstances, Ready, Routed, routed
from consumer.policy.schema import Policy
from consumer.records import STRICTNESS, Coverage, Decision, Finding, Floor, PolicyName, Reason
from consumer.vendor_facts.aliyun import ALLOWLISTED, LIBRARY, TEXT_LIBRARY

Kept = Literal["all", "none"] | Collection[str]
"""The members of events' context that verdicts keep, as `privacy.context` says it."""

_WHOLE = Coverage(frames=1)
_NOT_KNOWN = Coverage()
_ANSWERED = "200"


class NotReplayable(NamedTuple):
    """Why nothing can be said."""

    reason: str  # not_a_verdict, provisional, omitted, services, info, context, hits or failures
    detail: str = ""  # names of members, services or information; nothing of the image


class Failed(NamedTuple):
    """A service that could not answer; none where the image could not be asked about."""

    service: str
    kind: str | None  # None where the verdict does not say: it has the class of the first failure only


class Recorded(NamedTuple):
    """What a published verdict says that is needed to decide again."""

    tenant: str
    purpose: str
    identity: str  # empty where it is not known
    context: Mapping[str, Any] | None
    findings: Sequence[Finding]  # of services, as they were before any rule
    hits: Mapping[str, Any]
    failures: Sequence[Failed]
    coverage: Coverage
    services: frozenset[str]  # that were asked, as far as is known
    info: Sequence[str] | None  # that was asked for; None where an older release does not say
    moment: float  # at which it was decided, or is to be decided again: unix seconds
    decision: Decision
    decided_by: str
    floor: Floor | None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.decision} by {self.decided_by})"  # the context is the producer's

    @property
    def could_be_asked(self) -> bool:
        """Whether any policy could have learned something of the image."""
        return not (self.failures and not self.failures[0].service and not self.findings)


class Replayed(NamedTuple):
    """What a policy decides about a record."""

    decision: Decision
    routed: Sequence[Routed]
    findings: Sequence[Finding]
    floor: Floor | None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The findings that make the decision; none where only failures do."""
        pairs = zip(self.routed, self.findings, strict=True)
        return tuple(Reason(rule=each.rule, finding=found) for each, found in pairs if each.decision is self.decision)

    @property
    def decided_by(self) -> str:
        """As a verdict says it."""
        return "policy" if any(each.decision is self.decision for each in self.routed) else "fallback"


def recorded(verdict: Mapping[str, Any]) -> Recorded | NotReplayable:
    """Take from a verdict what deciding again needs. A person's, or a breaker's, is read as any other."""
    try:
        if verdict.get("provisional"):
            return NotReplayable("provisional")
        if omitted := verdict.get("omitted"):
            return NotReplayable("omitted", ", ".join(omitted))
        return _recorded(verdict)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return NotReplayable("not_a_verdict", f"{type(error).__name__}")


def _recorded(verdict: Mapping[str, Any]) -> Recorded:
    overall, floor, timing = verdict["risk_level"], verdict.get("floor"), verdict["timing"]
    findings = [_finding(each, overall) for each in verdict["findings"] if each["label"] != UNSEEN]
    asked, failures = verdict.get("asked"), tuple(_failures(verdict)) if verdict["error"] else ()
    services = (
        asked["services"] if asked else [*(each.service for each in findings), *(each.service for each in failures)]
    )
    return Recorded(
        tenant=verdict["tenant"],
        purpose=verdict["purpose"],
        identity=verdict.get("identity") or "",
        context=verdict["context"],
        findings=findings,
        hits=verdict["hits"],
        failures=failures,
        coverage=_coverage(verdict.get("coverage")),
        services=frozenset(services),
        info=asked["info"] if asked else None,
        moment=datetime.fromisoformat(timing.get("as_of") or timing["decided"]).timestamp(),
        decision=Decision(verdict["decision"]),
        decided_by=verdict["decided_by"],
        floor=Floor(floor["rule"], Decision(floor["decision"])) if floor else None,
    )


def _finding(written: Mapping[str, Any], overall: str | None) -> Finding:
    level = written["level"]
    return Finding(
        service=written["service"],
        label=written["label"],
        confidence=written["confidence"],
        level=level,
        # Verdicts keep it of reasons only. It decides nothing; the overall level can be a label's own too.
        level_source=written.get("level_source") or ("overall" if level == overall else "label"),
        frame=written.get("frame"),
    )


def _failures(verdict: Mapping[str, Any]) -> Iterator[Failed]:
    """The first failure has a class; of others none is written."""
    error = verdict["error"]
    yield Failed(error.get("service") or "", error["class"])
    calls = verdict["provider"].get("calls") or ()
    failed = [each for each in calls if each["code"] != _ANSWERED]
    for each in failed[1:]:
        yield Failed(each["service"] or "", None)


def _coverage(written: Mapping[str, Any] | None) -> Coverage:
    if not written:
        return _NOT_KNOWN
    seen, frames = written["frames"]
    if seen == frames == 1 and not written["scaled"]:
        return _WHOLE
    return Coverage(seen=seen, frames=frames, scaled=written["scaled"])


class Replaying:
    """Decides by one policy about what other policies decided."""

    def __init__(self, policy: Policy, kept: Kept = "none") -> None:
        """
        `kept` says which members of the context verdicts keep, as `privacy.context` does: one of these that a verdict
        lacks the event lacked. Of others that it lacks nothing is known.
        """
        settings = policy.settings
        self.name = PolicyName(id=settings.policy, version=settings.version, sha256=policy.sha256)
        self._policies = Policies(settings)
        self._keeps_all = kept == "all"
        self._kept = frozenset[str]() if isinstance(kept, str) else frozenset(kept)
        self._conditional: dict[int, Sequence[Ready]] = {}  # rules that look beyond findings, by their policy's `id`

    def decide(self, record: Recorded, now: float | None = None) -> Replayed | NotReplayable:
        """
        Decide as the policy would have, at `now` (unix seconds) or else at the record's own moment.

        A block stands whatever services were not asked: nothing could make it milder.
        """
        policy = self._policies.of(record.tenant, record.purpose)
        services = policy.asked.services
        findings, failures = record.findings, record.failures
        if not record.services.issubset(services):  # what it does not name counts for nothing
            findings = [each for each in findings if each.service in services]
            failures = [each for each in failures if not each.service or each.service in services]
        found = self._routed(policy, record, findings, record.moment if now is None else now)
        if isinstance(found, NotReplayable):
            return found
        if policy.reviews_unseen and findings and not record.coverage.is_whole:
            findings, found = [*findings, _unseen(findings[0].service)], [*found, _REVIEWED_UNSEEN]
        failed = [_fallback(policy, each) for each in failures]
        known = [each.decision for each in found] + [each for each in failed if each is not None]
        decision = max(known, key=STRICTNESS.__getitem__, default=Decision.REVIEW)
        if decision is not Decision.BLOCK:
            if None in failed:
                return NotReplayable("failures", "error")
            if record.could_be_asked and not record.services.issuperset(services):
                return NotReplayable("services", ", ".join(sorted({*services} - record.services)))
        floors = [each.floor for each in found if each.floor is not None]
        floor = max(floors, key=lambda each: STRICTNESS[each.decision]) if floors else None
        return Replayed(decision, found, findings, floor)

    def _routed(
        self, policy: Effective, record: Recorded, findings: Sequence[Finding], now: float
    ) -> Sequence[Routed] | NotReplayable:
        image = Circumstances(now, lambda: record.identity, lambda: record.context or {})
        routing = policy.at(now)
        conditional = self._conditional.get(id(policy))
        if conditional is None:
            conditional = self._conditional[id(policy)] = [each for each in policy.rules if _looks_beyond(each)]
        if not conditional:
            return [routing.constant.get(each[:3]) or routing.route(each, NOTHING_MET, image) for each in findings]
        met = hits_by_answer(record.hits)
        found: list[Routed] = []
        for each in findings:
            hits = met.get((each.service, each.frame), NOTHING_MET)
            if (lacking := self._lacking(conditional, record, each, hits)) is not None:
                return lacking
            found.append(routing.route(each, hits, image))
        return found

    def _lacking(self, rules: Sequence[Ready], record: Recorded, finding: Finding, hits: Hits) -> NotReplayable | None:
        """What rules that may be about a finding would look at, and the verdict does not say."""
        if finding.label in NEVER_MATCHED:
            return None
        for rule in rules:
            if not (rule.is_about(finding.label) and rule.may_match(finding.service, finding.level)):
                continue
            info = [*_information(rule, finding.label)]
            if missing := [each for each in info if each not in (record.info or ())]:
                return NotReplayable("info", ", ".join(missing))
            if (info and hits.left_out) or (rule.logos and len(hits.logo_names) < len(hits.logos)):
                return NotReplayable("hits", "logos" if rule.logos else "left_out")
            if absent := [each for each in rule.context if not self._knows(each, record.context)]:
                return NotReplayable("context", ", ".join(absent))
        return None

    def _knows(self, name: str, context: Mapping[str, Any] | None) -> bool:
        return context is not None and (name in context or self._keeps_all or name in self._kept)


_REVIEWED_UNSEEN = routed("unseen_frames", Decision.REVIEW)


def hits_by_answer(written: Mapping[str, Any]) -> Mapping[tuple[str, int | None], Hits]:
    """What was met in each answer that met anything, by service and frame; nothing of verdicts that do not say so."""
    return {
        (each["service"], each.get("frame")): Hits(
            image_libraries=tuple(library["id"] for library in each["image_libraries"]),
            keyword_libraries=tuple(library["id"] for library in each["keyword_libraries"]),
            public_figures=each["public_figures"],
            logos=tuple(logo["label"] for logo in each["logos"]),
            logo_names=tuple(logo["name"] for logo in each["logos"] if logo.get("name")),
            left_out=each["left_out"],
        )
        for each in written.get("services", ())
    }


def _looks_beyond(rule: Ready) -> bool:
    return bool(rule.libraries or rule.figure or rule.logos or rule.context)


def _information(rule: Ready, label: str) -> Iterator[str]:
    """What must have been asked for to know whether a rule matches a label."""
    if rule.libraries and label.endswith(LIBRARY) and label != ALLOWLISTED:
        yield "textInImage" if label.endswith(TEXT_LIBRARY) else "customImage"
    if rule.figure:
        yield "publicFigure"
    if rule.logos:
        yield "logoData"


def _unseen(service: str) -> Finding:
    return Finding(service=service, label=UNSEEN, confidence=None, level="unknown", level_source="coverage")


def _fallback(policy: Effective, failure: Failed) -> Decision | None:
    """What a failure leads to; None where that depends on a class that is not known."""
    if failure.kind is not None:
        return policy.on_error.get(failure.kind, Decision.REVIEW)
    outcomes = set(policy.on_error.values())
    return outcomes.pop() if len(outcomes) == 1 else None
