"""What a policy changes without saying so, or at a cost: P016, P017. Pure."""

from collections.abc import Iterator

from consumer.policy.lint.concern import Before, Concern, Published
from consumer.policy.schema import PolicySettings


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
    if added := [service for service in settings.services if service not in before.services]:
        one, two = len(before.services), len(settings.services)
        grow = f"calls and cost grow from {one} to {two} an image ({two / one - 1:+.0%})"
        still = f"calls and cost stay at {two} an image" if one == two else f"there are {two} calls an image, not {one}"
        yield Concern("P017", "warning", ("services",), f"adds {', '.join(added)}: {grow if two > one else still}")
