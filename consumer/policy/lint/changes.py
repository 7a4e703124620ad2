"""What a policy changes without saying so, or at a cost: P016, P017. Pure."""

from collections.abc import Iterator
from itertools import product

from consumer.policy.lint.concern import Before, Concern, Keys, Published
from consumer.policy.overlays import OverlayIndex, asked_of
from consumer.policy.schema import PolicySettings

ANY = "\0"
"""A tenant, or a purpose, that no overlay names."""


def since(settings: PolicySettings, before: Before) -> Iterator[Concern]:
    """Compare with the policy that this one follows."""
    if not before.says_the_same:
        yield from _not_raised(settings, before.settings.version, "the policy before it")
    yield from _calls(settings, before.settings)


def since_published(settings: PolicySettings, published: Published) -> Iterator[Concern]:
    """Compare with the policy of the newest verdict."""
    policy = published.policy
    if policy is None:
        yield _not_compared("there is no verdict yet")
    elif policy.id != settings.policy:
        yield _not_compared(f"{policy.id!r} decided the newest verdict")
    elif not published.says_the_same:
        yield from _not_raised(settings, policy.version, "the one that decided the newest verdict")


def _not_compared(why: str) -> Concern:
    return Concern("P016", "warning", ("version",), f"was not compared: {why}")


def _not_raised(settings: PolicySettings, version: int, known_as: str) -> Iterator[Concern]:
    if settings.version <= version:
        what = f"is {settings.version}, and {known_as} has {version} and says something else: raise it"
        yield Concern("P016", "unsafe", ("version",), what)


def _calls(settings: PolicySettings, before: PolicySettings) -> Iterator[Concern]:
    """Services that are added, wherever they are, each growth once."""
    olds, news = OverlayIndex(before.overlays), OverlayIndex(settings.overlays)
    told: set[tuple[Keys, str]] = set()
    for tenant, purpose in _everyone(before, settings):
        one = asked_of(before.asked, [before.overlays[at] for at in olds.of(tenant, purpose)]).services
        laid = news.of(tenant, purpose)
        two = asked_of(settings.asked, [settings.overlays[at] for at in laid]).services
        if added := [service for service in two if service not in one]:
            saying = [("overlays", str(at), "services") for at in laid if settings.overlays[at].services is not None]
            keys: Keys = saying[0] if saying else ("services",)
            what = f"adds {', '.join(added)}{_of(tenant, purpose)}: {_growth(len(one), len(two))}"
            if (keys, what.partition(":")[2]) not in told:
                told.add((keys, what.partition(":")[2]))
                yield Concern("P017", "warning", keys, what)


def _everyone(*policies: PolicySettings) -> Iterator[tuple[str, str]]:
    """Each tenant and purpose that an overlay names; those that none does come first, as ANY."""
    whens = [overlay.when for policy in policies for overlay in policy.overlays]
    tenants = dict.fromkeys([ANY, *(tenant for when in whens for tenant in when.tenant)])
    purposes = dict.fromkeys([ANY, *(purpose for when in whens for purpose in when.purpose)])
    return product(tenants, purposes)


def _of(tenant: str, purpose: str) -> str:
    named = [f"{key} {name}" for key, name in (("tenant", tenant), ("purpose", purpose)) if name != ANY]
    return f" for {', '.join(named)}" if named else ""


def _growth(one: int, two: int) -> str:
    if one == two:
        return f"calls and cost stay at {two} an image"
    verb = "grow" if two > one else "fall"
    return f"calls and cost {verb} from {one} to {two} an image ({two / one - 1:+.0%})"
