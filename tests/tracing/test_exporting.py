import asyncio
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.sdk.resources import SERVICE_NAME

from consumer.tracing.spans import STOP_DEADLINE, exporting
from tests.rig.proxying import PrivateAuthority, proxy, tls_in_front_of

WITHOUT_THE_EXTRA = """
import sys
sys.modules["opentelemetry"] = None  # as if it were not installed
import consumer.app
from consumer.config.loading import load_config
from consumer.errors import Misconfigured
load_config(None, {}, ["tracing.enabled=false"])
try:
    load_config(None, {}, ["tracing.enabled=true"])
except Misconfigured as error:
    print(error)
"""


def test_the_extra_is_needed_only_where_it_is_used() -> None:
    """
    Without OpenTelemetry everything but tracing works, and whoever enables that is told what to install.
    """
    done = subprocess.run([sys.executable, "-c", WITHOUT_THE_EXTRA], capture_output=True, text=True, check=False)

    assert done.stderr == ""
    assert "tracing.enabled: needs the extra otel: pip install 'moderation-consumer[otel]'" in done.stdout


async def test_a_collector_that_never_answers_keeps_nobody_from_stopping(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The last spans get two seconds, and not what the exporter would wait.
    """
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "8")
        async with exporting() as provider:
            provider.get_tracer("test").start_span("span").end()
            began = time.monotonic()
        took = time.monotonic() - began
        # The exporter's threads go on until its own timeout, and disturb tests that come after: they use `random`.
        for thread in threading.enumerate():
            if thread.name.startswith(("OtelBatch", "tracing")):
                await asyncio.to_thread(thread.join, 20.0)
                assert not thread.is_alive()

    assert STOP_DEADLINE <= took < 8.0


async def test_the_service_has_a_name_until_it_is_given_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    OTEL_SERVICE_NAME wins.
    """
    async with exporting() as ours:
        pass
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop-moderation")
    async with exporting() as theirs:
        pass

    names = [provider.resource.attributes[SERVICE_NAME] for provider in (ours, theirs)]
    assert names == ["moderation-consumer", "shop-moderation"]


@pytest.mark.parametrize("by", ["setting", "system"])
async def test_spans_go_through_the_proxy_and_trust_the_private_authority(
    by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A collector behind a proxy that wants a user, with a private authority: named by OpenTelemetry's own variable or by
    SSL_CERT_FILE. What stands in ~/.netrc is told to nobody.
    """
    (tmp_path / ".netrc").write_text("default login ada password canary\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    authority = PrivateAuthority()
    ca_file = str(authority.write(tmp_path / "ca.pem"))
    variable = "OTEL_EXPORTER_OTLP_CERTIFICATE" if by == "setting" else "SSL_CERT_FILE"
    monkeypatch.setenv(variable, ca_file)
    taken: list[str | None] = []

    async def take(request: web.Request) -> web.Response:
        taken.append(request.headers.get("authorization"))
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    async with (
        TestServer(app) as server,
        tls_in_front_of(server.port or 0, authority.context("localhost")) as port,
        proxy(user="ada:p@ss") as passing,
    ):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"https://localhost:{port}")
        environment = {"HTTPS_PROXY": f"http://ada:p%40ss@{passing.address}", variable: ca_file}
        async with exporting(environment) as provider:
            provider.get_tracer("test").start_span("span").end()
            await asyncio.to_thread(provider.force_flush)

    assert taken == [None]
    assert [line.rpartition(" ")[0] for line in passing.asked] == [f"CONNECT localhost:{port}"]
