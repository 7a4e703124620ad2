"""
Every setting with its trade-off, frozen.

Defaults, then the YAML file, then the environment (`MODERATION__KAFKA__GROUP_ID=…`), then `--set kafka.group_id=…`: the
later wins. Unknown keys are refused, and all problems are reported at once, each with the place it came from. No other
module reads the environment.
"""

import hashlib
import ipaddress
import re
import string
from collections.abc import Hashable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    model_validator,
)

from consumer.errors import Misconfigured
from consumer.lanes import DEFAULT, whole_parts
from consumer.proxies import NONE, SETTING, read_proxy
from consumer.redaction import redacted
from consumer.shipped import shipped

ENVIRONMENT_PREFIX = "MODERATION__"
# Vendor: the variables that its own tools read.
KEY_ID = "ALIBABA_CLOUD_ACCESS_KEY_ID"
KEY_SECRET = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
SECURITY_TOKEN = "ALIBABA_CLOUD_SECURITY_TOKEN"
KEY_VARIABLES = {"access_key_id": KEY_ID, "access_key_secret": KEY_SECRET, "security_token": SECURITY_TOKEN}
# Texts, whatever YAML would make of them; and what is given for them is never shown.
_TEXTS = {("kafka", "security", "sasl", name) for name in ("username", "password")}
# What is given for these is never shown either: a proxy may have a password.
_UNSHOWN = _TEXTS | {("provider", "proxy")}
KEY_FILES = {part: part.replace("_", "-") for part in KEY_VARIABLES}

_HEADER_VALUE = re.compile(r"[!-~]+")

# Vendor: the regions of Image Moderation 2.0, international and mainland, and which of them have a VPC endpoint.
REGIONS = {
    "ap-southeast-1": True,
    "eu-west-1": False,
    "us-east-1": True,
    "us-west-1": False,
    "eu-central-1": True,
    "cn-shanghai": True,
    "cn-beijing": True,
    "cn-hangzhou": True,
    "cn-shenzhen": True,
    "cn-chengdu": False,
}
# Vendor: London uses Singapore's console configuration; Silicon Valley and Frankfurt use Virginia's.
CONFIGURATION_GROUPS = (("ap-southeast-1", "eu-west-1"), ("us-east-1", "us-west-1", "eu-central-1"))


class Settings(BaseModel):
    """A frozen part of the tree that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class OutputTopics(Settings):
    """Where verdicts and dead letters go."""

    block: str = "moderation.block"
    review: str = "moderation.review"
    pass_: str = Field("moderation.pass", alias="pass")
    dead_letter: str = "moderation.dead-letter"

    @model_validator(mode="after")
    def _are_four_topics(self) -> Self:
        if len(set(self.all)) < len(self.all):
            raise ValueError(f"each outcome needs a topic of its own, got {', '.join(self.all)}")
        return self

    @property
    def all(self) -> tuple[str, ...]:
        """Every topic that an outcome can be in. Code that reads or checks the outputs takes them from here."""
        return (*self.by_decision.values(), self.dead_letter)

    @property
    def by_decision(self) -> Mapping[str, str]:
        """The topic of each decision's verdicts."""
        return {"block": self.block, "review": self.review, "pass": self.pass_}


class TlsSettings(Settings):
    """Whose certificates are trusted and which is shown. All files are PEM, and read again when they change."""

    ca_file: Path | None = Field(
        None, description="The authorities that brokers' certificates must come from; without it, the system's."
    )
    certificate_file: Path | None = Field(
        None, description="Our certificate with its chain, where brokers ask for one (mTLS); needs key_file."
    )
    key_file: Path | None = Field(None, description="Its private key; may be the same file.")
    key_password_file: Path | None = Field(None, description="What the private key is encrypted with.")
    check_hostname: bool = Field(
        True,
        description="Whether a broker's certificate must name the host that is called. `false` lets any holder of "
        "a trusted certificate pose as a broker.",
    )

    def contradictions(self) -> Iterator[str]:
        if self.certificate_file and not self.key_file:
            yield "tls.certificate_file needs tls.key_file (the same file where it holds both)"
        if self.key_file and not self.certificate_file:
            yield "tls.key_file needs tls.certificate_file"
        if self.key_password_file and not self.key_file:
            yield "tls.key_password_file needs tls.key_file"


