"""
How uploads are read, verdicts written and outcomes read back: brokers, topics, access, journal.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveInt, SecretStr, model_validator

from consumer.config.base import MOST_SECONDS, Contradictions, Seconds, Settings
from consumer.loopback import is_loopback
from consumer.redaction import redacted

MOST_BYTES = 2_147_483_647
"""Kafka's protocol: sizes have 31 bits."""


class OutputTopics(Settings):
    """Where verdicts and dead letters go."""

    block: str = "moderation.block"
    review: str = "moderation.review"
    pass_: str = Field("moderation.pass", alias="pass")
    dead_letter: str = "moderation.dead-letter"

    @model_validator(mode="after")
    def _are_four_topics(self) -> Self:
        if len(set(self.all)) < len(self.all):
            twice = next(topic for topic in self.all if self.all.count(topic) > 1)
            names = [field.alias or name for name, field in type(self).model_fields.items()]
            shared = [name for name, topic in zip(names, self.all, strict=True) if topic == twice]
            raise Contradictions((shared[-1], f"is {twice}, as {shared[0]} is: each outcome needs a topic of its own"))
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
    """
    Which certificates are trusted, and which one this service presents. Files are PEM and read again when they
    change.
    """

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
        description="Whether a broker's certificate must name the host that is called. `false` lets any holder of a "
        "trusted certificate pose as a broker.",
    )

    def contradictions(self) -> Iterator[tuple[str, ...]]:
        if self.certificate_file and not self.key_file:
            yield "tls.certificate_file", "needs tls.key_file (the same file, if it holds both)"
        if self.key_file and not self.certificate_file:
            yield "tls.key_file", "needs tls.certificate_file"
        if self.key_password_file and not self.key_file:
            yield "tls.key_password_file", "needs tls.key_file"


