"""Rules that are probably not meant as they stand: P002, P003, P005, P006, P009, P014. Pure."""

from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta

from consumer.policy.language import Rule
from consumer.policy.lint.concern import Beside, Concern, Keys, Scope, scopes
from consumer.policy.lint.hiding import ONLY_EXACTLY, hides
from consumer.policy.patterns import compiled
from consumer.policy.schema import PolicySettings
from consumer.vendor_facts import scan
from consumer.vendor_facts.aliyun import LIBRARY, LISTED, NOTHING_FOUND, WITHOUT_CONFIDENCE, is_listed

SOON = timedelta(days=30)

_RISKY = {"high", "medium"}
_BASES = frozenset(label for labels in LISTED.values() for label in labels)
KNOWN = (*_BASES, *(f"{label}{LIBRARY}" for label in _BASES if label != NOTHING_FOUND), *scan.LISTED)
"""Every label that is listed, and what a hit of its library is called."""


def rules(settings: PolicySettings, today: date, beside: Beside) -> Iterator[Concern]:
    """Look at every rule, of the base and of overlays."""
    for scope in scopes(settings):
        for nth, rule in enumerate(scope.rules):
            keys = (*scope.keys, str(nth))
            yield from _labels(settings, scope, rule, keys)
            yield from _confidence(rule, keys)
            if rule.mode != "shadow":  # it lets nothing pass
                yield from _passing(settings, rule, keys, today)
            yield from _hidden(scope, nth, keys)
            if beside.libraries is not None:
                yield from _libraries(rule, keys, beside.libraries)
            if beside.tested is not None and rule.id not in beside.tested:
                yield from _untested(rule, keys)


def _labels(settings: PolicySettings, scope: Scope, rule: Rule, keys: Keys) -> Iterator[Concern]:
    listed, all_listed = _listed(scope, rule)
    for nth, pattern in enumerate(rule.match.label):
        place, name = (*keys, "match", "label", str(nth)), pattern.removeprefix("!")
        if "*" in name:
            if not any(map(compiled([name]), (*KNOWN, *settings.catalogue_extra))):
                what = f"{pattern!r} matches no label that the provider's pages list: look for a slip"
                yield Concern("P002", "warning", place, what)
        elif name in scan.LISTED:
            continue
        elif name not in settings.catalogue_extra and not any(is_listed(name, service) for service in listed):
            what = f"{pattern!r} is no label of the provider's pages: look for a slip, or name it in catalogue_extra"
            yield Concern("P002", "unsafe" if all_listed else "warning", place, what)


def _listed(scope: Scope, rule: Rule) -> tuple[Sequence[str], bool]:
    """The services that a rule is about whose labels are listed (all that are, where none is), and whether all are."""
    about = list(filter(compiled(rule.match.service), scope.services))
    listed = [service for service in about if service in LISTED]
    return listed or tuple(LISTED), len(listed) == len(about)


def _confidence(rule: Rule, keys: Keys) -> Iterator[Concern]:
    if rule.match.confidence is not None and rule.match.label and set(rule.match.label) <= WITHOUT_CONFIDENCE:
        names = " and ".join(rule.match.label)
        what = f"{names} has no confidence, so that this rule matches nothing: remove `confidence`"
        yield Concern("P005", "warning", (*keys, "match", "confidence"), what)


def _libraries(rule: Rule, keys: Keys, locked: Collection[str]) -> Iterator[Concern]:
    for nth, library in enumerate(rule.match.library):
        if library not in locked:
            what = f"{library!r} is not in the libraries' lock: look for a slip, or add the library first"
            yield Concern("P009", "warning", (*keys, "match", "library", str(nth)), what)


def _passing(settings: PolicySettings, rule: Rule, keys: Keys, today: date) -> Iterator[Concern]:
    is_risky = not rule.match.level or not _RISKY.isdisjoint(rule.match.level) or _reaches_libraries(settings, rule)
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


def _reaches_libraries(settings: PolicySettings, rule: Rule) -> bool:
    extra = settings.catalogue_extra
    names = (*KNOWN, *extra, *(f"{label}{LIBRARY}" for label in extra), *rule.match.label)
    is_about = compiled(rule.match.label, ONLY_EXACTLY)
    return any(is_about(name) for name in names if name.endswith(LIBRARY) and name not in ONLY_EXACTLY)


def _hidden(scope: Scope, nth: int, keys: Keys) -> Iterator[Concern]:
    rule = scope.rules[nth]
    hiding = next((each for each in scope.rules[:nth] if hides(each, rule)), None)
    if hiding is not None:
        what = f"never decides: {hiding.id!r} before it matches the same findings. Remove it, or put it before that"
        yield Concern("P003", "unsafe", (*keys, "id"), what)


def _untested(rule: Rule, keys: Keys) -> Iterator[Concern]:
    if rule.then == "block" and rule.mode != "shadow":
        where = "`rules`" if rule.share == 1 else "`rules` of `shadow`"
        what = f"blocks, and no test names {rule.id!r} under {where}: write one (`policy test`)"
        yield Concern("P014", "warning", (*keys, "id"), what)