class SaslSettings(Settings):
    """How this service says who it is. Files are read again when they change."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    username: str | None = Field(None, min_length=1)
    password_file: Path | None = Field(
        None, description="File of the password, such as a mounted secret. A line break at its end is no part of it."
    )
    password: SecretStr | None = Field(
        None,
        min_length=1,
        description="Instead of a file, for the environment: MODERATION__KAFKA__SECURITY__SASL__PASSWORD. Written here "
        "it is as safe as this file.",
    )
    token_file: Path | None = Field(
        None,
        description="OAUTHBEARER: file of the token, such as a projected service-account token. Read for each "
        "connection, so whoever renews it need tell nobody.",
    )
    extensions: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z]+$")], Annotated[str, Field(pattern=r"^[ -~\t\r\n]+$")]
    ] = Field({}, description="OAUTHBEARER: what the broker wants to know beside the token, such as `logicalCluster`.")
    allow_clear_text: bool = Field(
        False,
        description="Send a password (PLAIN) or token (OAUTHBEARER) without TLS, for everybody on the way to read.",
    )

    def contradictions(self) -> Iterator[str]:
        if self.mechanism is None:
            named = ("username", "password_file", "password", "token_file", "extensions", "allow_clear_text")
            if given := [f"sasl.{name}" for name in named if getattr(self, name)]:
                yield f"{', '.join(given)}: without sasl.mechanism nobody is told"
        elif self.mechanism == "OAUTHBEARER":
            if self.token_file is None:
                yield "sasl.mechanism OAUTHBEARER needs sasl.token_file"
            for name in ("username", "password_file", "password"):
                if getattr(self, name):
                    yield f"sasl.mechanism OAUTHBEARER takes no sasl.{name}"
        else:
            yield from self._contradictions_of_a_password()

    def _contradictions_of_a_password(self) -> Iterator[str]:
        if self.username is None:
            yield f"sasl.mechanism {self.mechanism} needs sasl.username"
        if self.password_file is None and self.password is None:
            yield f"sasl.mechanism {self.mechanism} needs sasl.password_file, or sasl.password from the environment"
        if self.password_file is not None and self.password is not None:
            yield "sasl.password_file and sasl.password (or its variable) are both given: only one can be meant"
        for name in ("token_file", "extensions"):
            if getattr(self, name):
                yield f"sasl.mechanism {self.mechanism} takes no sasl.{name}"


class KafkaSecurity(Settings):
    """How brokers and this service know each other."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Kafka's `security.protocol`: what the brokers' listener speaks. SSL means TLS."
    )
    tls: TlsSettings = TlsSettings()
    sasl: SaslSettings = SaslSettings()

    @property
    def uses_tls(self) -> bool:
        return self.protocol in ("SSL", "SASL_SSL")

    @property
    def uses_sasl(self) -> bool:
        return self.protocol in ("SASL_PLAINTEXT", "SASL_SSL")

    @model_validator(mode="after")
    def _is_of_one_mind(self) -> Self:
        problems = [*self._contradictions(), *self.tls.contradictions(), *self.sasl.contradictions()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _contradictions(self) -> Iterator[str]:
        if not self.uses_tls and self.tls != TlsSettings():
            yield f"tls is set, but protocol {self.protocol} has no TLS: SSL and SASL_SSL do"
        if self.uses_sasl and self.sasl.mechanism is None:
            yield f"protocol {self.protocol} needs sasl.mechanism"
        if not self.uses_sasl and self.sasl.mechanism is not None:
            yield f"sasl.mechanism is set, but protocol {self.protocol} has no SASL: SASL_SSL and SASL_PLAINTEXT do"
        if (
            self.protocol == "SASL_PLAINTEXT"
            and self.sasl.mechanism in ("PLAIN", "OAUTHBEARER")
            and not self.sasl.allow_clear_text
        ):
            yield (
                f"sasl.mechanism {self.sasl.mechanism} over protocol SASL_PLAINTEXT shows the secret to everybody on "
                "the way: use SASL_SSL or a SCRAM mechanism, or set sasl.allow_clear_text"
            )


DamagedBatch = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+/\d{1,9}@\d{1,18}(-\d{1,18})?$")]


_BROKER = re.compile(r"(\[[0-9A-Fa-f:.]+(%[\w.-]+)?\]|[^\s:/@\[\],]+)(:(?P<port>\d{1,5}))?")


def _are_brokers(text: str) -> str:
    """Let `host:port` pass, comma-separated, with or without the port; an IPv6 address with one is in brackets."""
    brokers = [broker for broker in text.strip().split(",") if broker.strip()]
    if not brokers:
        raise ValueError("names no broker: write host:port, comma-separated")
    for broker in brokers:
        told = _BROKER.fullmatch(broker.strip())
        if not _is_ipv6(broker.strip()) and (told is None or not 0 < int(told["port"] or 9092) < 65536):
            raise ValueError(f"{redacted(broker.strip())!r} is no broker: write host:port, such as kafka-1:9092")
    return text


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


class KafkaSettings(Settings):
    """How uploads are read and verdicts written."""

    bootstrap_servers: Annotated[str, AfterValidator(_are_brokers)] = Field(
        "localhost:9092", description="Brokers to ask first, `host:port`, comma-separated."
    )
    client_id: str = "moderation-consumer"
    security: KafkaSecurity = KafkaSecurity()
    group_id: str = Field(
        "moderation-consumer",
        min_length=1,
        description="All replicas share one. It is part of every verdict_id: a new group judges, and pays, anew.",
    )
    topics: tuple[str, ...] = Field(("uploads",), min_length=1, description="Where upload events are read from.")
    outputs: OutputTopics = OutputTopics()
    auto_offset_reset: Literal["earliest", "latest"] = Field(
        "earliest",
        description="Where a topic new to the group begins. `latest` skips, unjudged, what was uploaded before.",
    )
    session_timeout: PositiveFloat = Field(
        30.0, description="Seconds until a silent replica loses its partitions. Shorter recovers sooner, evicts sooner."
    )
    heartbeat_interval: PositiveFloat = Field(
        3.0, description="Seconds. Also how long the others may wait before they notice a rebalance."
    )
    rebalance_timeout: PositiveFloat = Field(
        60.0,
        description="Seconds a rebalance waits for this replica to drain. Must exceed `shutdown.drain_on_revoke`, and "
        "be a session and a heartbeat at least: a replica that hangs keeps its part of the quota for a session.",
    )
    commit_interval: PositiveFloat = Field(
        1.0, description="Seconds between commits. Longer commits less and reads more again after a crash."
    )
    max_message_bytes: PositiveInt = Field(
        1_048_576,
        description="The largest upload message. Dead letters may be 16 KiB larger, which their topic must take.",
    )
    max_unacknowledged: PositiveInt = Field(
        256,
        description="Outcomes sent and not acknowledged, at which nothing more is paid for. Must exceed calls a second "
        "× 2 × Kafka's round trip; all of them repeat after a crash.",
    )
    max_partition_fetch_bytes: PositiveInt = Field(
        262_144, description="Bytes fetched ahead per partition; lost, and fetched again, when a partition is paused."
    )

    max_batch_bytes: PositiveInt = Field(
        16_777_216,
        description="The largest batch of records, unpacked; a larger one is a dead letter. It may be held twice, not "
        "for each partition.",
    )
    skip_damaged: tuple[DamagedBatch, ...] = Field(
        (),
        description="Damaged batches that are passed over, each a dead letter: `topic/partition@offset`, or "
        "`topic/partition@first-last` where nobody can tell where the batch ends. Readiness and log name them.",
    )

    @model_validator(mode="after")
    def _reads_nothing_that_it_writes(self) -> Self:
        if loops := sorted(set(self.outputs.all) & set(self.topics)):
            raise ValueError(f"topics that are read must not be outputs: {', '.join(loops)}")
        return self

    @model_validator(mode="after")
    def _outlives_a_heartbeat(self) -> Self:
        if self.heartbeat_interval * 3 > self.session_timeout:
            raise ValueError(
                f"session_timeout ({self.session_timeout} s) must be three heartbeat_interval "
                f"({self.heartbeat_interval} s) or more"
            )
        return self

    @model_validator(mode="after")
    def _proves_its_membership(self) -> Self:
        if self.commit_interval * 3 > self.session_timeout:
            raise ValueError(
                f"session_timeout ({self.session_timeout} s) must be three commit_interval "
                f"({self.commit_interval} s) or more: commits prove that the partitions are still this replica's"
            )
        return self


class JournalSettings(Settings):
    """How the outputs are read back when a partition is taken over, so that nothing is paid or published twice."""

    clock_skew: NonNegativeFloat = Field(
        5.0, description="Seconds by which the clocks of replicas and brokers may differ. More reads further back."
    )
    max_outcomes: PositiveInt = Field(
        1_000_000,
        description="Outcomes known at once, about 80 bytes each. Where the outputs have more, they are read again, "
        "window by window.",
    )
    max_outcomes_per_partition: PositiveInt = Field(
        15_000,
        description="Outcomes published behind the lowest open record of a partition; with more it is not read on "
        "until that record ends. Times the partitions it must not exceed `max_outcomes`.",
    )
    on_limit: Literal["wait", "pay"] = Field(
        "wait",
        description="`wait` reads for as long as it takes. `pay` reads no further after `max_seconds` or "
        "`max_outcomes`: what is not known then may be paid and published again; a metric says so.",
    )
    max_seconds: PositiveFloat = Field(60.0, description="Seconds of reading, where `on_limit` is `pay`.")


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

    region: str = Field("ap-southeast-1", description="Which of the provider's regions answers.")
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
        return f"https://green-cip{'-vpc' if self.network == 'vpc' else ''}.{region}.aliyuncs.com"


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


class AdmissionSettings(Settings):
    """How much is held in memory. The messages waiting here are what keeps the quota busy."""

    max_records: PositiveInt = Field(2_000, description="Messages held by this replica.")
    max_records_per_partition: PositiveInt = Field(
        500,
        description="Messages held of one partition; a full partition is paused, the others go on. Exceeded by no more "
        "than one poll of 100 messages.",
    )
    max_bytes: PositiveInt = Field(
        67_108_864, description="Bytes of messages held. Exceeded by no more than one poll of 100 messages."
    )


class ShutdownSettings(Settings):
    """How long is waited for what is in flight."""

    drain_timeout: PositiveFloat = Field(
        25.0,
        description="Seconds that SIGTERM gives to what is in flight. Closing takes up to 10 s more when no broker "
        "answers; Kubernetes' grace period must be longer than both.",
    )
    drain_on_revoke: PositiveFloat = Field(
        10.0, description="Seconds a rebalance waits for what is in flight. Shorter pays more of it twice."
    )


Disclosure = Literal["none", "count", "hash", "text"]
MOST_TEXTS = 50
LONGEST_TEXT = 256  # characters


class PrivacySettings(Settings):
    """
    What of an image is carried on.

    Texts are told not at all, as their number, as hashes (the first 16 bytes of the SHA-256 of each, in hex) or as they
    are, cut to 256 characters; of hashes and texts at most 50.
    """

    context: Literal["all", "none"] | tuple[str, ...] = Field(
        "all",
        description="What verdicts carry of an event's `context` and `attrs`, for reviewers: `all`, `none`, or a list "
        "of the names of their members.",
    )
    keep_query: bool = Field(
        False, description="Keep the query of image URLs in verdicts. Presigned queries are credentials."
    )
    recognised_text: Disclosure = Field(
        "none",
        description="Lines of text in the image, as `hits.recognised_text`; the policy's info needs textInImage.",
    )
    public_figures: Disclosure = Field(
        "none", description="Names of people, as `hits.figures`; the policy's info needs publicFigure."
    )
    keywords: Disclosure = Field(
        "none", description="Words that were matched, as `hits.keywords`; the policy's info needs textInImage."
    )


class LogSettings(Settings):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = Field(
        "auto", description="`auto` is console on a terminal, else JSON."
    )


class TracingSettings(Settings):
    """
    Whether traces are sent. Where to, how many and by which name is for OpenTelemetry's own variables to say.

    Platforms set those (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME …) for all services alike,
    and a collector's token among them is a secret.
    """

    enabled: bool = Field(
        False,
        description="Send spans of messages, provider calls and verdicts as OTLP over HTTP; needs the extra `otel`.",
    )

    @model_validator(mode="after")
    def _is_installed(self) -> Self:
        if self.enabled and not all(map(_installed, ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"))):
            raise ValueError("tracing.enabled needs the extra otel: pip install 'moderation-consumer[otel]'")
        return self


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the package that it would be in
        return False


class HealthSettings(Settings):
    """Where /livez, /readyz and /metrics are served."""

    host: str = "0.0.0.0"  # noqa: S104 — probes come from outside the pod
    port: int = Field(8080, ge=0, le=65535, description="0 takes a free one, which the log names.")


def _template(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"must begin with http:// or https://, got {url!r}")
    try:
        parts = list(string.Formatter().parse(url))
    except ValueError as error:
        raise ValueError(f"is no template: {error}; got {url!r}") from None
    names = {name for _, name, _, _ in parts if name is not None}
    if not names <= {"bucket", "key"} or "key" not in names:
        raise ValueError(f"takes {{key}} and {{bucket}}, and needs {{key}}, got {url!r}")
    if any(form or conversion for _, _, form, conversion in parts):
        raise ValueError(f"takes no formats or conversions, got {url!r}")
    if "{key}" in url.split("://", 1)[1].replace("?", "/").replace("#", "/").split("/", 1)[0]:
        raise ValueError(f"needs a / between the host and {{key}}, or keys would choose the host; got {url!r}")
    return url


class Include(Settings):
    """Which objects are images. What it leaves out is ignored."""

    keys: tuple[str, ...] = Field(
        (),
        description="Globs on the object's key, without regard to case and to dots and blanks at its end; none means "
        "every key. A way around moderation for whoever chooses the key.",
    )
    content_types: tuple[str, ...] = Field(
        (),
        description="Globs on the content type, without case and parameters; none, application/octet-stream and "
        "others that say nothing fit. A way around moderation for whoever chooses the type.",
    )


class Binding(Settings):
    """What a bucket's objects are, and how the provider reaches them. The longest fitting prefix wins."""

    bucket: str = Field(min_length=1)
    prefix: str = ""
    tenant: str = "default"
    purpose: str = "default"
    via: Literal["url", "oss"] = Field(
        description="`url`: the provider downloads from the template. `oss`: it reads the bucket itself."
    )
    url: Annotated[str, AfterValidator(_template)] | None = Field(
        None, description="Template such as https://cdn.example.com/{key}; the key is percent-encoded into it."
    )
    region: str | None = Field(None, description="The bucket's region for `oss`, where events do not say it.")
    include: Include = Include()
    decode_keys: bool | Literal["auto", "always", "never"] | None = Field(
        None,
        description="Whether keys in notifications are URL-encoded: `always` or true, `never` or false. `auto` or "
        "null: OSS's and EventBridge's are not, S3's are, but for a key with a character that an encoder would have "
        "escaped. Ceph does not encode keys: without `never` a plus in a key of plain characters is a space.",
    )

    @model_validator(mode="after")
    def _says_how(self) -> Self:
        if self.via == "url" and self.url is None:
            raise ValueError("via: url needs a url template")
        if self.via != "url" and self.url is not None:
            raise ValueError(f"via: {self.via} takes no url")
        return self


class CloudEventsSettings(Settings):
    """Which CloudEvents of the topics are none of this service's."""

    ignore: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (),
        description="Globs on the type, with regard to case. An event of such a type that has not an upload's shape is "
        "ignored; of any other type it is a dead letter, `unknown_type`.",
    )


class Config(Settings):
    """The whole configuration."""

    kafka: KafkaSettings = KafkaSettings()
    provider: ProviderSettings = ProviderSettings()
    quota: QuotaSettings = QuotaSettings()
    lanes: dict[str, LaneSettings] = Field(
        {},
        description="By name. None means one lane, `default`, of all topics. Change weights or topics only while no "
        "replica runs: replicas that divide the quota differently exceed it together.",
    )
    retries: RetrySettings = RetrySettings()
    breaker: BreakerSettings = BreakerSettings()
    admission: AdmissionSettings = AdmissionSettings()
    ordering: Literal["key", "none"] = Field(
        "key",
        description="`key`: verdicts of one Kafka key are published in the order of its events. `none`: as they come.",
    )
    journal: JournalSettings = JournalSettings()
    shutdown: ShutdownSettings = ShutdownSettings()
    privacy: PrivacySettings = PrivacySettings()
    logs: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()
    health: HealthSettings = HealthSettings()
    cloudevents: CloudEventsSettings = CloudEventsSettings()
    bindings: tuple[Binding, ...] = ()
    policy: Path = Field(Path("policy.yaml"), description="The policy's file, seen from this file's folder.")

    @model_validator(mode="after")
    def _drains_before_it_is_evicted(self) -> Self:
        if self.shutdown.drain_on_revoke >= self.kafka.rebalance_timeout:
            raise ValueError(
                f"shutdown.drain_on_revoke ({self.shutdown.drain_on_revoke} s) must be shorter than "
                f"kafka.rebalance_timeout ({self.kafka.rebalance_timeout} s)"
            )
        return self

    @model_validator(mode="after")
    def _is_evicted_for_silence_first(self) -> Self:
        # A replica that has stopped keeps its lease for a session; the group must not go on without it before that.
        least = self.kafka.session_timeout + self.kafka.heartbeat_interval
        if self.kafka.rebalance_timeout < least:
            raise ValueError(
                f"kafka.rebalance_timeout ({self.kafka.rebalance_timeout} s) must be kafka.session_timeout plus "
                f"kafka.heartbeat_interval ({least} s) or more, or a replica that hangs calls beside its successor"
            )
        return self

    @model_validator(mode="after")
    def _has_each_topic_in_one_lane(self) -> Self:
        if not self.lanes:
            return self
        named = [topic for lane in self.lanes.values() for topic in lane.topics]
        problems = [
            f"topic {topic} must be in one lane, it is in {named.count(topic)}"
            for topic in sorted(set(self.kafka.topics))
            if named.count(topic) != 1
        ]
        problems += [
            f"lanes.{name}.topics: {topic} is none of kafka.topics"
            for name, lane in self.lanes.items()
            for topic in lane.topics
            if topic not in self.kafka.topics
        ]
        problems += [
            f"lanes.{name}.weight: {self.lanes[name].weight:g} of all weights is less than one call a second of "
            f"{self.quota.qps - self.quota.reserve}"
            for name, calls in self.calls_by_lane.items()
            if not calls
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def all_lanes(self) -> Mapping[str, LaneSettings]:
        """The lanes, where none is configured the one of all topics."""
        return self.lanes or {DEFAULT: LaneSettings(topics=self.kafka.topics)}

    @property
    def weights(self) -> dict[str, float]:
        """By lane."""
        return {name: lane.weight for name, lane in self.all_lanes.items()}

    @property
    def calls_by_lane(self) -> dict[str, int]:
        """Calls a second that each lane is due; they sum to what the reserve leaves."""
        return whole_parts(self.weights, self.quota.qps - self.quota.reserve)

    @property
    def lane_by_topic(self) -> dict[str, str]:
        """Which lane each input topic is in."""
        return {topic: name for name, lane in self.all_lanes.items() for topic in lane.topics}

    @model_validator(mode="after")
    def _binds_each_place_once(self) -> Self:
        places = [(binding.bucket, binding.prefix) for binding in self.bindings]
        if twice := sorted({f"{bucket}/{prefix}" for bucket, prefix in places if places.count((bucket, prefix)) > 1}):
            raise ValueError(f"bindings: bound more than once: {', '.join(twice)}")
        return self


class Route(Settings):
    """Which decision a risk level asks for. Vendor: act on high, review medium, treat low as none."""

    high: Literal["block", "review", "pass"] = "block"
    medium: Literal["block", "review", "pass"] = "review"
    low: Literal["block", "review", "pass"] = "pass"
    none: Literal["block", "review", "pass"] = "pass"


def _never_pass(decision: Any) -> Any:
    if decision == "pass":
        raise ValueError("an image that could not be judged is never passed: review or block")
    return decision


Fallback = Annotated[Literal["review", "block"], BeforeValidator(_never_pass)]


class OnError(Settings):
    """Which decision an image gets that could not be judged, by why."""

    fetch: Fallback = Field("review", description="The provider could not download it.")
    image: Fallback = Field("review", description="Its size or format is refused.")
    input: Fallback = Field("review", description="What is said of it is refused.")
    malformed: Fallback = Field("review", description="The answer was not one that can be trusted.")
    provider: Fallback = Field("review", description="The provider answers others, and never about this image.")
    account: Fallback = Field("review", description="The account may ask about others, and not about this image.")
    clock: Fallback = Field("review", description="As account: the provider says that our time is wrong.")
    internal: Fallback = Field("review", description="A bug of this service.")


class PolicySettings(Settings):
    """What findings lead to."""

    policy: str = Field(min_length=1, description="The policy's name, in every verdict.")
    version: int
    services: tuple[str, ...] = Field(
        ("baselineCheck_global",), min_length=1, description="The provider's services. Each is billed per image."
    )
    info: tuple[Literal["customImage", "textInImage", "publicFigure", "logoData"], ...] = ()
    route: Route = Route()
    strict_recall: bool = Field(False, description="Send low risk to review.")
    on_error: OnError = OnError()


class Policy(Settings):
    """A policy and the digest of the file it came from."""

    settings: PolicySettings
    sha256: str


class Credentials(Settings):
    """The account's key."""

    access_key_id: str
    access_key_secret: SecretStr
    security_token: SecretStr | None = None  # Vendor: temporary keys (STS) have one


Model = TypeVar("Model", bound=Settings)


def load_config(path: Path | None, environment: Mapping[str, str], overrides: Sequence[str] = ()) -> Config:
    """
    Build the configuration from the file at `path`, the environment and `key=value` overrides.

    Raises:
        Misconfigured: with every problem, each naming where the value came from.
    """
    return load_with_origins(path, environment, overrides).config


Origins = Mapping[tuple[str, ...], str]
"""Where values came from, by their keys from the root. What stands below a key came from there too."""


class Loaded(NamedTuple):
    """A configuration, and where its values came from; those that are not named are defaults."""

    config: Config
    origins: Origins


def load_with_origins(path: Path | None, environment: Mapping[str, str], overrides: Sequence[str] = ()) -> Loaded:
    """
    As `load_config`, and say where the values came from.

    Raises:
        Misconfigured: with every problem, each naming where the value came from.
    """
    problems: list[str] = []
    tree, origins = _merged(path, environment, overrides, problems)
    config = _validate(Config, tree, origins, problems)
    return Loaded(_located(path, config, origins), origins)


def load_sound_part(
    path: Path | None, environment: Mapping[str, str], overrides: Sequence[str] = ()
) -> tuple[Config | None, frozenset[str]]:
    """
    Of a configuration that is wrong, return what can be used, and the sections that cannot and hold their defaults.

    Keys that are no settings are left out. None where the file cannot be read, or where the sections contradict each
    other.
    """
    try:
        tree, origins = _merged(path, environment, overrides, [])
        Config.model_validate(tree)
    except Misconfigured:
        return None, frozenset()
    except ValidationError as error:
        broken = _without_problems(tree, error)
    else:
        broken = frozenset()
    try:
        config = Config.model_validate(tree)
    except ValidationError:
        return None, broken
    return _located(path, config, origins), broken


def _without_problems(tree: dict[str, Any], error: ValidationError) -> frozenset[str]:
    """Remove from the tree what is no setting, and each section that is wrong; return those sections' names."""
    broken = set()
    for problem in error.errors():
        *parents, last = problem["loc"] or ("",)
        if problem["type"] != "extra_forbidden":
            broken.add(str(problem["loc"][0]) if problem["loc"] else "")
        else:
            holder: Any = tree
            for step in parents:
                holder = holder[step]
            del holder[last]
    for section in broken:
        tree.pop(section, None)
    return frozenset(broken)


def _merged(
    path: Path | None, environment: Mapping[str, str], overrides: Sequence[str], problems: list[str]
) -> tuple[dict[str, Any], dict[tuple[str, ...], str]]:
    """Lay the sources over each other; the later wins."""
    tree: dict[str, Any] = {}
    origins: dict[tuple[str, ...], str] = {}
    if path is not None:
        tree = _read_yaml(path)
        origins[()] = str(path)
    for origin, keys, value in (*_from_environment(environment), *_from_overrides(overrides, problems)):
        try:
            _put(tree, keys, value)
        except ValueError as error:
            problems.append(f"{origin}: {error}")
        origins[keys] = origin
    return tree, origins


def _located(path: Path | None, config: Config, origins: Origins) -> Config:
    """Resolve paths as seen from the file's folder. Without a file the policy is the release's, unless one is named."""
    if path is not None:
        return _seen_from(path.parent, config)
    return config if ("policy",) in origins else config.model_copy(update={"policy": shipped("policy.yaml")})


def _seen_from(folder: Path, settings: Model) -> Model:
    """Resolve the paths in a configuration; one that is absolute stays as it is."""
    seen: dict[str, Any] = {}
    for name, value in settings:
        if isinstance(value, Path):
            seen[name] = folder / value
        elif isinstance(value, Settings):
            seen[name] = _seen_from(folder, value)
    return settings.model_copy(update=seen)


def load_policy(path: Path) -> Policy:
    """
    Read a policy file.

    Raises:
        Misconfigured: with every problem.
    """
    settings = _validate(PolicySettings, _read_yaml(path), {(): str(path)}, [])
    return Policy(settings=settings, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def load_credentials(environment: Mapping[str, str], key_files: Path | None = None) -> Credentials:
    """
    Take the account's key from its files, or else from the variables that the vendor's own tools read.

    Raises:
        Misconfigured: naming each file or variable that is missing or no key.
    """
    if key_files is not None:
        return read_key_files(key_files)
    texts = {part: environment.get(name, "") for part, name in KEY_VARIABLES.items()}
    if not texts["security_token"]:
        del texts["security_token"]
    origins = {part: f"environment: {name}" for part, name in KEY_VARIABLES.items()}
    return _credentials(texts, origins, "is not set; it is the provider account's key")


def read_key_files(folder: Path) -> Credentials:
    """
    Read the account's key from `access-key-id`, `access-key-secret` and, where there is one, `security-token`.

    Raises:
        Misconfigured: naming each file that is missing or holds no key, and nothing of what it holds.
    """
    texts: dict[str, str] = {}
    problems = []
    paths = {part: folder / name for part, name in KEY_FILES.items()}
    for part, path in paths.items():
        try:
            texts[part] = path.read_bytes().decode(errors="replace")
        except OSError as error:
            if part != "security_token" or not isinstance(error, FileNotFoundError):
                problems.append(f"{path}: cannot be read: {error.strerror}")
    return _credentials(texts, {part: f"{path}:" for part, path in paths.items()}, "is empty", problems)


def _credentials(
    texts: Mapping[str, str], origins: Mapping[str, str], empty: str, problems: Sequence[str] = ()
) -> Credentials:
    parts = {part: text.strip() for part, text in texts.items()}
    no_keys = [
        f"{origins[part]} {'holds more than the printable ASCII of a key' if value else empty}"
        for part, value in parts.items()
        if not _HEADER_VALUE.fullmatch(value)
    ]
    if problems or no_keys:
        raise Misconfigured([*problems, *no_keys])
    return Credentials.model_validate(parts)


class _OnceLoader(yaml.SafeLoader):
    """Refuses a key that a mapping repeats, where PyYAML would keep the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


# What PyYAML raises beside its own error: for a date such as 2020-99-99, 5,000 digits, `!!bool x`, 5,000 brackets.
NOT_YAML = (
    yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError
)  # fmt: skip


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.load(path.read_bytes(), Loader=_OnceLoader)  # noqa: S506 — a SafeLoader
    except OSError as error:
        raise Misconfigured([f"{path}: cannot be read: {error.strerror}"]) from error
    except NOT_YAML as error:
        raise Misconfigured([f"{path}: is not YAML: {' '.join(str(error).split())}"]) from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise Misconfigured([f"{path}: must hold a mapping of settings, holds {type(tree).__name__}"])
    return tree


Assignment = tuple[str, tuple[str, ...], Any]
"""Where a value came from, its keys from the root, and the value."""


def _from_environment(environment: Mapping[str, str]) -> Iterator[Assignment]:
    for name in sorted(environment):
        if name.startswith(ENVIRONMENT_PREFIX):
            keys = tuple(name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))
            yield f"environment {name}", keys, _value(keys, environment[name])


def _from_overrides(overrides: Sequence[str], problems: list[str]) -> Iterator[Assignment]:
    for override in overrides:
        name, equals, text = override.partition("=")
        if equals:
            keys = tuple(name.strip().split("."))
            yield f"--set {name}", keys, _value(keys, text)
        else:
            problems.append(f"--set {override}: has no value; write key=value, such as quota.qps=50")


def _value(keys: tuple[str, ...], text: str) -> Any:
    """Read a value as YAML does, so that lists and numbers can be given; what is not YAML is text."""
    if keys in _TEXTS or _is_ipv6(text):  # YAML takes `::` for a mapping
        return text
    try:
        return yaml.safe_load(text)
    except NOT_YAML:
        return text


def _put(tree: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    *parents, last = keys
    for depth, key in enumerate(parents, 1):
        below = tree.setdefault(key, {})
        if not isinstance(below, dict):
            raise ValueError(f"{'.'.join(keys[:depth])} is a value and holds no keys")  # noqa: TRY004 — no caller's bug
        tree = below
    tree[last] = value


def _validate(
    model: type[Model], tree: Mapping[str, Any], origins: Mapping[tuple[str, ...], str], problems: list[str]
) -> Model:
    try:
        settings = model.model_validate(tree)
    except ValidationError as error:
        raise Misconfigured([*problems, *_problems(error, origins)]) from None
    if problems:
        raise Misconfigured(problems)
    return settings


def _problems(error: ValidationError, origins: Mapping[tuple[str, ...], str]) -> Iterator[str]:
    for problem in error.errors(include_url=False):
        keys = tuple(str(key) for key in problem["loc"])
        origin = next((origins[keys[:n]] for n in range(len(keys), -1, -1) if keys[:n] in origins), "defaults")
        message = problem["msg"].removeprefix("Value error, ")
        unknown = problem["type"] == "extra_forbidden"  # whatever stands there: it may be a secret in the wrong place
        if unknown:
            message = "is not a setting"
        given = problem["input"]
        show = isinstance(given, str | int | float | bool) and not unknown and keys not in _UNSHOWN
        shown = f" (given: {given!r})" if show else ""
        yield f"{origin}: {'.'.join(keys) or 'settings'}: {redacted(message + shown)}"