class SaslSettings(Settings):
    """How this service authenticates. Files are read again when they change."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    username: str | None = Field(None, min_length=1)
    password_file: Path | None = Field(
        None, description="File of the password, such as a mounted secret. A line break at its end is ignored."
    )
    password: SecretStr | None = Field(
        None,
        min_length=1,
        description="Instead of a file; meant for the environment, MODERATION__KAFKA__SECURITY__SASL__PASSWORD. "
        "Written in this file it is only as safe as the file, and --set refuses it.",
    )
    token_file: Path | None = Field(
        None,
        description="OAUTHBEARER: file of the token, such as a projected service-account token. Read for each "
        "connection, so a renewed token needs no restart.",
    )
    extensions: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z]+$")],
        Annotated[str, Field(pattern=r"^[ -~\t\r\n]+$", description="printable ASCII")],
    ] = Field({}, description="OAUTHBEARER: what the broker needs beside the token, such as `logicalCluster`.")
    allow_clear_text: bool = Field(
        False,
        description="Send a password (PLAIN) or token (OAUTHBEARER) without TLS, which lets everyone on the network "
        "path read it.",
    )

    def contradictions(self) -> Iterator[tuple[str, ...]]:
        if self.mechanism is None:
            for name in ("username", "password_file", "password", "token_file", "extensions", "allow_clear_text"):
                if getattr(self, name):
                    yield f"sasl.{name}", "is set but sasl.mechanism is not: set sasl.mechanism, or remove this"
        elif self.mechanism == "OAUTHBEARER":
            if self.token_file is None:
                yield "sasl.mechanism", "OAUTHBEARER needs sasl.token_file"
            yield from self._unused("username", "password_file", "password")
        else:
            yield from self._contradictions_of_a_password()

    def _contradictions_of_a_password(self) -> Iterator[tuple[str, ...]]:
        if self.username is None:
            yield "sasl.mechanism", f"{self.mechanism} needs sasl.username"
        if self.password_file is None and self.password is None:
            yield "sasl.mechanism", f"{self.mechanism} needs sasl.password_file, or sasl.password from the environment"
        if self.password_file is not None and self.password is not None:
            yield "sasl.password_file", "and sasl.password (or its variable) are both set: remove one", "sasl.password"
        yield from self._unused("token_file", "extensions")

    def _unused(self, *names: str) -> Iterator[tuple[str, ...]]:
        for name in names:
            if getattr(self, name):
                yield f"sasl.{name}", f"is not used by sasl.mechanism {self.mechanism}: remove it"


class KafkaSecurity(Settings):
    """How this service connects and authenticates to the brokers."""

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
    def _is_consistent(self) -> Self:
        problems = [*self._contradictions(), *self.tls.contradictions(), *self.sasl.contradictions()]
        if problems:
            raise Contradictions(*problems)
        return self

    def _contradictions(self) -> Iterator[tuple[str, ...]]:
        if not self.uses_tls and self.tls != TlsSettings():
            yield "tls", f"is set, but protocol {self.protocol} has no TLS: use SSL or SASL_SSL", "protocol"
        if self.uses_sasl and self.sasl.mechanism is None:
            yield "protocol", f"{self.protocol} needs sasl.mechanism"
        if not self.uses_sasl and self.sasl.mechanism is not None:
            yield (
                "sasl.mechanism",
                f"is set, but protocol {self.protocol} has no SASL: use SASL_SSL or SASL_PLAINTEXT",
                "protocol",
            )
        if (
            self.protocol == "SASL_PLAINTEXT"
            and self.sasl.mechanism in ("PLAIN", "OAUTHBEARER")
            and not self.sasl.allow_clear_text
        ):
            yield (
                "sasl.mechanism",
                f"{self.sasl.mechanism} over protocol SASL_PLAINTEXT sends the secret unencrypted: use SASL_SSL or a "
                "SCRAM mechanism, or set sasl.allow_clear_text",
            )


DamagedBatch = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9._-]+/\d{1,9}@\d{1,18}(-\d{1,18})?$",
        description="topic/partition@offset or topic/partition@first-last",
    ),
]
_BROKER = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+(%[\w.-]+)?\]|[^\s:/@\[\],]+)(:(?P<port>\d{1,5}))?")


def _are_brokers(text: str) -> str:
    """Let `host:port` pass, comma-separated, with or without the port; an IPv6 address with one is in brackets."""
    brokers = [broker for broker in text.strip().split(",") if broker.strip()]
    if not brokers:
        raise ValueError("names no broker: write host:port, or several with commas between them")
    for broker in brokers:
        told = _BROKER.fullmatch(broker.strip())
        if not is_ipv6(broker.strip()) and (told is None or not 0 < int(told["port"] or 9092) < 65536):
            raise ValueError(f"{redacted(broker.strip())!r} is not a broker: write host:port, such as kafka-1:9092")
    return text


def is_ipv6(text: str) -> bool:
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
        description="The same for all replicas. It is part of every verdict_id: a new group judges, and pays for, all "
        "images again.",
    )
    topics: tuple[str, ...] = Field(("uploads",), min_length=1, description="Where upload events are read from.")
    outputs: OutputTopics = OutputTopics()
    auto_offset_reset: Literal["earliest", "latest"] = Field(
        "earliest",
        description="Where the group starts to read a new topic. With `latest`, earlier uploads are never judged.",
    )
    session_timeout: Seconds = Field(
        30.0,
        description="Seconds until a silent replica loses its partitions. Shorter recovers sooner, but also evicts "
        "slow replicas sooner.",
    )
    heartbeat_interval: Seconds = Field(
        3.0,
        description="Seconds between heartbeats. Also how long it may take until other replicas notice a rebalance.",
    )
    rebalance_timeout: Seconds = Field(
        60.0,
        description="Seconds a rebalance waits for this replica to drain. Must exceed `shutdown.drain_on_revoke`, and "
        "be at least session_timeout plus heartbeat_interval: a replica that hangs keeps its share of the quota for a "
        "session_timeout.",
    )
    commit_interval: Seconds = Field(
        1.0, description="Seconds between commits. Longer: fewer commits, and more messages read again after a crash."
    )
    max_message_bytes: PositiveInt = Field(
        1_048_576,
        le=MOST_BYTES,
        description="The largest upload message. Dead letters may be 16 KiB larger, and their topic must accept that.",
    )
    max_unacknowledged: PositiveInt = Field(
        256,
        description="No new calls are made while so many outcomes wait for Kafka's acknowledgement. Must exceed calls "
        "a second × 2 × Kafka's round-trip time. A crash repeats all of them.",
    )
    max_partition_fetch_bytes: PositiveInt = Field(
        262_144,
        le=MOST_BYTES,
        description="Bytes fetched ahead for each partition. They are fetched again when a partition is paused.",
    )

    max_batch_bytes: PositiveInt = Field(
        16_777_216,
        le=MOST_BYTES,
        description="The largest batch of records, uncompressed; a larger one becomes a dead letter. Memory may hold "
        "two such batches, for all partitions together.",
    )
    skip_damaged: tuple[DamagedBatch, ...] = Field(
        (),
        description="Damaged batches to skip; each becomes a dead letter: `topic/partition@offset`, or "
        "`topic/partition@first-last` where the end of the batch cannot be read. Readiness and log name them.",
    )

    foreign_commits: Literal["rejudge", "hold", "accept"] = Field(
        "rejudge",
        description="What becomes of a partition whose commit is not this service's, where `identity` has keys. "
        "`rejudge`: it starts at what the last signed outcome says was committed; what is published is neither paid "
        "nor published again. `hold`: it is not read until `moderation-consumer offsets accept`. `accept`: it starts "
        "at that commit; what a stranger has taken is never judged.",
    )
    rejudge_at_most: PositiveInt = Field(
        100_000,
        description="Records that `foreign_commits: rejudge` looks at once more in a partition; with more in between "
        "it is held.",
    )

    @property
    def hosts_in_clear(self) -> tuple[str, ...]:
        """The bootstrap servers' hosts that are called over a network without TLS."""
        return () if self.security.uses_tls else self.other_machines

    @property
    def other_machines(self) -> tuple[str, ...]:
        """The bootstrap servers' hosts that are not this machine."""
        return tuple(each for each in self._hosts() if not is_loopback(each))

    def _hosts(self) -> Iterator[str]:
        for broker in filter(None, map(str.strip, self.bootstrap_servers.split(","))):
            told = None if is_ipv6(broker) else _BROKER.fullmatch(broker)
            yield told["host"].strip("[]").partition("%")[0] if told else broker

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if problems := list(self._contradictions()):
            raise Contradictions(*problems)
        return self

    def _contradictions(self) -> Iterator[tuple[str, ...]]:
        if loops := sorted(set(self.outputs.all) & set(self.topics)):
            yield "topics", f"must not contain an output topic: {', '.join(loops)}", "outputs"
        for name in ("heartbeat_interval", "commit_interval"):
            least = getattr(self, name) * 3
            if least > self.session_timeout:
                yield (
                    "session_timeout",
                    f"is {self.session_timeout:g} s and must be at least three times {name}, which makes {least:g} s",
                    name,
                )


class JournalSettings(Settings):
    """How the outputs are read back when a partition is taken over, so that nothing is paid or published twice."""

    clock_skew: NonNegativeFloat = Field(
        5.0,
        le=MOST_SECONDS,
        description="Seconds by which the clocks of replicas and brokers may differ. Larger values read further back.",
    )
    max_outcomes: PositiveInt = Field(
        1_000_000,
        description="Outcomes held in memory, about 80 bytes each. If the outputs have more, they are read in several "
        "windows.",
    )
    max_outcomes_per_partition: PositiveInt = Field(
        15_000,
        description="A partition is paused while so many outcomes are published beyond its lowest open record. "
        "Multiplied by the number of partitions it must not exceed `max_outcomes`.",
    )
    on_limit: Literal["wait", "pay"] = Field(
        "wait",
        description="`wait`: read for as long as it takes. `pay`: stop after `max_seconds` or `max_outcomes`; what was "
        "not read by then may be paid for and published again, and a metric counts it.",
    )
    max_seconds: Seconds = Field(60.0, description="Seconds of reading, where `on_limit` is `pay`.")
