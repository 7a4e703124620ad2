"""
Replicas are asked by the URL of their `health.metrics_port`.
"""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from consumer.commands.offsets import NotAnswered, open_records
from consumer.config.operation import HealthSettings
from consumer.errors import Misconfigured
from consumer.observability.health import Health, serving


@pytest.mark.parametrize("url", ["", "x", "http://", "http://[::1", "ftp://a", "http://127.0.0.1:99999", "http://a:b"])
async def test_what_is_no_url_is_named(url: str) -> None:
    """
    Before anything is asked.
    """
    with pytest.raises(Misconfigured, match="is no URL, such as http:"):
        await open_records([url], {})


@pytest.mark.parametrize("body", [b"{}", b"[1]", b"[{}]", b"null", b"<html>", b"\xff", b"[" * 5000])
async def test_what_answers_and_is_no_replica_is_named(body: bytes) -> None:
    """
    Such as another service's page on that port.
    """

    async def page(_request: web.Request) -> web.Response:
        return web.Response(body=body)

    app = web.Application()
    app.router.add_get("/offsets", page)
    async with TestServer(app) as server:
        with pytest.raises(NotAnswered, match="--url"):
            await open_records([str(server.make_url(""))], {})


async def test_the_port_of_probes_is_answered_with_the_name_of_the_other() -> None:
    """
    It had the page once.
    """
    settings = HealthSettings(host="127.0.0.1", port=0, metrics_port=0)
    health = Health(offsets=lambda: [READING])
    async with serving(settings, health) as addresses:
        with pytest.raises(NotAnswered, match=r"no /offsets at this port: name its health\.metrics_port"):
            await open_records([f"http://{addresses.probes}"], {})
        found = await open_records([f"http://{addresses.metrics}"], {})

    assert found == {("uploads", 3): READING}


READING = {"topic": "uploads", "partition": 3, "open": 0, "oldest": [], "taken_over": None}
