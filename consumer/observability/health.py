"""
The pages that probes, Prometheus and operators read: /livez and /readyz on one port, /metrics and /offsets on another.

Whoever reaches the first can learn whether the replica works; the second says more, and is for those who watch over it.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from consumer.config.operation import HealthSettings
from consumer.observability.connections import Bounds
from consumer.observability.listening import Address, answering
from consumer.observability.metrics import DEGRADED
from consumer.redaction import CUT, cut, redacted

log = structlog.get_logger()

BOUNDS = Bounds()
RENDERED_FOR = 1.0  # seconds for which a page of metrics is given to all who ask
MOST_REASONS = 20  # lines of a probe's answer
LONGEST_REASON = 500  # characters


@dataclass(slots=True)
class Health:
    """Whom to ask for what the pages say. Parts are added as the service opens."""

    reasons_not_ready: list[Callable[[], Sequence[str]]] = field(default_factory=list)
    complaints: list[Callable[[], Sequence[str]]] = field(default_factory=list)
    """What only a restart repairs; never the absence of Kafka or of the provider."""
    degraded: list[Callable[[], Sequence[str]]] = field(default_factory=list)
    """What a part of the work waits for, while the rest goes on: a replica that is degraded is ready."""
    warnings: list[Callable[[], Sequence[str]]] = field(default_factory=list)
    """What holds nothing up, and an operator must mend all the same."""
    offsets: Callable[[], Any] = list

    def all_not_ready(self) -> list[str]:
        """Every reason for which the replica is not ready."""
        return [reason for ask in self.reasons_not_ready for reason in ask()]

    def all_warnings(self) -> list[str]:
        """All that an operator must mend though nothing waits for it."""
        return [reason for ask in self.warnings for reason in ask()]

    def all_degraded(self) -> list[str]:
        """All that holds a part of the work."""
        return [reason for ask in self.degraded for reason in ask()]


class RenderedMetrics:
    """The page of metrics, made at most once a second: it is made in the loop that does the work."""

    def __init__(self, registry: CollectorRegistry, now: Callable[[], float] = time.monotonic) -> None:
        """`now` returns monotonic seconds."""
        self._registry = registry
        self._now = now
        self._page = b""
        self._made_at: float | None = None

    def page(self) -> bytes:
        """Return it, no older than a second."""
        now = self._now()
        if self._made_at is None or now - self._made_at >= RENDERED_FOR:
            self._page, self._made_at = generate_latest(self._registry), now
        return self._page


class Addresses(NamedTuple):
    """Where the pages are, as they can be called."""

    probes: str
    metrics: str


@contextlib.asynccontextmanager
async def serving(
    settings: HealthSettings, health: Health, registry: CollectorRegistry = REGISTRY, bounds: Bounds = BOUNDS
) -> AsyncIterator[Addresses]:
    """
    Serve the pages, with the metrics of a registry, until the context ends. Yields where.

    `Misconfigured` escapes where a port is taken or a host not ours.
    """
    rendered = RenderedMetrics(registry)

    def live() -> web.Response:
        return _ok_unless([reason for ask in health.complaints for reason in ask()])

    def ready() -> web.Response:
        beside = [f"degraded: {reason}" for reason in health.all_degraded()]
        beside += (f"warning: {reason}" for reason in health.all_warnings())
        return _ok_unless(health.all_not_ready(), beside)

    def metrics() -> web.Response:
        return web.Response(body=rendered.page(), headers={"content-type": CONTENT_TYPE_LATEST})

    def offsets() -> web.Response:
        return web.Response(body=orjson.dumps(health.offsets()), content_type="application/json")

    DEGRADED.set_function(lambda: len(health.all_degraded()))
    probes = {"/livez": live, "/readyz": ready}
    details = {"/metrics": metrics, "/offsets": offsets}
    async with (
        answering(
            Address("health.host", settings.host, "health.port", settings.port),
            _page_of(probes, elsewhere=dict.fromkeys(details, "health.metrics_port")),
            bounds,
        ) as address,
        answering(
            Address("health.metrics_host", settings.metrics_host, "health.metrics_port", settings.metrics_port),
            _page_of(details, elsewhere=dict.fromkeys(probes, "health.port")),
            bounds,
        ) as metrics_address,
    ):
        log.info("health.serving", address=address, metrics_address=metrics_address)
        yield Addresses(address, metrics_address)


def _page_of(
    pages: Mapping[str, Callable[[], web.Response]], *, elsewhere: Mapping[str, str]
) -> Callable[[str, str], web.Response]:
    def page(method: str, path: str) -> web.Response:
        if path in elsewhere:
            return web.Response(status=404, text=f"{path} is served on {elsewhere[path]}\n")
        if path not in pages:
            return web.Response(status=404, text=f"there are {' and '.join(pages)}\n")
        if method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"allow": "GET, HEAD"}, text="GET or HEAD\n")
        return pages[path]()

    return page


def _ok_unless(reasons: Sequence[str], beside: Sequence[str] = ()) -> web.Response:
    lines = [*(reasons or ["ok"]), *beside]
    told = [_short(line) for line in lines[:MOST_REASONS]]
    if more := len(lines) - len(told):
        told.append(f"{CUT} and {more} more, which the log names")
    return web.Response(text="".join(f"{line}\n" for line in told), status=503 if reasons else 200)


def _short(line: str) -> str:
    """Strangers write parts of reasons, such as a vendor's message."""
    shown = redacted(cut(line, LONGEST_REASON))
    return shown if len(line) <= LONGEST_REASON else f"{shown}{CUT}"
