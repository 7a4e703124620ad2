"""
A policy as it is written: what may stand in its file.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import BeforeValidator, Field, model_validator

from consumer.config.base import Contradictions, Settings
from consumer.config.loading import validated
from consumer.config.origins import Origins
from consumer.config.problems import Keys, Problem
from consumer.config.yaml_file import YamlFile, read_yaml
from consumer.errors import Misconfigured
from consumer.policy.contradictions import contradictions
from consumer.policy.language import Outcome, Overlay, Rule, Unjudged
from consumer.policy.patterns import compiled
from consumer.records import Asked
from consumer.vendor_facts.aliyun import ADVANCED_INFO, DEFAULT_SERVICE, InfoType, is_offered
from consumer.vendor_facts.vendor import OnlyService


class Route(Settings):
    """Which decision a risk level asks for. Vendor: act on high, review medium, treat low as none."""

    high: Outcome = "block"
    medium: Outcome = "review"
    low: Outcome = "pass"
    none: Outcome = "pass"


def _never_pass(decision: Any) -> Any:
    if decision == "pass":
        raise ValueError("an image that could not be judged is never passed: write review or block (P011)")
    return decision


Fallback = Annotated[Unjudged, BeforeValidator(_never_pass)]


class OnError(Settings):
    """The decision for an image that could not be judged, by reason."""

    fetch: Fallback = Field("review", description="The provider could not download it.")
    image: Fallback = Field("review", description="Its size or format is refused.")
    input: Fallback = Field("review", description="The provider refuses the call's parameters.")
    malformed: Fallback = Field("review", description="The answer is not what the provider documents.")
    provider: Fallback = Field(
        "review", description="The provider answers for other images, but always fails for this one."
    )
    account: Fallback = Field(
        "review", description="The account is accepted for other images, but always refused for this one."
    )
    clock: Fallback = Field("review", description="As account: the provider says that this machine's clock is wrong.")
    internal: Fallback = Field("review", description="A bug of this service.")


class PolicySettings(Settings):
    """What findings lead to."""

    policy: str = Field(min_length=1, description="The policy's name, in every verdict.")
    version: int = Field(ge=0, lt=2**53, description="In every verdict: higher with each change.")
    services: tuple[str, ...] = Field(
        (DEFAULT_SERVICE,), min_length=1, description="The provider's services. Each is billed per image."
    )
    info: tuple[InfoType, ...] = ()
    record_context: tuple[str, ...] = Field(
        (),
        description="Members of an event's `context` that rules may use. Verdicts keep them as `privacy.context` says: "
        "without them nobody can explain what such a rule did, or try another one on it.",
    )
    route: Route = Route()
    strict_recall: bool = Field(False, description="Send low risk to review.")
    allowlist: Literal["pass", "review"] = Field(
        "pass", description="The decision for an image that the provider's allowlist knows (`nonLabel_lib`)."
    )
    unseen_frames: Literal["pass", "review"] = Field(
        "pass",
        description="Whether what was not looked at whole is reviewed: the provider looks at one frame of an animated "
        "image. How many there are is known of images that this service uploads; with `review` people look at all "
        "others as well.",
    )
    on_error: OnError = OnError()
    rules: tuple[Rule, ...] = Field(
        (), description="Looked at in their order, before `route`: the first that matches a finding decides on it."
    )
    overlays: tuple[Overlay, ...] = Field(
        (), description="What is different for tenants and purposes; both beat tenant, and tenant beats purpose."
    )

    acknowledge_vendor_advice: bool = Field(
        False, description="Say that `route` is meant to be weaker than the provider advises: `policy lint` refuses it."
    )
    catalogue_extra: tuple[str, ...] = Field(
        (), description="Labels that rules may name though the provider's pages do not list them: for `policy lint`."
    )

    @model_validator(mode="after")
    def _is_unambiguous(self) -> Self:
        if found := list(contradictions(self.asked, self.record_context, self.rules, self.overlays)):
            raise Contradictions(*found)
        return self

    @property
    def all_rules(self) -> list[Rule]:
        """The base's, and those of the overlays."""
        return [*self.rules, *(rule for overlay in self.overlays for rule in overlay.rules)]

    @property
    def asked(self) -> Asked:
        """What the provider is asked where no overlay says something else."""
        return Asked(self.services, self.info)

    @property
    def all_asked(self) -> Asked:
        """What the provider is asked about some image or other, each once."""
        services, info = list(self.services), list(self.info)
        for overlay in self.overlays:
            services += overlay.services or ()
            info += overlay.info or ()
        return Asked(tuple(dict.fromkeys(services)), tuple(dict.fromkeys(info)))

    @property
    def asks_by_tenant(self) -> bool:
        """Whether what is asked differs by tenant and purpose."""
        return any(overlay.services is not None or overlay.info is not None for overlay in self.overlays)

    @property
    def most_services(self) -> int:
        """How many services are asked about one image, at the most."""
        return max(len(self.services), *(len(overlay.services or ()) for overlay in self.overlays), 0)


