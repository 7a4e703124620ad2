"""Canaries: no secret in anything that the service says, through a run in which everything fails that can."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from consumer.emulator import Fault
from tests.emulator.imagehost import serving
from tests.rig.emulated import emulated
from tests.rig.events import upload
from tests.rig.kafka import NewRecord, publish, read_all
from tests.rig.kafka.secured import PASSWORD, SASL, SecuredKafka
from tests.rig.outcomes import DECISIONS
from tests.rig.pictures import picture
from tests.rig.replica import ROOT, Replica
from tests.rig.stage import Stage

SECRET, TOKEN, COLLECTOR = "canary-key-secret", "canary-security-token", "canary-collector"
QUERY, TEXT, NAME, WORD = "canary-query", "canary-text", "canary-name", "canary-word"
USER = "canary-user"  # of a URL
CANARIES = (SECRET, TOKEN, COLLECTOR, QUERY, TEXT, NAME, WORD, USER, PASSWORD)
assert all("canary" in canary for canary in CANARIES)

ENVIRONMENT = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "key-id",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET,
    "ALIBABA_CLOUD_SECURITY_TOKEN": TOKEN,
    "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={COLLECTOR}",
    "OTEL_BSP_SCHEDULE_DELAY": "200",
}
EXT = {
    "TextInImage": {
        "OcrResult": [{"Text": TEXT}], "RiskWord": [WORD], "CustomText": [{"LibId": "lib", "KeyWords": WORD}],
    },
    "PublicFigure": [{"FigureName": NAME}],
}  # fmt: skip
FREE_TEXT = f"the image https://{USER}:{USER}@img.example.com/?{QUERY} of {SECRET} says {TEXT}"
# What goes wrong with an image, by its name; the provider's own words echo what they were told.
FAULTS: Mapping[str, dict[str, Any]] = {
    "fetch": {"code": 404},
    "image": {"code": 406},
    "input": {"gateway_code": f"InvalidParameter {FREE_TEXT}", "http_status": 400},
    "words": {"body": orjson.dumps({"Code": FREE_TEXT, "Message": FREE_TEXT}).decode(), "http_status": 400},
    "shape": {"body": orjson.dumps({"Code": 200, "Msg": FREE_TEXT, "Data": {"Result": [FREE_TEXT]}}).decode()},
    "echo": {"body": orjson.dumps({"Code": 200, "Data": {"DataId": FREE_TEXT, "Result": [{}]}}).decode()},
    "garbage": {"body": FREE_TEXT, "http_status": 502},
    "dropped": {"drop": "after_judging"},
    "silent": {"never_answer": True},
    "permission": {"gateway_code": "NoPermission", "http_status": 403},
}
GOOD = 60
# What nobody can read, each holding what must not be told of it.
UNREADABLE = [
    f"{QUERY} {{".encode(),
    orjson.dumps([QUERY]),
    orjson.dumps({"Records": [{"s3": {"bucket": {"name": f"https://{QUERY}"}, "object": {"key": QUERY}}}]}),
    upload("e", f"ftp://img.example.com/?{QUERY}"),
    upload("e", f"https://img.example.com/?{QUERY}{'x' * 3000}"),
    upload("e", f"https://[img.example.com/?{QUERY}"),
    upload("e", f"https://{USER}:{USER}＠img.example.com/"),
    upload("e", f"https://{USER}:{USER}/{USER}@img.example.com:x/"),
    upload("e", f"ftp://{USER}:{USER}@img.example.com/"),
    upload("e", f"https://img.example.com/?{QUERY}", event_time=f"at {QUERY}"),
    upload("e", f"https://img.example.com/?{QUERY}", subject=QUERY * 1000),
    upload("e", f"https://img.example.com/?{QUERY}", schema=f"https://{QUERY}.v9"),
    orjson.dumps(
        {"specversion": "1.0", "type": "image.uploaded.v1", "source": "/", "id": "e", "data_base64": f"?{QUERY}"}
    ),
]


@pytest.fixture
async def stage(secured_kafka: SecuredKafka, topic: str) -> Stage:
    """Fresh topics; the test's own hands use the plaintext listener."""
    stage = Stage(secured_kafka.cluster, topic)
    await stage.set_up()
    return stage


class Collector:
    """Takes OTLP, and keeps its bytes and who sent them."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[bytes] = []
        self.authorised = False

    async def answer(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        self.authorised = request.headers.get("authorization") == COLLECTOR
        return web.Response()


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector on a free port."""
    collector, app = Collector(), web.Application()
    app.router.add_post("/v1/traces", collector.answer)
    async with TestServer(app) as server:
        collector.url = str(server.make_url("/")).rstrip("/")
        yield collector


