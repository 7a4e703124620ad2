"""Spans of the real pipeline and layers, asking the emulator, kept in memory."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial

import httpx
import orjson
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from consumer.clock import SystemClock
from consumer.config import Config
from consumer.config.credentials import Credentials
from consumer.config.kafka import OutputTopics
from consumer.dispatch.in_flight import InFlight
from consumer.dispatch.waits import InterruptibleWaits
from consumer.emulator import Emulator, Fault
from consumer.holding import Holding
from consumer.http.transport import open_transport
from consumer.intake.decode import Bindings, decode
from consumer.journal.journal import Journal
from consumer.keys import FixedKeys
from consumer.layers import layers
from consumer.moderation.assess import Assessing
from consumer.pipeline import Decisions, Pipeline
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Headers
from consumer.tracing import Tracing, Untraced
from consumer.tracing.spans import Spans
from consumer.unexpected import UnexpectedErrors
from consumer.verdicts.encode import Encoded, Encoding
from consumer.verdicts.outcomes import Outcome, Outcomes
from consumer.verdicts.publisher import Publisher
from consumer.verdicts.refused import RefusedOutcomes
from tests.moderation.requests import GivenShares
from tests.rig.emulated import BUCKET, KEY, REGION, emulated
from tests.rig.events import delivery, upload
from tests.rig.ready_policies import asking

DECIDING = Deciding(Policy(settings=PolicySettings(policy="test", version=1), sha256="ab"))
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
IMAGE = {"id": "0", "ref": {"store": "oss", "bucket": BUCKET, "key": "good", "region": REGION}}


class EncodedSink:
    """Keeps outcomes as they would be produced."""

    def __init__(self) -> None:
        self.encoded: list[Encoded] = []

    async def wait_for_capacity(self) -> None:
        return

    async def publish(self, outcome: Outcome) -> None:
        self.encoded.append(outcome.record)


class PublishTurn:
    """One that has come."""

    def narrow(self, tenants: Collection[str | None]) -> None:
        return

    async def wait(self) -> None:
        return


@asynccontextmanager
async def service(emulator: Emulator, tracing: Tracing) -> AsyncIterator[tuple[Pipeline, EncodedSink]]:
    """Pipeline and layers as `app.py` and `layers.py` stack them."""
    settings = {"provider": {"endpoint": emulator.url}, "retries": {"first_delay": 0.01, "max_delay": 0.01}}
    config, clock, sink = Config.model_validate(settings), SystemClock(), EncodedSink()
    key_id, secret = KEY.values()
    keys = FixedKeys(Credentials.model_validate({"access_key_id": key_id, "access_key_secret": secret}))
    async with open_transport(4) as transport:
        shares = GivenShares(config.calls_by_lane)
        provider = layers(
            config,
            keys,
            tracing.transport(transport),
            clock,
            tracing,
            shares,
            InFlight(clock),
            lambda *_: True,
            calls=lambda: 1,
        )
        pipeline = Pipeline(
            decode=partial(decode, bindings=Bindings((), [BUCKET]), group="group"),
            assess=Assessing(provider.moderator, asking("baselineCheck_global")).assess,
            decisions=Decisions(DECIDING.decide, DECIDING.fall_back),
            outcomes=Outcomes(Encoding(group="group"), OutputTopics()),
            holding=Holding(UnexpectedErrors(), clock, InterruptibleWaits()),
            publisher=Publisher(
                Journal(), tracing.sink(sink), RefusedOutcomes(clock, InterruptibleWaits().interruptible), clock
            ),
            clock=clock,
        )
        yield tracing.pipeline(pipeline), sink


class Traced:
    """What came of some messages: outcomes and spans."""

    def __init__(self, sink: EncodedSink, spans: Sequence[ReadableSpan]) -> None:
        self.outcomes = sink.encoded
        self.spans = spans

    def of(self, kind: SpanKind) -> list[ReadableSpan]:
        """Spans of a kind, in the order of their ends."""
        return [span for span in self.spans if span.kind is kind]

    def headers(self) -> dict[str, str]:
        """Those of the one outcome that are about its trace."""
        [outcome] = self.outcomes
        return {name: (value or b"").decode() for name, value in outcome.headers if name.startswith("trace")}


async def carried(value: bytes, headers: Headers = (), faults: Sequence[Fault] = ()) -> Traced:
    """Carry one message through the traced service."""
    memory, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    async with (
        emulated(["good"], latency=0.0, faults=tuple(faults)) as emulator,
        service(emulator, Spans(provider, Config().kafka)) as (pipeline, sink),
    ):
        await pipeline.carry(delivery(value, offset=7, headers=headers), PublishTurn())
    return Traced(sink, memory.get_finished_spans())


def context_of(span: ReadableSpan) -> tuple[str, str]:
    context = span.get_span_context()
    assert context is not None
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def parent_of(span: ReadableSpan) -> str | None:
    return f"{span.parent.span_id:016x}" if span.parent else None


async def test_a_trace_goes_from_the_upload_through_us_to_the_verdict() -> None:
    """
    The message's span continues the event's trace and holds calls and publishing; the verdict names the latter.
    """
    headers = [("traceparent", TRACEPARENT.encode()), ("tracestate", b"vendor=1")]

    traced = await carried(upload("e", images=[IMAGE]), headers)

    [message], [call], [sending] = (traced.of(kind) for kind in (SpanKind.CONSUMER, SpanKind.CLIENT, SpanKind.PRODUCER))
    own = context_of(message)[1]
    assert {context_of(span)[0] for span in traced.spans} == {TRACE}
    assert (parent_of(message), parent_of(call), parent_of(sending)) == (PARENT, own, own)
    assert traced.headers() == {"traceparent": f"00-{TRACE}-{context_of(sending)[1]}-01", "tracestate": "vendor=1"}


async def test_spans_say_where_and_what_by_the_conventions() -> None:
    """
    Kafka's place of the message, the provider's host and status, the topic and decision of the verdict.
    """
    traced = await carried(upload("e", images=[IMAGE]))

    [message], [call], [sending] = (traced.of(kind) for kind in (SpanKind.CONSUMER, SpanKind.CLIENT, SpanKind.PRODUCER))
    assert (message.name, call.name, sending.name) == (
        "process uploads", "POST ImageModeration", "send moderation.pass",
    )  # fmt: skip
    assert dict(message.attributes or {}) == {
        "messaging.system": "kafka", "messaging.operation.type": "process", "messaging.operation.name": "process",
        "messaging.destination.name": "uploads", "messaging.destination.partition.id": "0",
        "messaging.kafka.offset": 7, "messaging.consumer.group.name": "moderation-consumer",
    }  # fmt: skip
    asked = dict(call.attributes or {})
    assert asked["url.full"] == f"http://{asked['server.address']}:{asked['server.port']}/"
    assert (asked["http.request.method"], asked["http.response.status_code"]) == ("POST", 200)
    assert (asked["moderation.region"], asked["moderation.service"]) == (REGION, "baselineCheck_global")
    assert (sending.attributes or {})["moderation.decision"] == "pass"


async def test_every_attempt_has_its_span() -> None:
    """
    A failed call is an error with its class and code; the one after it counts as sent again.
    """
    twice = Fault.model_validate({"what": {"code": 500}, "times": 2})

    traced = await carried(upload("e", images=[IMAGE]), faults=[twice])

    calls = [dict(span.attributes or {}) for span in traced.of(SpanKind.CLIENT)]
    assert [call.get("error.type") for call in calls] == ["provider", "provider", None]
    assert [call.get("moderation.error_code") for call in calls] == ["500", "500", None]
    assert [call.get("http.request.resend_count") for call in calls] == [None, 1, 2]
    codes = [span.status.status_code for span in traced.of(SpanKind.CLIENT)]
    assert codes == [StatusCode.ERROR, StatusCode.ERROR, StatusCode.UNSET]


CLOUDEVENT = {"specversion": "1.0", "type": "image.uploaded.v1", "source": "/up", "id": "e"}
DATA = orjson.loads(upload("e", images=[IMAGE]))


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (orjson.dumps({**CLOUDEVENT, "traceparent": TRACEPARENT, "data": DATA}), []),
        (orjson.dumps({**CLOUDEVENT, "data": DATA, "traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}),
         [("traceparent", TRACEPARENT.encode())]),
        (orjson.dumps(DATA), [*((f"ce_{name}", value.encode()) for name, value in CLOUDEVENT.items()),
                              ("ce_traceparent", TRACEPARENT.encode())]),
    ],
    ids=["structured", "header-first", "binary"],
)  # fmt: skip
async def test_a_cloudevent_may_name_its_trace(value: bytes, headers: list[tuple[str, bytes]]) -> None:
    """
    CloudEvents' own extension counts where the record's header, which is the nearer hop's, says nothing.
    """
    traced = await carried(value, headers)

    [message] = traced.of(SpanKind.CONSUMER)
    assert context_of(message)[0] == TRACE
    assert parent_of(message) == PARENT


@pytest.mark.parametrize("nonsense", [b"", b"00-xyz", b"\xff\xfe", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01"])
async def test_nonsense_begins_a_trace_of_our_own(nonsense: bytes) -> None:
    """
    A malformed `traceparent` is as good as none, and stops no message.
    """
    traced = await carried(upload("e", images=[IMAGE]), [("traceparent", nonsense)])

    [message] = traced.of(SpanKind.CONSUMER)
    assert message.parent is None
    assert context_of(message)[0] in traced.headers()["traceparent"]


async def test_a_dead_letter_keeps_its_own_trace() -> None:
    """
    Its headers are the producer's; our span of it stands in their trace all the same, with the reason.
    """
    traced = await carried(b'{"traceparent"', [("traceparent", TRACEPARENT.encode())])

    [sending] = traced.of(SpanKind.PRODUCER)
    assert traced.headers() == {"traceparent": TRACEPARENT}
    assert context_of(sending)[0] == TRACE
    assert (sending.attributes or {})["moderation.dead_letter_reason"] == "not_json"


async def test_messages_at_once_keep_their_traces_apart() -> None:
    """
    Each verdict names the trace of its own event.
    """
    provider = TracerProvider(shutdown_on_exit=False)
    traces = [f"{number:032x}" for number in range(1, 9)]
    events = [
        delivery(upload("e", images=[IMAGE]), offset=n, headers=[("traceparent", f"00-{trace}-{PARENT}-01".encode())])
        for n, trace in enumerate(traces)
    ]
    async with (
        emulated(["good"], latency=0.01) as emulator,
        service(emulator, Spans(provider, Config().kafka)) as (pipeline, sink),
    ):
        await asyncio.gather(*(pipeline.carry(event, PublishTurn()) for event in events))

    named = [dict(outcome.headers)["traceparent"] for outcome in sink.encoded]
    assert sorted((name or b"").split(b"-")[1].decode() for name in named) == traces


async def test_what_is_not_sampled_still_names_a_span() -> None:
    """
    Without a span of our own to show, the trace's id goes on, marked as not sampled.
    """
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    async with emulated(["good"]) as emulator, service(emulator, Spans(provider, Config().kafka)) as (pipeline, sink):
        event = delivery(upload("e", images=[IMAGE]), headers=[("traceparent", TRACEPARENT.encode())])
        await pipeline.carry(event, PublishTurn())

    [outcome] = sink.encoded
    assert (dict(outcome.headers)["traceparent"] or b"").decode().startswith(f"00-{TRACE}-")
    assert (dict(outcome.headers)["traceparent"] or b"").endswith(b"-00")


async def test_without_tracing_nothing_is_wrapped() -> None:
    """
    What is not enabled costs nothing, and the event's `traceparent` goes on as it came.
    """
    untraced, transport = Untraced(), httpx.MockTransport(lambda _: httpx.Response(200))
    async with emulated(["good"]) as emulator, service(emulator, untraced) as (pipeline, sink):
        event = delivery(upload("e", images=[IMAGE]), headers=[("traceparent", TRACEPARENT.encode())])
        await pipeline.carry(event, PublishTurn())

    assert type(pipeline) is Pipeline
    assert untraced.transport(transport) is transport
    assert Traced(sink, []).headers() == {"traceparent": TRACEPARENT}
