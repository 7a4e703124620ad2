"""
What is probably not meant in a policy that can be read. Pure; no call is made.

`unsafe` works, and is refused by `policy lint` unless the file acknowledges it: no start is refused for it. What cannot
be read at all is refused by the service and here in the same words (`schema.py`, `language.py`).
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta
from typing import Literal, NamedTuple

from consumer.policy.language import Confidence, Rule
from consumer.policy.patterns import compiled
from consumer.policy.schema import PolicySettings
from consumer.records import STRICTNESS, Decision
from consumer.vendor_facts.aliyun import ALLOWLISTED, DEFAULT_SERVICE, LABELS, NOTHING_FOUND, is_listed

SOON = timedelta(days=30)
ADVISED = {"high": Decision.BLOCK, "medium": Decision.REVIEW}
"""Vendor: act on high, review medium, treat low as none."""

_LIBRARY = "_lib"  # ends a label that stands for a hit of a library
_WITHOUT_CONFIDENCE = {NOTHING_FOUND}  # vendor: it has none
_RISKY = {"high", "medium"}
_KNOWN = [*LABELS, *(f"{label}{_LIBRARY}" for label in LABELS if label != NOTHING_FOUND)]


class Concern(NamedTuple):
    """One thing that is probably not meant."""

    code: str
    kind: Literal["unsafe", "warning"]
    keys: tuple[str, ...]
    text: str  # what it is, and how it is mended


class _Scope(NamedTuple):
    """Rules that are looked at one after the other, and where they stand."""

    keys: tuple[str, ...]
    rules: Sequence[Rule]


def concerns(
    settings: PolicySettings, today: date, tested: Collection[str], base: tuple[PolicySettings, bool] | None = None
) -> list[Concern]:
    """
    Find what is probably not meant.

    `tested` are the rules that a test names; `base` is the policy that this one follows, and whether it says the same.
    """
    scopes = [_Scope(("rules",), settings.rules)]
    scopes += [_Scope(("overlays", str(at), "rules"), each.rules) for at, each in enumerate(settings.overlays)]
    return [
        *_weaker_routes(settings),
        *(concern for scope in scopes for concern in _of_rules(settings, scope, today, tested)),
        *(_since(settings, *base) if base else ()),
    ]


def _of_rules(settings: PolicySettings, scope: _Scope, today: date, tested: Collection[str]) -> Iterator[Concern]:
    for nth, rule in enumerate(scope.rules):
        keys = (*scope.keys, str(nth))
        yield from _labels(settings, rule, keys)
        if rule.mode != "shadow":  # it lets nothing pass
            yield from _passing(rule, keys, today)
        hiding = next((each for each in scope.rules[:nth] if _hides(each, rule)), None)
        if hiding is not None:
            what = f"never decides: {hiding.id!r} before it matches the same findings. Remove it, or put it before that"
            yield Concern("P003", "unsafe", (*keys, "id"), what)
        if rule.then == "block" and rule.mode != "shadow" and rule.id not in tested:
            where = "`rules`" if rule.share == 1 else "`rules` of `shadow`"
            what = f"blocks, and no test names {rule.id!r} under {where}: write one (`policy test`)"
            yield Concern("P014", "warning", (*keys, "id"), what)


def _labels(settings: PolicySettings, rule: Rule, keys: tuple[str, ...]) -> Iterator[Concern]:
    all_listed = set(settings.services) == {DEFAULT_SERVICE}
    for nth, pattern in enumerate(rule.match.label):
        place, name = (*keys, "match", "label", str(nth)), pattern.removeprefix("!")
        if "*" in name:
            if not any(map(compiled([name]), (*_KNOWN, *settings.catalogue_extra))):
                what = f"({pattern}) matches no label that the provider's pages list: look for a slip"
                yield Concern("P002", "warning", place, what)
        elif name not in settings.catalogue_extra and not is_listed(name):
            what = f"({pattern}) is no label of the provider's pages: look for a slip, or name it in catalogue_extra"
            yield Concern("P002", "unsafe" if all_listed else "warning", place, what)
    if rule.match.confidence is not None and rule.match.label and set(rule.match.label) <= _WITHOUT_CONFIDENCE:
        what = f"{NOTHING_FOUND} has no confidence, so that this rule matches nothing: remove `confidence`"
        yield Concern("P005", "warning", (*keys, "match", "confidence"), what)


def _passing(rule: Rule, keys: tuple[str, ...], today: date) -> Iterator[Concern]:
    is_risky = not rule.match.level or not _RISKY.isdisjoint(rule.match.level) or _reaches_libraries(rule)
    if rule.then != "pass" or not is_risky:
        return
    expires = rule.why.expires if rule.why else None
    if expires is None:
        what = "can let high or medium risk, or a hit of a library, pass: add `why` with owner, reason and expires"
        yield Concern("P006", "unsafe", (*keys, "then"), what)
    elif expires < today:
        what = f"expired on {expires}, and matches nothing since: renew it, or remove the rule"
        yield Concern("P006", "unsafe", (*keys, "why", "expires"), what)
    elif expires - today <= SOON:
        yield Concern("P006", "warning", (*keys, "why", "expires"), f"expires on {expires}: renew it, or let it end")


def _reaches_libraries(rule: Rule) -> bool:
    is_about = compiled(rule.match.label, {NOTHING_FOUND, ALLOWLISTED})
    return any(is_about(label) for label in _KNOWN if label.endswith(_LIBRARY))


def _weaker_routes(settings: PolicySettings) -> Iterator[Concern]:
    if settings.acknowledge_vendor_advice:
        return
    overlays = [(("overlays", str(at), "route"), each) for at, each in enumerate(settings.overlays)]
    for level, advised in ADVISED.items():
        laid = [(keys, getattr(overlay.route, level)) for keys, overlay in overlays]
        routes: list[tuple[tuple[str, ...], str | None]] = [(("route",), getattr(settings.route, level)), *laid]
        for keys, decision in routes:
            if decision is not None and STRICTNESS[Decision(decision)] < STRICTNESS[advised]:
                what = (
                    f"is {decision}, weaker than the {advised.value} that the provider advises: write {advised.value}, "
                    "or acknowledge_vendor_advice: true"
                )
                yield Concern("P008", "unsafe", (*keys, level), what)


def _since(settings: PolicySettings, base: PolicySettings, is_same: bool) -> Iterator[Concern]:
    if not is_same and settings.version <= base.version:
        what = f"is {settings.version}, and the policy before it has {base.version} and says something else: raise it"
        yield Concern("P016", "unsafe", ("version",), what)
    if added := [service for service in settings.services if service not in base.services]:
        calls = f"{len(settings.services)} calls an image instead of {len(base.services)}"
        yield Concern("P017", "warning", ("services",), f"adds {', '.join(added)}: {calls}, each billed")


def _hides(first: Rule, second: Rule) -> bool:
    """Whether the first rule matches all that the second does, so that the second decides nothing."""
    if first.pin or first.share < 1:
        return False
    if second.pin or (first.why is not None and first.why.expires is not None):
        return False
    if first.then == "pass" and second.then != "pass" and not second.match.level:  # it has unknown levels left
        return False
    one, two = first.match, second.match
    return (
        _covers_names(one.label, two.label, {NOTHING_FOUND, ALLOWLISTED})
        and _covers_names(one.service, two.service)
        and (not one.level or (bool(two.level) and set(two.level) <= set(one.level)))
        and _covers_range(one.confidence, two.confidence)
    )


def _covers_names(wide: Sequence[str], narrow: Sequence[str], only_exactly: Collection[str] = ()) -> bool:
    if not wide:
        return True
    if not narrow:
        return False
    taken_away = {pattern for pattern in wide if pattern.startswith("!")}
    matches = compiled([pattern for pattern in wide if pattern not in taken_away], only_exactly)
    # A pattern read as a name is matched by one that is at least as wide: its own stars are characters like others.
    return taken_away <= set(narrow) and all(
        pattern in wide or matches(pattern) for pattern in narrow if not pattern.startswith("!")
    )


def _covers_range(wide: Confidence | None, narrow: Confidence | None) -> bool:
    if wide is None:
        return True
    if narrow is None:
        return False
    lows = [each.gte or 0.0 for each in (wide, narrow)]
    highs = [101.0 if each.lt is None else each.lt for each in (wide, narrow)]
    return lows[0] <= lows[1] and highs[1] <= highs[0]