def found_in(said: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """Where which canary sings."""
    return [(where, canary) for where, what in said.items() for canary in CANARIES if canary.encode() in what]


async def said_by_metrics(replica: Replica) -> bytes:
    return (await replica.metrics_page()).encode()


@pytest.mark.scenario
async def test_no_secret_is_said_whatever_fails(stage: Stage, secured_kafka: SecuredKafka, tmp_path: Path) -> None:
    """
    Logs at debug level, readiness, metrics, traces, verdicts and our own headers hold no key, password, token, user
    part of a URL, presigned query, recognised text, name or keyword.
    """
    policy = yaml.safe_load((ROOT / "config" / "policy.yaml").read_text())
    (tmp_path / "policy.yaml").write_text(
        yaml.safe_dump({**policy, "info": ["customImage", "textInImage", "publicFigure", "logoData"]})
    )
    rule = {
        "match": {},
        "labels": [{"label": "contraband_drug", "risk_level": "high", "description": TEXT}],
        "ext": EXT,
    }
    provider = {"access_key_id": "key-id", "access_key_secret": SECRET, "security_token": TOKEN, "rules": [rule]}
    files = {f"/{name}.png": picture("blue", "PNG", (8, 8)) for name in ("good", *FAULTS)}
    async with serving(files) as images, collecting() as collector, emulated([], **provider) as emulator:
        for name, what in FAULTS.items():
            emulator.faults.add(Fault.model_validate({"match": {"url": f"*/{name}.png*"}, "what": what}))
        config = stage.config(
            emulator.url,
            kafka=secured_kafka.settings(SASL, "SCRAM-SHA-256"), provider={"read_timeout": 1.0},
            retries={"first_delay": 0.1, "max_delay": 1.0}, logs={"level": "debug"}, tracing={"enabled": True},
        )  # fmt: skip
        environment = {**ENVIRONMENT, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        servers = stage.kafka.bootstrap_servers

        async def upload_images(*names: str) -> None:
            base = images.url.replace("://", f"://{USER}:{USER}@")
            events = [upload("event", f"{base}/{name}.png?sig={QUERY}") for name in names]
            await publish(servers, stage.uploads, map(NewRecord, events))

        good = ["good"] * GOOD
        await upload_images(*good)
        config["policy"] = str(tmp_path / "policy.yaml")
        async with Replica.started(tmp_path, config, environment=environment) as replica:
            await replica.until_metric("moderation_calls_billed_total", at_least=GOOD)
            unreadable = [NewRecord(value, headers=[("ce_id", b"theirs")]) for value in UNREADABLE]
            await publish(servers, stage.uploads, unreadable)
            await upload_images(*FAULTS)
            # What fails is the image's own once others, asked about later, are answered.
            await replica.until_metric("moderation_call_failures_total", at_least=len(FAULTS))
            await upload_images(*good)
            await stage.until(lambda ids: len(ids) >= 2 * GOOD + len(FAULTS))
            emulator.faults.add(Fault.model_validate({"what": {"signature_refused": True}}))
            await upload_images(*good)
            await replica.until(lambda status, text: status == 503 and "SignatureDoesNotMatch" in text)
            said = {"readiness": (await replica.readiness())[1].encode(), "metrics": await said_by_metrics(replica)}
            replica.terminate()
            await replica.ended()
    said |= {"log": replica.log.read_bytes(), "traces": b"".join(collector.bodies)}
    for name in DECISIONS:
        records = await read_all(servers, stage.outputs[name])
        said[name] = b"".join([part for each in records for part in (each.value, repr(each.headers).encode())])
    dead = await read_all(servers, stage.outputs["dead_letter"])
    said["dead letters"] = repr(
        [[h for h in each.headers if h[0].startswith(("dlq_", "source_"))] for each in dead]
    ).encode()

    assert found_in(said) == []
    assert len(dead) == len(UNREADABLE)
    assert b"contraband_drug" in said["block"]
    assert all(
        error in said["review"] for error in (b"fetch", b"image", b"input", b"malformed", b"provider", b"account")
    )
    assert b"SignatureDoesNotMatch" in said["traces"]
    assert collector.authorised
    for event in (b"message.dead_lettered", b"submission.unjudgeable", b"call.failed", b"verdict.published"):
        assert event in said["log"]


@pytest.mark.scenario
async def test_no_secret_is_said_by_a_service_that_cannot_start(
    stage: Stage, secured_kafka: SecuredKafka, tmp_path: Path
) -> None:
    """
    A traceback with keys and passwords in its frames, and a configuration with a password in the wrong place.
    """
    kafka = secured_kafka.settings(SASL, "PLAIN")
    config = stage.config("http://127.0.0.1:9", kafka=kafka, logs={"level": "debug"}, tracing={"enabled": True})
    misplaced = stage.config("http://127.0.0.1:9", kafka={**kafka, "sasl_plain_password": PASSWORD})
    environment = {**ENVIRONMENT, "MODERATION__KAFKA__SECURITY__SASL__PASWORD": PASSWORD}

    failing = {**ENVIRONMENT, "OTEL_ATTRIBUTE_COUNT_LIMIT": "soon"}
    async with Replica.started(tmp_path, config, name="failing", environment=failing) as failed:
        statuses = [await failed.ended()]
    async with Replica.started(tmp_path, misplaced, name="wrong", environment=environment) as wrong:
        statuses.append(await wrong.ended())

    assert statuses == [1, 2]
    assert found_in({"failed": failed.log.read_bytes(), "wrong": wrong.log.read_bytes()}) == []
    assert "service.failed" in failed.log_tail()
    assert "OTEL_ATTRIBUTE_COUNT_LIMIT" in failed.log_tail()
    assert "sasl_plain_password: is not a setting" in wrong.log_tail()
    assert "PASWORD: is not a setting" in wrong.log_tail()
