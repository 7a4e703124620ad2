"""Routes that are weaker than advised, and services that there may not be: P008, P015. Pure."""

from collections.abc import Iterator, Sequence

from consumer.config import Config
from consumer.config.problems import nearest
from consumer.policy.lint.concern import Concern, Keys, all_services, said_as_list
from consumer.policy.schema import PolicySettings
from consumer.records import STRICTNESS, Decision
from consumer.vendor_facts.aliyun import DOCUMENTED, is_documented
from consumer.vendor_facts.scan import SERVICE

ADVISED = {"high": Decision.BLOCK, "medium": Decision.REVIEW}
"""Vendor: act on high, review medium, treat low as none."""


def routes(settings: PolicySettings) -> Iterator[Concern]:
    """Look at the routes, of the base and of overlays."""
    if settings.acknowledge_vendor_advice:
        return
    overlays = [(("overlays", str(at), "route"), each) for at, each in enumerate(settings.overlays)]
    for level, advised in ADVISED.items():
        laid = [(keys, getattr(overlay.route, level)) for keys, overlay in overlays]
        everywhere: list[tuple[Keys, str | None]] = [(("route",), getattr(settings.route, level)), *laid]
        for keys, decision in everywhere:
            if decision is not None and STRICTNESS[Decision(decision)] < STRICTNESS[advised]:
                what = (
                    f"is {decision}, weaker than the {advised.value} that the provider advises: write {advised.value}, "
                    "or acknowledge_vendor_advice: true"
                )
                yield Concern("P008", "unsafe", (*keys, level), what)


def services(settings: PolicySettings, config: Config | None) -> Iterator[Concern]:
    """
    Look whether the provider's page has each service for the regions that are called.

    Where these are not known, only a name that is almost that of a service is told.
    """
    for keys, named in all_services(settings):
        for nth, service in enumerate(named):
            near = nearest(service, DOCUMENTED, likeness=0.85)
            where = said_as_list(_missing_in(service, config)) if config else "any region" if near else ""
            if service not in (*DOCUMENTED, SERVICE) and where:
                hint = f"did you mean {near}?" if near else "look for a slip"
                what = f"{service!r} is no service that the provider's page has for {where}: {hint}"
                yield Concern("P015", "warning", (*keys, str(nth)), what)


def _missing_in(service: str, config: Config) -> Sequence[str]:
    return [region.name for region in config.provider.regions if not is_documented(service, region.name)]
