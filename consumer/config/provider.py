"""
Where and how the provider is called, how many calls it may get, and what is done about failures.
"""

from collections.abc import Iterator, Mapping
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

from consumer.config.base import Contradictions, Seconds, Settings
from consumer.config.problems import nearest, shown
from consumer.loopback import is_loopback
from consumer.proxies import NONE, SETTING, read_proxy
from consumer.vendor_facts import scan
from consumer.vendor_facts.aliyun import (
    CONFIGURATION_GROUPS,
    DEFAULT_REGION,
    KEY_VARIABLES,
    OWN_STORE,
    PROVIDER,
    REGIONS,
    base_url,
)
from consumer.vendor_facts.vendor import OnlyService, OwnStore


class RegionUrl(NamedTuple):
    """One of the provider's regions and where it is called: scheme and host, without a path."""

    name: str
    base_url: str


class GivenEndpoint(NamedTuple):
    """Where calls go instead of to the vendor."""

    host: str
    goes_in_clear: bool
    """Whether calls leave this machine without TLS."""

    @classmethod
    def of(cls, url: str) -> "GivenEndpoint":
        """Read a URL that `_endpoint` has accepted."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        return cls(host, parts.scheme == "http" and not is_loopback(host))


def _proxy(text: str | None) -> str | None:
    text = (text or "").strip()
    if text and text != NONE:
        read_proxy(text, SETTING)  # raises
    return text or None


def _endpoint(text: str | None) -> str | None:
    if text is None:
        return None
    if not text.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    try:
        url = urlsplit(text)
    except ValueError:  # half an IPv6 address
        url = urlsplit("")
    if not url.hostname or (url.path.rstrip("/"), url.query, url.username) != ("", "", None):
        raise ValueError("must be scheme and host, such as http://127.0.0.1:8080")
    return text.rstrip("/")


Endpoint = Annotated[str | None, AfterValidator(_endpoint)]


class ProviderSettings(Settings):
    """Where and how the provider is called. Keys come from the environment or from files, never from here."""

    api: Literal["image-moderation-2.0", "scan-1.0"] = Field(
        "image-moderation-2.0",
        description="Which of the provider's APIs is asked. `scan-1.0`, the older one, is asked about `scan.scenes` "
        "instead of the policy's services; its quota is images a second, and each scene of an image is billed.",
    )
    region: str = Field(DEFAULT_REGION, description="The provider's region that is called.")
    fallback_region: str | None = Field(
        None, description="The region that is called while `region` fails. Both must share one console configuration."
    )
    network: Literal["public", "vpc"] = Field("public", description="`vpc` where this runs inside the provider's VPC.")
    endpoint: Endpoint = Field(
        None, description="Base URL instead of the region's, such as `http://127.0.0.1:8080` for the emulator."
    )
    fallback_endpoint: Endpoint = Field(None, description="Base URL instead of the fallback region's.")
    allow_clear_text: bool = Field(
        False,
        description="Call an `http://` endpoint on another machine, without TLS: everyone on the network path can read "
        "image URLs and forge verdicts. Needed for an emulator in another container, and for nothing else.",
    )
    data_id: Literal["optional", "learn"] = Field(
        "optional",
        description="Whether answers must name the image that was asked about (`DataId`; another's is always refused). "
        "`optional`: absent or empty is accepted. `learn`: once a service in a region has named it 20 times in a row, "
        "an answer that does not is `malformed` until the next start, so a service that stops naming it fills review.",
    )
    proxy: Annotated[str | None, AfterValidator(_proxy)] = Field(
        None,
        repr=False,
        description="Proxy to call the provider through, `http://user:password@host:port` (or https). Null uses "
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY; `none` uses no proxy, whatever those say.",
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
        description="The Referer that the provider sends when it downloads an image, for hosts that refuse hotlinks.",
    )
    connect_timeout: Seconds = Field(3.0, description="Seconds for a new connection.")
    read_timeout: Seconds = Field(
        10.0,
        description="Seconds for a whole answer. If shorter than the provider's own limit, answers are paid for and "
        "discarded.",
    )
    max_in_flight: PositiveInt = Field(
        64,
        description="Calls at the same time. Below 1.5 × quota × latency this, not the quota, is the limit. A crash "
        "pays for all of them again.",
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        problems = [*self._wrong_fallback(), *self._wrong_endpoints(), *self._unknown_to_scan(), *self._clear_text()]
        if problems:
            raise Contradictions(*problems)
        return self

    def _wrong_fallback(self) -> Iterator[tuple[str, ...]]:
        first, second = self.region, self.fallback_region
        if second is None:
            if self.fallback_endpoint is not None:
                yield "fallback_endpoint", "needs a fallback_region"
            return
        if self.is_scan:
            yield "fallback_region", "is not for api: scan-1.0, whose regions share no configuration: remove it", "api"
        elif first == second:
            yield "fallback_region", f"must be another region than {first}", "region"
        elif second not in REGIONS and self.fallback_endpoint is None:
            pass  # said of the endpoint
        elif not any(first in group and second in group for group in CONFIGURATION_GROUPS):
            shared = "; ".join(", ".join(group) for group in CONFIGURATION_GROUPS)
            yield (
                "fallback_region",
                f"is {shown(second)}, which does not share the configuration of {first}; regions that share one: "
                f"{shared}",
                "region",
            )
        if self.endpoint is not None and self.fallback_endpoint is None:
            yield "fallback_region", f"needs a fallback_endpoint, because endpoint is for {first} only", "endpoint"

    def _wrong_endpoints(self) -> Iterator[tuple[str, ...]]:
        for setting, region, endpoint in (
            ("region", self.region, self.endpoint),
            ("fallback_region", self.fallback_region, self.fallback_endpoint),
        ):
            if region is None or endpoint is not None:
                continue
            known = scan.REGIONS if self.is_scan else tuple(REGIONS)
            if region not in known:
                near = nearest(region, known)
                hint = f"; did you mean {near}?" if near else ""
                yield setting, f"must be one of {', '.join(known)} (given: {shown(region)}){hint}"
            elif self.is_scan and self.network == "vpc":
                yield "network", "needs an endpoint with api: scan-1.0: the provider's page names none in a VPC", "api"
            elif self.network == "vpc" and not REGIONS[region]:
                yield setting, f"{region} has no VPC endpoint", "network"

    def _unknown_to_scan(self) -> Iterator[tuple[str, ...]]:
        if self.is_scan and self.referer is not None:
            yield "referer", "is not for api: scan-1.0, which sends none: remove it", "api"

    def _clear_text(self) -> Iterator[tuple[str, ...]]:
        if self.allow_clear_text:
            return
        for setting, endpoint in self.endpoints.items():
            if endpoint.goes_in_clear:
                yield (
                    setting,
                    f"is http:// to {endpoint.host}, which is another machine: everyone on the way could read image "
                    "URLs and forge verdicts; use https://, or set provider.allow_clear_text: true for an emulator",
                    "allow_clear_text",
                )

    @property
    def endpoints(self) -> Mapping[str, "GivenEndpoint"]:
        """The endpoints that are given, by the setting that gives them."""
        given = {"endpoint": self.endpoint, "fallback_endpoint": self.fallback_endpoint}
        return {setting: GivenEndpoint.of(url) for setting, url in given.items() if url is not None}

    @property
    def name(self) -> str:
        """What verdicts call the provider."""
        return scan.PROVIDER if self.is_scan else PROVIDER

    @property
    def is_scan(self) -> bool:
        """Whether the 1.0 API is asked."""
        return self.api == "scan-1.0"

    @property
    def only_service(self) -> OnlyService | None:
        """The one service that the API has; None where the policy chooses among several."""
        return scan.ONLY_SERVICE if self.is_scan else None

    @property
    def own_store(self) -> OwnStore:
        """The store that the provider reads itself."""
        return OWN_STORE

    @property
    def key_variables(self) -> Mapping[str, str]:
        """The environment's variables of the account's key, by its part."""
        return KEY_VARIABLES

    @property
    def regions(self) -> tuple[RegionUrl, ...]:
        """The regions that may be asked, the best first."""
        first = RegionUrl(self.region, self._base_url(self.region, self.endpoint))
        if self.fallback_region is None:
            return (first,)
        return first, RegionUrl(self.fallback_region, self._base_url(self.fallback_region, self.fallback_endpoint))

    def _base_url(self, region: str, endpoint: str | None) -> str:
        if endpoint is not None:
            return endpoint
        return scan.base_url(region) if self.is_scan else base_url(region, vpc=self.network == "vpc")


class QuotaSettings(Settings):
    """How many calls the account may send."""

    qps: PositiveInt = Field(
        100, description="The account's calls a second, for all replicas together. Vendor: 100 unless it was raised."
    )
    reserve: NonNegativeInt = Field(
        0, description="Calls a second of `qps` that are left to other users of the account. Less than `qps`."
    )
    jitter: NonNegativeFloat = Field(
        0.02,
        le=1.0,
        description="Seconds by which network delays may vary: at most `qps` calls are sent in 1 s + jitter.",
    )
    burst: NonNegativeFloat = Field(
        0.03, le=0.5, description="Share of `qps` that may be sent at once, to catch up after this process was stalled."
    )

    @model_validator(mode="after")
    def _leaves_something(self) -> Self:
        if self.reserve >= self.qps:
            raise Contradictions(
                ("reserve", f"is {self.reserve} and must be less than qps, which is {self.qps}", "qps")
            )
        return self


class LaneSettings(Settings):
    """Input topics that share a part of the quota."""

    topics: tuple[str, ...] = Field(min_length=1, description="Of `kafka.topics`; each is in exactly one lane.")
    weight: PositiveFloat = Field(
        1.0,
        le=1_000_000,
        description="Its share of the quota, relative to the other lanes' weights. Other lanes may use an idle lane's "
        "share.",
    )


class RetrySettings(Settings):
    """When a failed call is made again."""

    first_delay: Seconds = Field(0.5, description="Longest delay before the second attempt, in seconds (full jitter).")
    max_delay: Seconds = Field(30.0, description="Longest delay between two attempts, in seconds.")
    attempts: PositiveInt = Field(
        5,
        description="Attempts at an image for which the provider or the account keeps failing while other images are "
        "answered.",
    )
    others_answered: PositiveInt = Field(
        20,
        description="Other images that must be answered in the meantime before such a failure counts against the "
        "image.",
    )
    fetch_attempts: PositiveInt = Field(
        3, description="Attempts at an image that the provider cannot fetch, before it goes to review."
    )


class BreakerSettings(Settings):
    """When calls to the provider stop, except for probes."""

    provider_failures: PositiveInt = Field(10, description="Failures of the provider in a row.")
    account_failures: PositiveInt = Field(5, description="Refusals of the account in a row: key, permission, clock.")
    probe_interval: Seconds = Field(1.0, description="Seconds between probes, one call each.")
