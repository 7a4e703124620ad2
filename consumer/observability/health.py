"""The three pages that probes and Prometheus read: /livez, /readyz and /metrics."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from consumer.config import HealthSettings

log = structlog.get_logger()


@contextlib.asynccontextmanager
async def serving(settings: HealthSettings, reasons_not_ready: Callable[[], Sequence[str]]) -> AsyncIterator[None]:
    """Serve the pages until the context ends. `OSError` escapes where the port is taken."""

    async def live(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def ready(_: web.Request) -> web.Response:
        reasons = reasons_not_ready()
        return web.Response(text="".join(f"{reason}\n" for reason in reasons) or "ok\n", status=503 if reasons else 200)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/livez", live), web.get("/readyz", ready), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
        host, port = runner.addresses[0][:2]
        log.info("health.serving", address=f"{host}:{port}")
        yield
    finally:
        await runner.cleanup()
