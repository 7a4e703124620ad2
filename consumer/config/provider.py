"""
Where and how the provider is called, how many calls it may get, and what is done about failures.
"""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from consumer.config.base import Settings
from consumer.proxies import NONE, SETTING, read_proxy
from consumer.vendor_facts.aliyun import CONFIGURATION_GROUPS, DEFAULT_REGION, REGIONS, base_url


class RegionUrl(NamedTuple):
    """One of the provider's regions and where it is called: scheme and host, without a path."""

    name: str
    base_url: str


def _proxy(text: str | None) -> str | None:
    text = (text or "").strip()
    if text and text != NONE:
        read_proxy(text, SETTING)  # raises
    return text or None


class ProviderSettings(Settings):
    """Where and how the provider is called. Keys come from the environment or from files, never from here."""

    region: str = Field(DEFAULT_REGION, description="Which of the provider's regions answers.")
    fallback_region: str | None = Field(
        None, description="Which one answers while `region` fails. It must be one that shares its configuration."
    )
    network: Literal["public", "vpc"] = Field("public", description="`vpc` where this runs inside the provider's VPC.")
    endpoint: str | None = Field(
        None, description="Base URL instead of the region's, such as `http://127.0.0.1:8080` for the emulator."
    )
    fallback_endpoint: str | None = Field(None, description="Base URL instead of the fallback region's.")
    proxy: Annotated[str | None, AfterValidator(_proxy)] = Field(
        None,
        description="Proxy to call the provider through, `http://user:password@host:port` (or https). Null obeys "
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY; `none` uses no proxy whatever they say.",
    )
    ca_file: Path | None = Field(
        None,
        description="The authorities that the provider's certificate, and an https proxy's, must come from, in PEM; "
        "without it the system's, or those of SSL_CERT_FILE and SSL_CERT_DIR.",
    )
    key_files: Path | None = Field(
        None,
        description="Folder of access-key-id, access-key-secret and, for a temporary key, security-token, such as a "
        "mounted secret, seen from this file's folder. Read again when they change; the environment's key is not used.",
    )
    referer: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="What the provider sends as Referer when it downloads an image, for hosts that refuse hotlinks.",
    )
    connect_timeout: PositiveFloat = Field(3.0, description="Seconds for a new connection.")
    read_timeout: PositiveFloat = Field(
        10.0, description="Seconds for a whole answer. Shorter than the provider's own limit pays and discards answers."
    )
    max_in_flight: PositiveInt = Field(
        64,
        description="Calls at once. Must be 1.5 × quota × latency or it, not the quota, limits. "
        "A crash pays for all of them again.",
    )

    @model_validator(mode="after")
    def _falls_back_to_the_same_configuration(self) -> Self:
        first, second = self.region, self.fallback_region
        if second is None:
            if self.fallback_endpoint is not None:
                raise ValueError("fallback_endpoint needs a fallback_region")
            return self
        if first == second:
            raise ValueError(f"fallback_region must be another region than {first}")
        if not any(first in group and second in group for group in CONFIGURATION_GROUPS):
            shared = "; ".join(", ".join(group) for group in CONFIGURATION_GROUPS)
            raise ValueError(
                f"fallback_region {second} must share the configuration of {first}; those that do: {shared}"
            )
        if self.endpoint is not None and self.fallback_endpoint is None:
            raise ValueError(f"endpoint stands for {first} only: fallback_region {second} needs a fallback_endpoint")
        return self

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        _ = self.regions  # raises
        return self

    @property
    def regions(self) -> tuple[RegionUrl, ...]:
        """The regions that may be asked, the best first. `ValueError` escapes where one cannot be reached."""
        first = RegionUrl(self.region, self._base_url("endpoint", self.region, self.endpoint))
        if self.fallback_region is None:
            return (first,)
        url = self._base_url("fallback_endpoint", self.fallback_region, self.fallback_endpoint)
        return first, RegionUrl(self.fallback_region, url)

    def _base_url(self, setting: str, region: str, endpoint: str | None) -> str:
        if endpoint is not None:
            if not endpoint.startswith(("http://", "https://")):
                raise ValueError(f"{setting} must begin with http:// or https://, got {endpoint!r}")
            url = urlsplit(endpoint)
            if not url.hostname or (url.path.rstrip("/"), url.query, url.username) != ("", "", None):
                raise ValueError(f"{setting} must be scheme and host, such as http://127.0.0.1:8080")
            return endpoint.rstrip("/")
        if region not in REGIONS:
            raise ValueError(f"region {region!r} is none of {', '.join(REGIONS)}")
        if self.network == "vpc" and not REGIONS[region]:
            raise ValueError(f"region {region} has no VPC endpoint")
        return base_url(region, vpc=self.network == "vpc")


class QuotaSettings(Settings):
    """How many calls the account may send."""

    qps: PositiveInt = Field(
        100, description="The account's calls a second, for all replicas together. Vendor: 100 unless it was raised."
    )
    reserve: NonNegativeInt = Field(
        0, description="Calls a second of these that are left to other users of the account. Less than `qps`."
    )
    jitter: NonNegativeFloat = Field(
        0.02,
        le=1.0,
        description="Seconds by which the network may bunch calls: no more than `qps` depart in 1 s + jitter.",
    )
    burst: NonNegativeFloat = Field(
        0.03, le=0.5, description="Share of `qps` that may depart at once, to catch up after a stall of this process."
    )

    @model_validator(mode="after")
    def _leaves_something(self) -> Self:
        if self.reserve >= self.qps:
            raise ValueError(f"reserve ({self.reserve}) must be less than qps ({self.qps}), or nothing is left to send")
        return self


class LaneSettings(Settings):
    """Input topics that share a part of the quota."""

    topics: tuple[str, ...] = Field(min_length=1, description="Of `kafka.topics`; each is in exactly one lane.")
    weight: PositiveFloat = Field(
        1.0,
        allow_inf_nan=False,
        description="Its part of the quota, beside the other lanes' weights. An idle lane lends its part.",
    )


class RetrySettings(Settings):
    """When a failed call is asked again."""

    first_delay: PositiveFloat = Field(0.5, description="Seconds before the second attempt, at most (full jitter).")
    max_delay: PositiveFloat = Field(30.0, description="Seconds between two attempts, at most.")
    attempts: PositiveInt = Field(
        5, description="Attempts at an image that provider or account keep failing while they answer about others."
    )
    others_answered: PositiveInt = Field(
        20, description="Other images that must be answered meanwhile, before such a failure is the image's own."
    )
    fetch_attempts: PositiveInt = Field(
        3, description="Attempts at an image that the provider cannot fetch, before it goes to review."
    )


class BreakerSettings(Settings):
    """When the provider is not asked any more, but for a probe."""

    provider_failures: PositiveInt = Field(10, description="Failures of the provider in a row.")
    account_failures: PositiveInt = Field(5, description="Refusals of the account in a row: key, permission, clock.")
    probe_interval: PositiveFloat = Field(1.0, description="Seconds between probes, one call each.")
