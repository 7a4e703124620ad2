"""
One trace from the upload to the subscriber that acts on its verdict: an interface, which does nothing unless tracing is
enabled.

    the event's `traceparent` ──► process uploads ──┬─► POST <operation> (one an attempt)
                                                    └─► send moderation.pass ──► the verdict's `traceparent`

`spans.py` makes the spans, with OpenTelemetry from the extra `otel`. Where tracing is not enabled nothing is wrapped,
and a verdict carries its event's `traceparent` on as it came.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

import httpx

from consumer.config import Config
from consumer.extras import extra
from consumer.moderation import Moderator
from consumer.pipeline import Pipeline
from consumer.verdicts import Sink


class Tracing(Protocol):
    """Wraps what a message passes through in layers of the same face."""

    def pipeline(self, pipeline: Pipeline) -> Pipeline: ...

    def moderator(self, moderator: Moderator, operation: str, region: str, base_url: str) -> Moderator: ...

    def transport(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport: ...

    def sink(self, sink: Sink) -> Sink: ...


class Untraced:
    """Wraps nothing."""

    def pipeline(self, pipeline: Pipeline) -> Pipeline:
        return pipeline

    def moderator(self, moderator: Moderator, operation: str, region: str, base_url: str) -> Moderator:
        return moderator

    def transport(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        return transport

    def sink(self, sink: Sink) -> Sink:
        return sink


@contextlib.asynccontextmanager
async def tracing_of(config: Config, environment: Mapping[str, str]) -> AsyncIterator[Tracing]:
    """Trace until the context ends, where that is enabled; then what is left of the spans is sent."""
    if not config.tracing.enabled:
        yield Untraced()
        return
    with extra("otel", "tracing.enabled"):
        from consumer.tracing.spans import Spans, exporting

    async with exporting(environment) as provider:
        yield Spans(provider, config.kafka)
