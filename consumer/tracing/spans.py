"""
Spans of OpenTelemetry, named and described by its semantic conventions (1.37) for Kafka and HTTP.

Nothing of an image, a key or a query is in them: the provider is called at its bare host, exceptions appear as their
type, and messages as topic, partition and offset.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from threading import Thread
from types import MappingProxyType
from urllib.parse import urlsplit

import httpx
import orjson
import requests
from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from consumer.config.kafka import KafkaSettings
from consumer.errors import CallFailed, Misconfigured
from consumer.moderation import CallContext, ModerationRequest, Moderator
from consumer.observability.harmless import harmless
from consumer.pipeline import Pipeline
from consumer.proxies import BadProxy, Proxies
from consumer.records import Delivery, ModerationResult
from consumer.verdicts import Sink
from consumer.verdicts.encode import Encoded, EncodedHeaders
from consumer.verdicts.outcomes import Outcome
from consumer.verdicts.publisher import PublishTurn

SERVICE = "moderation-consumer"
STOP_DEADLINE = 2.0  # seconds for the last spans
MOST_PARSED = 1_048_576  # bytes of a message that is parsed for its trace
CERTIFICATES = ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE")
W3C = TraceContextTextMapPropagator()
_TRACE = frozenset(W3C.fields)  # traceparent, tracestate

Attributes = Mapping[str, AttributeValue]


@contextlib.asynccontextmanager
async def exporting(environment: Mapping[str, str] = MappingProxyType({})) -> AsyncIterator[TracerProvider]:
    """
    Send spans as OTLP over HTTP until the context ends; OTEL_* variables say where to, how many, by which name.

    `environment` says through which proxy, and whose certificates are trusted where OTEL_* variables do not say it.
    """
    # The SDK reads OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, and has a name of its own where they say none.
    told = Resource.create()
    if str(told.attributes[SERVICE_NAME]).startswith("unknown_service"):
        told = told.merge(Resource({SERVICE_NAME: SERVICE}))
    provider = TracerProvider(resource=told, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_exporter(environment)))
    try:
        yield provider
    finally:
        # A collector that does not answer must not keep the service from stopping.
        stopping = Thread(target=provider.shutdown, name="tracing", daemon=True)
        stopping.start()
        await asyncio.to_thread(stopping.join, STOP_DEADLINE)


def _exporter(environment: Mapping[str, str]) -> OTLPSpanExporter:
    """`Misconfigured` escapes where the collector's proxy is none."""
    session = requests.Session()
    session.trust_env = False  # it would also read ~/.netrc
    authorities = None
    if not any(environment.get(name) for name in CERTIFICATES):
        paths = ssl.get_default_verify_paths()  # of SSL_CERT_FILE and SSL_CERT_DIR, or the system's
        authorities = paths.cafile or paths.capath
    exporter = OTLPSpanExporter(session=session, certificate_file=authorities)
    # Only the SDK knows by now which of its variables says where the collector is.
    try:
        proxy = Proxies.of(environment).proxy_for(exporter._endpoint)
    except BadProxy as error:
        raise Misconfigured([str(error)]) from None
    if proxy is not None:
        session.proxies = {"http": proxy.url_with_user, "https": proxy.url_with_user}
    return exporter