def asked_by(only: OnlyService, settings: PolicySettings) -> PolicySettings:
    """
    The same policy where the provider has no services to choose from, but this one.

    What is found there is routed by level as everything is; rules on other services' labels match none of it.
    """
    overlays = tuple(each.model_copy(update={"services": None, "info": None}) for each in settings.overlays)
    return settings.model_copy(update={"services": (only.name,), "info": (), "overlays": overlays})


class Policy(Settings):
    """A policy, and the SHA-256 of it as JSON: sorted keys, no blanks, every default filled in."""

    settings: PolicySettings
    sha256: str
    warnings: tuple[str, ...] = ()  # what it asks for and may not get, each with its place
    unsafe: tuple[str, ...] = ()  # what `policy lint` would refuse and the service does not, likewise
    shadow: Self | None = None  # a whole other policy, which decides nothing


def load_policy(path: Path, regions: Sequence[str] = (), *, only: OnlyService | None = None) -> Policy:
    """
    Read a policy file, whose services the provider must offer in these regions, unless it has but the `only` one.

    Raises:
        Misconfigured: with every problem.
    """
    return policy_in(read_yaml(path), regions, only=only)


def policy_in(file: YamlFile, regions: Sequence[str] = (), *, only: OnlyService | None = None) -> Policy:
    """
    Take a policy from a file that was read; see `load_policy`.

    Raises:
        Misconfigured: with every problem.
    """
    origins = Origins(file)
    settings = validated(PolicySettings, file.tree, origins)
    if only is None and (problems := [origins.line(each) for each in _not_offered(settings, regions)]):
        raise Misconfigured(problems)
    # Of what was read, and not of the file, which may be another by now; comments and order say nothing.
    canonical = orjson.dumps(settings.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
    sometimes = _maybe_not_told(settings) if only is None else _never_told(settings, only)
    warnings = tuple(origins.line(each) for each in sometimes)
    policy = Policy(settings=settings, sha256=hashlib.sha256(canonical).hexdigest(), warnings=warnings)
    # Not validated again: a rule on a library, which needs `info`, is right where the API has it.
    return policy if only is None else policy.model_copy(update={"settings": asked_by(only, settings)})


def _each_asked(settings: PolicySettings) -> Iterator[tuple[Keys, Asked]]:
    """What is asked by the policy and by each overlay, and where it is said."""
    yield (), settings.asked
    for at, overlay in enumerate(settings.overlays):
        services, info = overlay.services, overlay.info
        yield ("overlays", str(at)), Asked(services or settings.services, settings.info if info is None else info)


def _not_offered(settings: PolicySettings, regions: Sequence[str]) -> Iterator[Problem]:
    for keys, asked in _each_asked(settings):
        if keys and asked.services == settings.services:
            continue
        for service in asked.services:
            for region in regions:
                if not is_offered(service, region):
                    text = f"{service} is for regions outside of the Chinese mainland, and {region} is called"
                    yield Problem((*keys, "services"), text)


def _maybe_not_told(settings: PolicySettings) -> Iterator[Problem]:
    """Vendor: some information needs an advanced service, and its page does not say which services those are."""
    for keys, asked in _each_asked(settings):
        advanced = [each for each in dict.fromkeys(asked.info) if each in ADVANCED_INFO]
        if advanced and not (keys and asked == settings.asked):
            needs = f"{' and '.join(advanced)} need{'' if len(advanced) > 1 else 's'} an advanced service"
            unless = f"where {' or '.join(asked.services)} is none, verdicts tell nothing of them"
            yield Problem((*keys, "info"), f"{needs} of the provider's: {unless}")


def _never_told(settings: PolicySettings, only: OnlyService) -> Iterator[Problem]:
    """Name the rules that nothing can meet where this service alone is asked."""
    scopes: list[tuple[Keys, Sequence[Rule]]] = [(("rules",), settings.rules)]
    scopes += [(("overlays", str(at), "rules"), each.rules) for at, each in enumerate(settings.overlays)]
    for keys, rules in scopes:
        for nth, rule in enumerate(rules):
            match = rule.match
            what = [name for name in only.never_tells if getattr(match, name)]
            if match.service and not compiled(match.service)(only.name):
                what.append("service")
            if what:
                text = f"matches nothing with provider.api: {only.name}, whose answers have no such {' or '.join(what)}"
                yield Problem((*keys, str(nth), "match"), text)
