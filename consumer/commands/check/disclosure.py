"""Whether verdicts can carry what the privacy settings let through. Values in, findings out."""

from collections.abc import Iterator, Sequence

from consumer.commands.check.findings import Finding, warning
from consumer.config.privacy import PrivacySettings
from consumer.vendor_facts.aliyun import INFO_OF


def not_told(privacy: PrivacySettings, info: Sequence[str], policy: str) -> Iterator[Finding]:
    """Name the settings that let through what the policy, a file of that name, does not ask for."""
    for setting, needed in INFO_OF.items():
        told = getattr(privacy, setting)
        if told not in (False, "none") and not set(needed) & set(info):
            yield warning(
                "privacy", f"{setting}: verdicts can only carry it where the info of {policy} has {' or '.join(needed)}"
            )
