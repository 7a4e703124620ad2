"""Whether a rule matches all that another one does. Pure."""

from collections.abc import Collection, Sequence

from consumer.policy.language import Confidence, Rule
from consumer.policy.patterns import compiled
from consumer.vendor_facts.aliyun import ALLOWLISTED, NOTHING_FOUND

ONLY_EXACTLY = frozenset({NOTHING_FOUND, ALLOWLISTED})
"""Labels that no `*` matches."""


def hides(first: Rule, second: Rule) -> bool:
    """Whether the first rule matches all that the second does, so that the second decides nothing."""
    if first.pin or first.share < 1:
        return False
    if second.pin or (first.why is not None and first.why.expires is not None):
        return False
    if first.then == "pass" and second.then != "pass" and not second.match.level:  # it has unknown levels left
        return False
    one, two = first.match, second.match
    return (
        _covers_names(one.label, two.label, ONLY_EXACTLY)
        and _covers_names(one.service, two.service)
        and _covers_values(one.level, two.level)
        and _covers_range(one.confidence, two.confidence)
        and _covers_values(one.library, two.library)
        and (not one.figure or bool(two.figure))
        and _covers_values(one.logo, two.logo)
        and all(_covers_values(values, two.context.get(name, ())) for name, values in one.context.items())
    )


def _covers_values(wide: Sequence[object], narrow: Sequence[object]) -> bool:
    # By their type too: 1 is not true in an event's context, and is in Python.
    return not wide or (
        bool(narrow) and {(type(each), each) for each in narrow} <= {(type(each), each) for each in wide}
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
