"""The pages that probes, Prometheus and operators read: /livez, /readyz, /metrics and /offsets."""

import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from consumer.config.operation import HealthSettings
from consumer.errors import Misconfigured
from consumer.observability.metrics import DEGRADED

log = structlog.get_logger()


@dataclass(slots=True)
class Health:
    """Whom to ask for what the pages say. Parts are added as the service opens."""

    reasons_not_ready: list[Callable[[], Sequence[str]]] = field(default_factory=list)
    complaints: list[Callable[[], Sequence[str]]] = field(default_factory=list)
    """What only a restart repairs; never the absence of Kafka or of the provider."""
    degraded: list[Callable[[], Sequence[str]]] = field(default_factory=list)
    """What a part of the work waits for, while the rest goes on: a replica that is degraded is ready."""
    offsets: Callable[[], Any] = list

    def all_not_ready(self) -> list[str]:
        """Every reason for which the replica is not ready."""
        return [reason for ask in self.reasons_not_ready for reason in ask()]

    def all_degraded(self) -> list[str]:
        """All that holds a part of the work."""
        return [reason for ask in self.degraded for reason in ask()]


@contextlib.asynccontextmanager
async def serving(
    settings: HealthSettings, health: Health, registry: CollectorRegistry = REGISTRY
) -> AsyncIterator[None]:
    """
    Serve the pages, with the metrics of a registry, until the context ends.

    `Misconfigured` escapes where the port is taken or the host not ours.
    """

    async def live(_: web.Request) -> web.Response:
        return _ok_unless([reason for ask in health.complaints for reason in ask()])

    async def ready(_: web.Request) -> web.Response:
        return _ok_unless(health.all_not_ready(), health.all_degraded())

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    async def offsets(_: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps(health.offsets()), content_type="application/json")

    DEGRADED.set_function(lambda: len(health.all_degraded()))
    app = web.Application()
    pages = {"/livez": live, "/readyz": ready, "/metrics": metrics, "/offsets": offsets}
    app.add_routes([web.get(path, page) for path, page in pages.items()])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await _listen(runner, settings)
        host, port = runner.addresses[0][:2]
        log.info("health.serving", address=_address(host, port))
        yield
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, settings: HealthSettings) -> None:
    """Accept connections: on `::` those of IPv4 too, where the system can, which asyncio leaves out."""
    host = settings.host.strip("[]")
    try:
        if host == "::":
            both = socket.has_dualstack_ipv6()
            listener = socket.create_server((host, settings.port), family=socket.AF_INET6, dualstack_ipv6=both)
            await web.SockSite(runner, listener).start()  # the site owns the socket from here
        else:
            await web.TCPSite(runner, host, settings.port).start()
    except UnicodeError as error:  # no domain name, such as one with a label of 80 letters
        raise Misconfigured([f"health.host: {host} is no address of this machine"]) from error
    except OSError as error:
        raise Misconfigured([_refused(host, settings.port, error)]) from error


def _refused(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"health.port: {_address(host, port)} is taken: name another port, or 0 for a free one"
    if error.errno == errno.EACCES:
        return f"health.port: {_address(host, port)} is not ours to listen on: name a port from 1024 on"
    if isinstance(error, socket.gaierror) or error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return f"health.host: {host} is no address of this machine"
    return f"health.host, health.port: {_address(host, port)} cannot be listened on: {error.strerror or error}"


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _ok_unless(reasons: Sequence[str], degraded: Sequence[str] = ()) -> web.Response:
    notes = [f"degraded: {reason}" for reason in degraded]
    text = "".join(f"{line}\n" for line in [*(reasons or ["ok"]), *notes])
    return web.Response(text=text, status=503 if reasons else 200)
