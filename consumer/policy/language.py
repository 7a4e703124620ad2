"""
Rules and overlays as they are written in a policy's file.

What is refused here has a code, which `policy lint` shows too: P004, P012, P013, P018. What several of them contradict
each other in is found in `contradictions.py`.
"""

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from consumer.config.base import Contradictions, Settings
from consumer.vendor_facts.aliyun import InfoType

Outcome = Literal["block", "review", "pass"]
Unjudged = Literal["review", "block"]
"""What an image may be that could not be judged."""
Level = Literal["none", "low", "medium", "high"]
OVERALL = "__overall__"
"""The finding that stands for an overall level which no label reaches."""

_RESERVED = "unseen_frames"  # what the policy itself calls a reason; its others have a colon


def _not_empty(text: Any) -> Any:
    if text in ("", "!", []):
        raise ValueError("is empty")
    return text


def _exact(value: Any) -> Any:
    if not isinstance(value, str | int):  # JSON's true and false are integers of Python's
        raise ValueError("must be a text, a whole number, true or false")  # noqa: TRY004 — pydantic takes no TypeError
    return value


Pattern = Annotated[str, BeforeValidator(_not_empty)]
Name = Annotated[str, BeforeValidator(_not_empty)]
"""Of a library or a logo, as the provider writes it."""
Exactly = Annotated[str | bool | int, BeforeValidator(_exact)]
"""What a member of an event's context is."""


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
            what = f"nothing is {low:g} or more and less than {high:g}: raise lt, or lower gte (P004)"
            raise Contradictions(("lt", what, "gte"))
        return self


class Match(Settings):
    """
    Which findings a rule is about: all that is named must hold, of a list one.

    `figure` and `logo` are about the answer that a finding is in: the provider names no finding for them.
    """

    label: tuple[Pattern, ...] = Field(
        (), description="Labels; `*` stands for any characters, `!` before one takes away what it names."
    )
    service: tuple[Pattern, ...] = Field((), description="The provider's services, as labels.")
    level: tuple[Level, ...] = Field((), description="The finding's risk level.")
    confidence: Confidence | None = None
    library: tuple[Name, ...] = Field(
        (),
        description="Ids of your libraries that were met: of images for labels that end in `_lib`, of keywords for "
        "those that end in `_tii_lib`. The policy's info needs customImage, or textInImage.",
    )
    figure: Literal[True] | None = Field(
        None, description="A person was recognised in the image; the policy's info needs publicFigure."
    )
    logo: tuple[Name, ...] = Field(
        (), description="Names of logos that were recognised in the image; the policy's info needs logoData."
    )
    context: dict[str, Annotated[tuple[Exactly, ...], BeforeValidator(_not_empty)]] = Field(
        {},
        description="Members of the event's `context`, each with the values that it may have. `record_context` names "
        "them.",
    )

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.model_dump(exclude_defaults=True):
            others = [name for name in Match.model_fields if name != "label"]
            what = f"is missing, and so is {', '.join(others[:-1])} and {others[-1]}: name one or more"
            raise Contradictions(("label", what))
        for key, patterns in (("label", self.label), ("service", self.service)):
            if patterns and all(pattern.startswith("!") for pattern in patterns):
                raise Contradictions((key, "names only what is taken away: write '*' before it"))
        if OVERALL in self.label:
            what = f"{OVERALL} is what no label explains: it follows route, and no rule is about it: remove it (P012)"
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
        if self.then == "pass" and not self.match.label:
            for key in ("figure", "logo"):
                if getattr(self.match, key):
                    what = "lets findings of every label pass with it: name those that are meant in match.label"
                    yield f"match.{key}", what, "then"
        if self.pin and self.then == "pass":
            yield "pin", "only block and review can be pinned: remove it (P018)", "then"
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
    services: tuple[str, ...] | None = Field(
        None, min_length=1, description="Instead of the policy's, for these. Each is billed per image."
    )
    info: tuple[InfoType, ...] | None = Field(None, description="Instead of the policy's, for these.")
    route: SomeRoutes = SomeRoutes()
    strict_recall: bool | None = None
    allowlist: Literal["pass", "review"] | None = None
    unseen_frames: Literal["pass", "review"] | None = None
    on_error: SomeFallbacks = SomeFallbacks()
    rules: tuple[Rule, ...] = ()
