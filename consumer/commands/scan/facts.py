"""What results depend on beside the image: where one of these is another, an earlier result says nothing. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from consumer.commands.scan.inputs import Inputs
from consumer.policy.ready import expired

Facts = Mapping[str, Any]

_WORDS = {
    "policy": "another policy", "services": "other services", "info": "other information", "region": "another region",
    "endpoint": "another endpoint", "referer": "another referer", "privacy": "other privacy settings",
    "images": "other settings of images", "scan": "other scenes",
    "expired": "a time before a rule of the policy expired",
}  # fmt: skip
_TOLD_ANEW = {"context", "keep_query"}
"""Of the privacy settings those that say nothing of an answer."""


_OF_PICTURES = {"frames", "oversize", "convert", "max_decoded_megapixels"}
"""What decides which pictures of a file are asked about."""


def facts_of(inputs: Inputs, now: float) -> Facts:
    """
    The facts of a scan, at `now` in unix seconds.

    Of the regions the first: the second one has the same configuration at the provider, or may not be configured.
    """
    provider, settings = inputs.config.provider, inputs.policy.settings
    asked = settings.all_asked
    region, endpoint = provider.regions[0]
    return {
        "policy": inputs.policy.sha256,
        "services": list(asked.services),
        "info": list(asked.info),
        "region": region,
        "endpoint": endpoint,
        "referer": provider.referer,
        **({"scan": inputs.config.scan.model_dump(mode="json")} if provider.is_scan else {}),
        "expired": sorted(expired(settings.all_rules, now)),
        "images": inputs.config.images.model_dump(mode="json", include=_OF_PICTURES),
        "privacy": inputs.config.privacy.model_dump(mode="json", exclude=_TOLD_ANEW),
    }


def differences(ours: Facts, theirs: Facts) -> frozenset[str]:
    """The names of those that are not the same. A policy with other services or information is named by these."""
    names = {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)}
    return frozenset(names - {"policy"} if names & {"services", "info"} else names)


def in_words(names: Iterable[str]) -> str:
    """Name facts, for people."""
    return " and ".join(_WORDS.get(name, name) for name in sorted(names))