class Spans:
    """See `Tracing`."""

    def __init__(self, provider: TracerProvider, kafka: KafkaSettings) -> None:
        self._tracer = provider.get_tracer(SERVICE, version("moderation-consumer"))
        self._kafka = kafka

    def pipeline(self, pipeline: Pipeline) -> Pipeline:
        parts = {field.name: getattr(pipeline, field.name) for field in fields(pipeline)}
        return TracedPipeline(**parts, tracer=self._tracer, group=self._kafka.group_id)

    def moderator(self, moderator: Moderator, operation: str, region: str, base_url: str) -> Moderator:
        return TracedModerator(moderator, self._tracer, operation, region, base_url)

    def transport(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        return TracedTransport(transport)

    def sink(self, sink: Sink) -> Sink:
        return TracedSink(sink, self._tracer)


@dataclass(slots=True, kw_only=True)
class TracedPipeline(Pipeline):
    """A span for each message, within the trace that it came with."""

    tracer: Tracer
    group: str

    async def carry(self, delivery: Delivery, turn: PublishTurn) -> None:
        attributes: Attributes = {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.operation.name": "process",
            "messaging.destination.name": delivery.topic,
            "messaging.destination.partition.id": str(delivery.partition),
            "messaging.kafka.offset": delivery.offset,
            "messaging.consumer.group.name": self.group,
        }
        with _span(self.tracer, f"process {delivery.topic}", SpanKind.CONSUMER, attributes, _origin(delivery)):
            await Pipeline.carry(self, delivery, turn)


class TracedModerator:
    """A span for each call to the provider, retries apart."""

    def __init__(self, moderator: Moderator, tracer: Tracer, operation: str, region: str, base_url: str) -> None:
        self._moderator = moderator
        self._tracer = tracer
        self._name = f"POST {operation}"
        host = urlsplit(base_url)
        self._attributes: Attributes = {
            "http.request.method": "POST",
            "url.full": f"{base_url}/",
            "server.address": host.hostname or "",
            "server.port": host.port or (443 if host.scheme == "https" else 80),
            "moderation.region": region,
        }

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        attributes = {**self._attributes, "moderation.service": request.service}
        if call.attempt > 1:
            attributes["http.request.resend_count"] = call.attempt - 1
        with _span(self._tracer, self._name, SpanKind.CLIENT, attributes):
            return await self._moderator.ask(request, call)


class TracedTransport(httpx.AsyncBaseTransport):
    """Notes on the call's span what only the transport sees: the status."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        with harmless("span"):
            trace.get_current_span().set_attribute("http.response.status_code", response.status_code)
        return response


class TracedSink:
    """
    A span for each outcome. A verdict names it as its `traceparent`, so that the trace goes on from there.

    A dead letter keeps the headers that it came with, its `traceparent` too.
    """

    def __init__(self, sink: Sink, tracer: Tracer) -> None:
        self._sink = sink
        self._tracer = tracer

    async def wait_for_capacity(self) -> None:
        await self._sink.wait_for_capacity()

    async def publish(self, outcome: Outcome) -> None:
        sending: Attributes = {
            "messaging.system": "kafka",
            "messaging.operation.type": "send",
            "messaging.operation.name": "send",
            "messaging.destination.name": outcome.topic,
            "moderation.outcome_id": outcome.id,
            **{f"moderation.{name}": word for name, word in outcome.about.items()},
        }
        with _span(self._tracer, f"send {outcome.topic}", SpanKind.PRODUCER, sending):
            if "dead_letter_reason" not in outcome.about:
                with harmless("span"):
                    outcome = _renamed(outcome)
            await self._sink.publish(outcome)


@contextlib.contextmanager
def _span(
    tracer: Tracer, name: str, kind: SpanKind, attributes: Attributes, parent: Context | None = None
) -> Iterator[None]:
    """
    A span around the block. Of an exception it has the type only, because the text might contain anything.

    What OpenTelemetry raises, in a processor or an exporter, never reaches the block.
    """
    span: Span = trace.INVALID_SPAN
    token = None
    with harmless("span"):
        span = tracer.start_span(name, parent, kind, attributes)
        token = context_api.attach(trace.set_span_in_context(span))
    try:
        yield
    except Exception as error:
        with harmless("span"):
            failed = error.kind if isinstance(error, CallFailed) else type(error).__name__
            span.set_attribute("error.type", failed)
            if isinstance(error, CallFailed):
                span.set_attribute("moderation.error_code", error.code)
            span.set_status(Status(StatusCode.ERROR, failed))
        raise
    finally:
        if token is not None:
            with harmless("span"):
                context_api.detach(token)
        with harmless("span"):
            span.end()


def _origin(delivery: Delivery) -> Context:
    """
    The trace that a message belongs to: its headers', else the one that its CloudEvent names, else a new one.

    Nothing escapes, whatever the message.
    """
    with harmless("span"):
        return _named(delivery)
    return Context()


def _named(delivery: Delivery) -> Context:
    carrier = {name: value.decode("ascii", "replace") for name, value in delivery.headers if value and name in _TRACE}
    return W3C.extract(carrier if "traceparent" in carrier else _of_cloudevent(delivery), context=Context())


def _of_cloudevent(delivery: Delivery) -> dict[str, str]:
    """CloudEvents' distributed tracing extension, in headers or, in structured mode, beside the data."""
    named = {name.lower().removeprefix("ce_"): value for name, value in delivery.headers if value}
    if "traceparent" in named:
        return {name: named[name].decode("ascii", "replace") for name in _TRACE & named.keys()}
    value = delivery.value or b""
    if len(value) > MOST_PARSED or b'"traceparent"' not in value:
        return {}
    try:
        event = orjson.loads(value)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(event, dict) or "specversion" not in event:
        return {}
    return {name: event[name] for name in _TRACE if isinstance(event.get(name), str)}


def _renamed(outcome: Outcome) -> Outcome:
    """The outcome with the current span in the place of what its headers named."""
    carrier: dict[str, str] = {}
    W3C.inject(carrier)
    names = [(name, value.encode()) for name, value in carrier.items()]
    smaller = outcome.smaller
    return replace(
        outcome,
        record=_with_trace(outcome.record, names),
        smaller=None if smaller is None else lambda: _with_trace(smaller(), names),
    )


def _with_trace(record: Encoded, names: Sequence[tuple[str, bytes]]) -> Encoded:
    headers: EncodedHeaders = [(name, value) for name, value in record.headers if name not in _TRACE]
    return replace(record, headers=[*headers, *names])
