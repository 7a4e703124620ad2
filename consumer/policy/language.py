"""
Rules and overlays as they are written in a policy's file.

What is refused here has a code, which `policy lint` shows too: P004, P007, P012, P013, P018, P019.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import combinations
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from consumer.config.base import Contradictions, Settings

Outcome = Literal["block", "review", "pass"]
Unjudged = Literal["review", "block"]
"""What an image may be that could not be judged."""
Level = Literal["none", "low", "medium", "high"]
OVERALL = "__overall__"
"""The finding that stands for an overall level which no label reaches."""

_RESERVED = "unseen_frames"  # what the policy itself calls a reason; its others have a colon


def _some_text(text: Any) -> Any:
    if text in ("", "!"):
        raise ValueError("is empty")
    return text


Pattern = Annotated[str, BeforeValidator(_some_text)]


class Confidence(Settings):
    """A range. A finding without a confidence is in none."""

    gte: float | None = Field(None, ge=0, le=100, description="This much or more, 0 to 100.")
    lt: float | None = Field(None, ge=0, le=100, description="Less than this, 0 to 100.")

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.gte is None and self.lt is None:
            raise Contradictions(("gte", "is missing, and so is lt: name one or both (P004)", "lt"))
        low, high = self.gte or 0.0, 100.1 if self.lt is None else self.lt
        if low >= high:
            raise Contradictions(("lt", f"nothing is {low:g} or more and less than {high:g} (P004)", "gte"))
        return self


class Match(Settings):
    """Which findings a rule is about: all that is named must hold, of a list one."""

    label: tuple[Pattern, ...] = Field(
        (), description="Labels; `*` stands for any characters, `!` before one takes away what it names."
    )
    service: tuple[Pattern, ...] = Field((), description="The provider's services, as labels.")
    level: tuple[Level, ...] = Field((), description="The finding's risk level.")
    confidence: Confidence | None = None

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not (self.label or self.service or self.level or self.confidence):
            raise Contradictions(("label", "is missing, and so is service, level and confidence: name one or more"))
        for key, patterns in (("label", self.label), ("service", self.service)):
            if patterns and all(pattern.startswith("!") for pattern in patterns):
                raise Contradictions((key, "names only what is taken away: write '*' before it"))
        if OVERALL in self.label:
            what = f"{OVERALL} is what no label explains: it follows route alone, and no rule is about it (P012)"
            raise Contradictions(("label", what))
        return self


class Why(Settings):
    """Why a rule is there, for those who come later."""

    owner: str = Field(min_length=1, description="Whom to ask.")
    reason: str = Field(min_length=1)
    expires: date | None = Field(None, description="The last day on which it matches anything, until midnight UTC.")


class Rule(Settings):
    """What findings of a kind lead to."""

    id: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="Its name in verdicts: letters, digits, `_`, `.` and `-`, 64 at most.",
    )
    match: Match
    then: Outcome
    pin: bool = Field(
        False, description="Counts also where an earlier rule matches: no rule and no overlay makes it milder."
    )
    mode: Literal["enforce", "shadow"] = Field(
        "enforce", description="`shadow`: decides nothing. Verdicts say, in `shadow.rules`, what it would have changed."
    )
    rollout: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Decides for this share of images only, the same ones every time, and is in shadow for the others. "
        "Without it, for all.",
    )
    why: Why | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.id == _RESERVED:
            raise Contradictions(("id", f"{_RESERVED} is a reason of the policy's own: choose another"))
        if found := list(self._wrong_ways()):
            raise Contradictions(*found)
        return self

    @property
    def share(self) -> float:
        """Of images, for which it decides."""
        return 0.0 if self.mode == "shadow" else 1.0 if self.rollout is None else self.rollout

    def _wrong_ways(self) -> Iterator[tuple[str, ...]]:
        if self.pin and self.then == "pass":
            yield "pin", "only block and review can be pinned (P018)", "then"
        if self.mode == "shadow":
            if self.pin:
                yield "pin", "stands beside mode: shadow, and such a rule decides nothing: remove one (P013)", "mode"
            if self.rollout is not None:
                yield "rollout", "stands beside mode: shadow, which is a rollout to none: remove one (P013)", "mode"
        elif self.pin and self.rollout is not None:
            yield "rollout", "stands beside pin, which is for every image: remove one (P013)", "pin"


class When(Settings):
    """Which submissions an overlay is about: tenant and purpose must hold, of a list one."""

    tenant: tuple[str, ...] = ()
    purpose: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not (self.tenant or self.purpose):
            raise Contradictions(("tenant", "is missing, and so is purpose: name one or both", "purpose"))
        return self

    @property
    def rank(self) -> int:
        """How specific it is: tenant and purpose before tenant before purpose."""
        return 2 * bool(self.tenant) + bool(self.purpose)

    def overlaps(self, other: Self) -> bool:
        """Whether both are equally specific, and about the same tenant and purpose."""
        if self.rank != other.rank:
            return False
        same_tenant = not self.tenant or not set(self.tenant).isdisjoint(other.tenant)
        same_purpose = not self.purpose or not set(self.purpose).isdisjoint(other.purpose)
        return same_tenant and same_purpose


class SomeRoutes(Settings):
    """Levels of `route` that are another decision."""

    high: Outcome | None = None
    medium: Outcome | None = None
    low: Outcome | None = None
    none: Outcome | None = None


class SomeFallbacks(Settings):
    """Reasons of `on_error` that are another decision."""

    fetch: Unjudged | None = None
    image: Unjudged | None = None
    input: Unjudged | None = None
    malformed: Unjudged | None = None
    provider: Unjudged | None = None
    account: Unjudged | None = None
    clock: Unjudged | None = None
    internal: Unjudged | None = None


class Overlay(Settings):
    """
    What is different for a tenant, a purpose, or one of a tenant's purposes.

    Of several that match, the most specific wins, setting by setting; its rules are looked at first.
    """

    when: When
    route: SomeRoutes = SomeRoutes()
    strict_recall: bool | None = None
    allowlist: Literal["pass", "review"] | None = None
    unseen_frames: Literal["pass", "review"] | None = None
    on_error: SomeFallbacks = SomeFallbacks()
    rules: tuple[Rule, ...] = ()


def contradictions(rules: Sequence[Rule], overlays: Sequence[Overlay]) -> Iterator[tuple[str, ...]]:
    """Yield ids that two rules have, and overlays of which none is the more specific one. See `Contradictions`."""
    places = [(f"rules.{at}.id", rule.id) for at, rule in enumerate(rules)]
    for at, overlay in enumerate(overlays):
        places += [(f"overlays.{at}.rules.{nth}.id", rule.id) for nth, rule in enumerate(overlay.rules)]
    first: dict[str, str] = {}
    for place, name in places:
        if (earlier := first.setdefault(name, place)) != place:
            yield place, f"{name!r} is the id of {earlier.removesuffix('.id')} already (P019)", earlier
    for (one, a), (two, b) in combinations(enumerate(overlays), 2):
        if a.when.overlaps(b.when):
            what = f"is as specific as overlays.{one}, and both can be about one image (P007)"
            yield f"overlays.{two}.when", what, f"overlays.{one}.when"
