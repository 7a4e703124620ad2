"""
How much is held, how long a stop may take, and what is reported: memory, shutdown, logs, traces, health.
"""

from importlib.util import find_spec
from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from consumer.config.base import Contradictions, Seconds, Settings


class AdmissionSettings(Settings):
    """How much is held in memory. The messages that wait here keep the quota busy."""

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
    """How long to wait for what is in flight."""

    drain_timeout: Seconds = Field(
        25.0,
        description="Seconds that SIGTERM gives to what is in flight. Closing takes up to 10 s more when no broker "
        "answers; Kubernetes' grace period must be longer than both.",
    )
    drain_on_revoke: Seconds = Field(
        10.0, description="Seconds a rebalance waits for what is in flight. Shorter: more of it is paid for twice."
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
            raise Contradictions(("enabled", "needs the extra otel: pip install 'moderation-consumer[otel]'"))
        return self


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the package that it would be in
        return False


class HealthSettings(Settings):
    """Where /livez and /readyz are served, for probes, and where /metrics and /offsets, for those who watch over it."""

    host: str = "0.0.0.0"  # noqa: S104 — probes come from outside the pod
    port: int = Field(8080, ge=0, le=65535, description="Of /livez and /readyz. 0 takes a free port, which is logged.")
    metrics_host: str = Field(
        "127.0.0.1",
        description="Loopback: Prometheus runs on this machine. 0.0.0.0 where it comes from elsewhere: /offsets names "
        "topics and records, and whoever reaches the port may read it.",
    )
    metrics_port: int = Field(
        9464, ge=0, le=65535, description="Of /metrics and /offsets. 0 takes a free port, which is logged."
    )

    @model_validator(mode="after")
    def _are_two_ports(self) -> Self:
        if self.port == self.metrics_port != 0:
            raise Contradictions(("metrics_port", f"{self.port} is the port of probes: name another", "port"))
        return self
