"""What lint says, and what it is told. Values only."""

from collections.abc import Collection, Iterator, Sequence
from typing import Literal, NamedTuple

from consumer.config import Config
from consumer.policy.language import Rule
from consumer.policy.overlays import OverlayIndex, asked_of
from consumer.policy.schema import PolicySettings
from consumer.records import PolicyName

Keys = tuple[str, ...]


class Concern(NamedTuple):
    """One thing that is probably not meant."""

    code: str
    kind: Literal["unsafe", "warning"]
    keys: Keys
    text: str  # what it is, and how it is mended


class Before(NamedTuple):
    """The policy in a file that this one follows."""

    settings: PolicySettings
    says_the_same: bool


class Published(NamedTuple):
    """Which policy decided the newest verdict; None where there is no verdict yet."""

    policy: PolicyName | None
    says_the_same: bool


class Beside(NamedTuple):
    """What is known beside a policy. What is None was not given, and nothing is said about it."""

    tested: Collection[str] | None = None  # the rules that a test names
    before: Before | None = None
    published: Published | None = None
    config: Config | None = None
    libraries: Collection[str] | None = None  # the ids that are locked


class Scope(NamedTuple):
    """Rules that are looked at one after the other, and where they stand."""

    keys: Keys
    rules: Sequence[Rule]
    services: Collection[str]  # that are asked where they are in force


def scopes(settings: PolicySettings) -> Iterator[Scope]:
    """The rules of the base, and of each overlay."""
    overlays = settings.overlays
    asked = {
        laid: asked_of(settings.asked, [overlays[at] for at in laid]).services for laid in OverlayIndex(overlays).all()
    }
    yield Scope(("rules",), settings.rules, {service for services in asked.values() for service in services})
    for at, each in enumerate(overlays):
        services = {service for laid, services in asked.items() if at in laid for service in services}
        yield Scope(("overlays", str(at), "rules"), each.rules, services)


def all_services(settings: PolicySettings) -> Iterator[tuple[Keys, Sequence[str]]]:
    """The services that the base names, and each overlay that names some, and where."""
    yield ("services",), settings.services
    for at, overlay in enumerate(settings.overlays):
        if overlay.services is not None:
            yield ("overlays", str(at), "services"), overlay.services


def said_as_list(names: Sequence[str], most: int = 3) -> str:
    """Name the first of many: `a, b, c and 4 more`."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
