"""Routes that are weaker than advised, and services that there may not be: P008, P015. Pure."""

from collections.abc import Iterator

from consumer.config import Config
from consumer.policy.lint.concern import Concern, Keys, all_services
from consumer.policy.schema import PolicySettings
from consumer.records import STRICTNESS, Decision
from consumer.vendor_facts.aliyun import is_documented

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
    """Look whether the provider documents each service for the regions that are called, where these are known."""
    regions = [region.name for region in config.provider.regions] if config else [None]
    for keys, named in all_services(settings):
        for nth, service in enumerate(named):
            missing = [region for region in regions if not is_documented(service, region)]
            if missing:
                where = " and ".join(region for region in missing if region) or "any region"
                what = f"{service!r} is no service that the provider's page has for {where}: look for a slip"
                yield Concern("P015", "warning", (*keys, str(nth)), what)
