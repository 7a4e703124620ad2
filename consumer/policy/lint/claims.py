"""
What is milder for whoever says so in an event, and what of that is not kept: P020. Pure.

Tenants and purposes are what producers claim. `sources` binds a topic to those that its producers may claim.
"""

from collections.abc import Iterator, Sequence

from consumer.config import Config
from consumer.policy.language import Overlay, Rule
from consumer.policy.lint.concern import Concern, Keys, said_as_list
from consumer.policy.lint.hiding import ONLY_EXACTLY
from consumer.policy.lint.rules import KNOWN
from consumer.policy.patterns import compiled
from consumer.policy.schema import PolicySettings
from consumer.records import STRICTNESS, Decision

_LEVELS = ("none", "low", "medium", "high")
_SWITCHES = {"strict_recall": (False, True), "allowlist": ("pass", "review"), "unseen_frames": ("pass", "review")}
"""Settings of two values, the milder first."""


def claims(settings: PolicySettings, config: Config) -> Iterator[Concern]:
    """Find overlays that are milder than the base, for whoever claims to be meant."""
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
    yield from (f"rule {rule.id}" for rule in overlay.rules if is_milder(settings, rule))


def is_milder(settings: PolicySettings, rule: Rule) -> bool:
    """Whether something that a rule matches would lead to a stricter decision without it, by the base alone."""
    if rule.mode == "shadow":
        return False
    routes = [getattr(settings.route, level) for level in rule.match.level or _LEVELS]
    rules = [each.then for each in settings.rules if each is not rule and each.share and _can_meet(each, rule)]
    return any(_strictness(each) > _strictness(rule.then) for each in (*routes, *rules))


def _can_meet(one: Rule, two: Rule) -> bool:
    """Whether both can be about one label."""
    names = (*KNOWN, *ONLY_EXACTLY, *one.match.label, *two.match.label)
    is_of_one, is_of_two = (compiled(each.match.label, ONLY_EXACTLY) for each in (one, two))
    return any(is_of_one(name) and is_of_two(name) for name in names)


def _strictness(decision: str) -> int:
    return STRICTNESS[Decision(decision)]
