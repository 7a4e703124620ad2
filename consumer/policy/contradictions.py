"""
What rules and overlays of one policy contradict each other in. Pure.

P007, P010 and P019 of `policy lint`, and context that is not recorded.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from consumer.config.problems import nearest
from consumer.policy.language import Match, Overlay, Rule
from consumer.policy.overlays import OverlayIndex
from consumer.records import Asked
from consumer.vendor_facts.aliyun import LIBRARY, TEXT_LIBRARY, InfoType

Found = tuple[str, ...]
"""See `Contradictions`."""


class _Placed(NamedTuple):
    """A rule, and where it stands."""

    place: str
    rule: Rule
    overlay: int | None


def contradictions(
    asked: Asked, recorded: Collection[str], rules: Sequence[Rule], overlays: Sequence[Overlay]
) -> Iterator[Found]:
    """Yield everything that makes a policy ambiguous, and rules about what nobody learns."""
    placed = [_Placed(f"rules.{at}", rule, None) for at, rule in enumerate(rules)]
    for at, overlay in enumerate(overlays):
        placed += [_Placed(f"overlays.{at}.rules.{nth}", rule, at) for nth, rule in enumerate(overlay.rules)]
    yield from _same_ids(placed)
    yield from _equally_specific(overlays)
    yield from _not_recorded(placed, recorded)
    yield from _not_asked_for(placed, asked, overlays)


def needed_info(match: Match) -> dict[str, Sequence[InfoType]]:
    """Return what must be asked for by key of a match: of each list one."""
    of_libraries = {each: None for pattern in match.label or ["*"] for each in _libraries_of(pattern)}
    needed: dict[str, Sequence[InfoType]] = {
        "library": list(of_libraries), "figure": ["publicFigure"], "logo": ["logoData"],
    }  # fmt: skip
    return {key: types for key, types in needed.items() if getattr(match, key)}


def _libraries_of(pattern: str) -> Sequence[InfoType]:
    """Which information names the libraries of findings that a pattern is about."""
    if pattern.startswith("!"):
        return ()
    if pattern.endswith(TEXT_LIBRARY):
        return ("textInImage",)
    return ("customImage",) if pattern.endswith(LIBRARY) and "*" not in pattern else ("customImage", "textInImage")


def _same_ids(placed: Sequence[_Placed]) -> Iterator[Found]:
    first: dict[str, str] = {}
    for place, rule, _ in placed:
        if (earlier := first.setdefault(rule.id, place)) != place:
            yield f"{place}.id", f"{rule.id!r} is the id of {earlier} already: choose another (P019)", f"{earlier}.id"


def _equally_specific(overlays: Sequence[Overlay]) -> Iterator[Found]:
    for one, two in _pairs(overlays):
        what = f"is as specific as overlays.{one}, and both can be about one image"
        yield f"overlays.{two}.when", f"{what}: take out of one what the other names (P007)", f"overlays.{one}.when"


def _pairs(overlays: Sequence[Overlay]) -> Iterator[tuple[int, int]]:
    """Overlays of which it is not known which one is laid over the other."""
    for (one, a), (two, b) in combinations(enumerate(overlays), 2):
        if a.when.overlaps(b.when):
            yield one, two


def _not_recorded(placed: Sequence[_Placed], recorded: Collection[str]) -> Iterator[Found]:
    for place, rule, _ in placed:
        for name in rule.match.context:
            if name not in recorded:
                near = nearest(name, recorded)
                hint = f"did you mean {near}?" if near else "add it there"
                yield f"{place}.match.context.{name}", f"is not in record_context: {hint}", "record_context"


def _not_asked_for(placed: Sequence[_Placed], asked: Asked, overlays: Sequence[Overlay]) -> Iterator[Found]:
    """
    A rule is in force wherever its overlay is, whatever else is laid over it: there it must not match nothing.

    Where it is not known which overlays are laid, what is asked for is not either.
    """
    unknown = {at for pair in _pairs(overlays) for at in pair}
    reached = [
        (laid, *_info_of(asked, [(at, overlays[at]) for at in laid]))
        for laid in OverlayIndex(overlays).all()
        if unknown.isdisjoint(laid)
    ]
    for place, rule, own in placed:
        for key, types in needed_info(rule.match).items():
            for laid, info, said in reached:
                if (own is None or own in laid) and not set(types) & set(info):
                    what = f"needs {' or '.join(types)}, which {said} does not ask for: add it there (P010)"
                    yield f"{place}.match.{key}", what, said
                    break


def _info_of(asked: Asked, laid: Sequence[tuple[int, Overlay]]) -> tuple[Sequence[str], str]:
    """What is asked for where these overlays are laid over a policy, and where it is said."""
    said = [(overlay.info, f"overlays.{at}.info") for at, overlay in laid if overlay.info is not None]
    return said[0] if said else (asked.info, "info")
