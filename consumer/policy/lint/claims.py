"""
What is milder for whoever says so in an event, and what of that is not kept: P020, P021. Pure.

Tenant, purpose and context are what producers claim. `sources` binds a topic to the tenants and purposes that its
producers may claim; nothing binds context.
"""

from collections.abc import Iterator, Sequence

from consumer.config import Config
from consumer.policy.language import Overlay, Rule
from consumer.policy.lint.concern import Concern, Keys, said_as_list, scopes
from consumer.policy.lint.hiding import ONLY_EXACTLY
from consumer.policy.lint.rules import KNOWN
from consumer.policy.patterns import compiled
from consumer.policy.schema import PolicySettings
from consumer.records import STRICTNESS, Decision
from consumer.vendor_facts.aliyun import ALLOWLISTED

_LEVELS = ("none", "low", "medium", "high")
_SWITCHES = {"strict_recall": (False, True), "allowlist": ("pass", "review"), "unseen_frames": ("pass", "review")}
"""Settings of two values, the milder first."""


def claims(settings: PolicySettings, config: Config) -> Iterator[Concern]:
    """Find what is milder for whoever claims to be meant, and context that verdicts do not keep."""
    yield from _overlays(settings, config)
    yield from _context(settings, config)
    yield from _not_kept(settings, config)


def _overlays(settings: PolicySettings, config: Config) -> Iterator[Concern]:
    for nth, overlay in enumerate(settings.overlays):
        milder = list(_milder(settings, overlay))
        claimed = {key: names for key, names in overlay.when.model_dump().items() if names}
        unbound = {key: _unbound(config, f"{key}s") for key in claimed}
        if milder and all(unbound.values()):
            yield _claimed(("overlays", str(nth), "when"), milder, unbound)


def _claimed(keys: Keys, milder: Sequence[str], unbound: dict[str, Sequence[str]]) -> Concern:
    key, topics = next(iter(unbound.items()))
    what = (
        f"is milder than the base ({said_as_list(milder)}), and the producers of {said_as_list(topics)} may claim any "
        f"{key}: name those that they may claim in sources.{topics[0]}.{key}s"
    )
    return Concern("P020", "warning", keys, what)


def _context(settings: PolicySettings, config: Config) -> Iterator[Concern]:
    for scope in scopes(settings):
        for nth, rule in enumerate(scope.rules):
            if rule.match.context and is_milder(settings, rule):
                what = (
                    f"is what an event says, and the rule is milder for those that say so: any producer of "
                    f"{said_as_list(config.kafka.topics)} can. Let context only make a decision stricter, or say who "
                    "is meant by a tenant, which `sources` binds"
                )
                yield Concern("P020", "warning", (*scope.keys, str(nth), "match", "context"), what)


def _not_kept(settings: PolicySettings, config: Config) -> Iterator[Concern]:
    kept = config.privacy.context
    for nth, name in enumerate(settings.record_context):
        if kept != "all" and (kept == "none" or name not in kept):
            what = (
                f"{name!r} is not kept in verdicts, so that nobody can explain or replay what rules made of it: add it "
                "to privacy.context, or remove it here"
            )
            yield Concern("P021", "unsafe", ("record_context", str(nth)), what)


def _unbound(config: Config, claim: str) -> Sequence[str]:
    """The topics whose producers may claim any."""
    said = {topic: getattr(config.sources.get(topic), claim, None) for topic in config.kafka.topics}
    return [topic for topic, globs in said.items() if globs is None or any(not glob.strip("*") for glob in globs)]


def _milder(settings: PolicySettings, overlay: Overlay) -> Iterator[str]:
    """What an overlay has that is milder than the base."""
    for section in ("route", "on_error"):
        base = getattr(settings, section)
        for name, decision in getattr(overlay, section):
            if decision is not None and _strictness(decision) < _strictness(getattr(base, name)):
                yield f"{section}.{name}"
    for name, (mild, strict) in _SWITCHES.items():
        if getattr(overlay, name) == mild and getattr(settings, name) == strict:
            yield name
    if overlay.services is not None and (
        dropped := [each for each in settings.services if each not in overlay.services]
    ):
        yield f"services without {', '.join(dropped)}"
    yield from (f"rule {rule.id}" for rule in overlay.rules if is_milder(settings, rule))


def is_milder(settings: PolicySettings, rule: Rule) -> bool:
    """Whether something that a rule matches would lead to a stricter decision without it, by the base alone."""
    if rule.mode == "shadow":
        return False
    rules = [each.then for each in settings.rules if each is not rule and each.share and _can_meet(each, rule)]
    return any(_strictness(each) > _strictness(rule.then) for each in (*_routes(settings, rule), *rules))


def _routes(settings: PolicySettings, rule: Rule) -> Iterator[str]:
    """What the base leads to, without rules, for what a rule may match."""
    levels = rule.match.level or _LEVELS
    yield from (getattr(settings.route, level) for level in levels)
    if settings.strict_recall and "low" in levels:
        yield "review"
    if compiled(rule.match.label, ONLY_EXACTLY)(ALLOWLISTED):
        yield settings.allowlist


def _can_meet(one: Rule, two: Rule) -> bool:
    """Whether both can be about one label."""
    names = (*KNOWN, *ONLY_EXACTLY, *one.match.label, *two.match.label)
    is_of_one, is_of_two = (compiled(each.match.label, ONLY_EXACTLY) for each in (one, two))
    return any(is_of_one(name) and is_of_two(name) for name in names)


def _strictness(decision: str) -> int:
    return STRICTNESS[Decision(decision)]
