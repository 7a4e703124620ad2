"""
The emulated provider on sockets: requests in, replies out, calls counted. What is replied is provider.py's.

    POST /                the provider's API, for the vendor's own SDK as for any client; of libraries also GET
    POST /green/…         its 1.0 API (scan/)
    PUT /{bucket}/{key}   the provider's object store, for local files (uploads.py)
    GET /{bucket}/{key}   the same, for the account's own buckets (reading.py)
    /emulator/…           what the emulator says about itself (pages.py)
"""

import asyncio
import contextlib
import functools
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
from aiohttp import web

from consumer.emulator.access import ACCOUNT, account_of, only_by
from consumer.emulator.breakage import dropped
from consumer.emulator.calls import Call, CallLog, arrival_now
from consumer.emulator.faults import Faults, Moment
from consumer.emulator.images import MAX_BYTES
from consumer.emulator.libraries import LibraryStore
from consumer.emulator.listening import Listener, listening
from consumer.emulator.pages import CALLS, FAULTS, FEEDBACK, LIBRARIES, TASKS, add_pages, stats
from consumer.emulator.provider import ABOUT, Provider, subject_of
from consumer.emulator.reading import Reading
from consumer.emulator.replies import Reply, Silence
from consumer.emulator.scan.callbacks import Callbacks
from consumer.emulator.scan.calls import ROOT, ScanCalls
from consumer.emulator.scan.calls import action_of as scan_action_of
from consumer.emulator.scan.feedback import FeedbackStore
from consumer.emulator.scan.judging import Judge
from consumer.emulator.scan.later import Later
from consumer.emulator.scan.likeness import NEEDED, is_available
from consumer.emulator.scan.tasks import OpenTasks
from consumer.emulator.settings import EmulatorSettings
from consumer.emulator.signatures import SignedRequest
from consumer.emulator.sources import open_source
from consumer.emulator.store_signatures import StoreRequest
from consumer.emulator.uploads import Uploads, action_of, is_for_store, read_store_request, subject_in_store
from consumer.proxies import DIRECT, Proxies

MAX_REQUEST: Final = 1024 * 1024
"""The longest body of a call, in bytes. The longest valid one is a few kilobytes; an upload is as long as an image."""

_DRIP: Final = 8
"""Bytes at a time of an answer that trickles."""
_LOOK_AFTER: Final = 0.05
"""Seconds between two looks whether a client still waits."""

PROVIDER: Final = web.AppKey("provider", Provider)
UPLOADS: Final = web.AppKey("uploads", Uploads)
SCAN: Final = web.AppKey("scan", ScanCalls)
READING: Final = web.AppKey("reading", Reading)
REGIONS: Final = web.AppKey("regions", dict[int, str])


class Emulator:
    """The emulated provider as its owner sees it: where it listens, what it was asked. Made by `running`."""

    def __init__(
        self, settings: EmulatorSettings, app: web.Application, listener: Listener, ports: Mapping[str, int]
    ) -> None:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self.calls = app[CALLS]
        """What was asked, in order of arrival."""
        self.faults = app[FAULTS]
        """What goes wrong."""
        self.libraries = app[LIBRARIES]
        """The account's libraries of the 1.0 service."""
        self.feedback = app[FEEDBACK]
        """What people said of images in the 1.0 API."""
        self.tasks = app[TASKS]
        """The asynchronous tasks of the 1.0 API."""
        self.endpoints = {region: f"{host}:{port}" for region, port in ports.items()}
        """`host:port` by region."""
        self.endpoint = self.endpoints[settings.regions[0]]
        """`host:port` of the first region, as the vendor's SDK wants it."""
        self.url = f"http://{self.endpoint}"
        """The base URL of the first region."""
        self._listener = listener
        self._ports = ports

    def stats(self) -> dict[str, Any]:
        """Totals since the start, or since the calls were last cleared."""
        return stats(self.calls)

    async def stop_listening(self, *regions: str) -> None:
        """Refuse connections in `regions`, or in all, and cut those that are open."""
        await self._listener.stop([self._ports[region] for region in regions or self._ports])

    async def resume_listening(self, *regions: str) -> None:
        """Accept connections again on the same ports. Raises: OSError, when one was taken meanwhile."""
        for region in regions or self._ports:
            await self._listener.start(self._ports[region])


def build_app(
    settings: EmulatorSettings, proxies: Proxies = DIRECT, clock: Callable[[], float] = time.time
) -> web.Application:
    """
    The emulator as an application, for a server of one's own. A port it does not know is in the first region.

    Upload tokens and uploaded objects age by `clock`, in unix seconds.
    """
    app = web.Application(client_max_size=MAX_REQUEST, middlewares=[only_by({settings.host, *settings.names})])
    app[ACCOUNT] = account_of(settings)
    app[CALLS] = CallLog(settings.calls_kept)
    app[FAULTS] = Faults(settings.faults)
    app[LIBRARIES] = LibraryStore(settings.libraries, settings.uid)
    app[FEEDBACK] = FeedbackStore()
    app[TASKS] = OpenTasks(settings.scan_kept, settings.scan_pending)
    app[UPLOADS] = Uploads(settings, app[FAULTS], clock)
    app[READING] = Reading(settings, app[FAULTS], clock)
    app[REGIONS] = {}

    async def open_provider(app: web.Application) -> AsyncIterator[None]:
        uploads = app[UPLOADS]
        async with open_source(
            settings.oss,
            timeout=settings.download_timeout,
            proxies=proxies,
            uploaded=uploads.find,
            unauthorised=settings.unauthorised,
        ) as source:
            app[PROVIDER] = Provider(settings, source, app[FAULTS], uploads, app[LIBRARIES])
            async with aiohttp.ClientSession(trust_env=False) as session:
                later = Later(app[TASKS], Callbacks(settings, session), clock)
                judge = Judge(source, app[LIBRARIES], app[FEEDBACK])
                app[SCAN] = ScanCalls(settings, app[FAULTS], uploads, app[CALLS], judge, later)
                yield
                await later.end()

    app.cleanup_ctx.append(open_provider)
    add_pages(app)
    app.router.add_route("*", "/{path:.*}", functools.partial(_answer_call, default_region=settings.regions[0]))
    return app


@asynccontextmanager
async def running(
    settings: EmulatorSettings, proxies: Proxies = DIRECT, clock: Callable[[], float] = time.time
) -> AsyncIterator[Emulator]:
    """
    The emulator, listening; it downloads images through `proxies`. What was uploaded ages by `clock`, in unix seconds.

    Raises: OSError, when a port is taken.
    """
    app = build_app(settings, proxies, clock)
    wanted = [settings.port and settings.port + index for index in range(len(settings.regions))]
    async with listening(app, settings.host, wanted) as (listener, bound):
        app[REGIONS].update(zip(bound, settings.regions, strict=True))
        yield Emulator(settings, app, listener, dict(zip(settings.regions, bound, strict=True)))


async def serve(
    settings: EmulatorSettings, announce: Callable[[str], object] | None = None, proxies: Proxies = DIRECT
) -> None:
    """
    Run the emulator until SIGTERM or SIGINT, having announced line by line (printed, by default) where it listens.

    Raises: OSError, when a port is taken.
    """
    announce = announce or functools.partial(print, flush=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings, proxies) as emulator:
        announce(f"{ABOUT} Rules: {len(settings.rules)}.")
        for region, endpoint in emulator.endpoints.items():
            announce(f"{region} listens on http://{endpoint}, at most {settings.qps} calls a second")
        if not is_available():
            announce(f"The 1.0 API finds no similar images, and refuses feedback: {NEEDED}")
        if "access_key_secret" not in settings.model_fields_set:  # a chosen secret is not shown
            announce(
                "Its account, for the service: export "
                f"ALIBABA_CLOUD_ACCESS_KEY_ID={settings.access_key_id} "
                f"ALIBABA_CLOUD_ACCESS_KEY_SECRET={settings.access_key_secret.get_secret_value()}"
            )
        await stop.wait()


async def _answer_call(http: web.Request, *, default_region: str) -> web.StreamResponse:
    stored = _store_request(http)
    call = Call(
        arrival=arrival_now(),
        region=http.app[REGIONS].get(_local_port(http), default_region),
        host=http.host,
        action=action_of(stored) if stored else _action_of(http),
        image=f"{stored.bucket}/{stored.key}" if stored else None,
    )
    calls = http.app[CALLS]
    calls.begin(call)
    try:
        answer = await (_answer_of_store(http, call, stored) if stored else _answer(http, call))
        call.code, call.billed = answer.code, answer.billed
        if isinstance(answer, Silence):
            return await _keep_silent(http, answer)
        call.http_status = answer.http_status
        return await _send(http, answer)
    finally:
        calls.end(call)


async def _answer(http: web.Request, call: Call) -> Reply | Silence:
    if http.app[FAULTS].draw(Moment.BEFORE_READING, subject_of(call)):
        return dropped()
    try:
        request = await _read(http)
    except web.HTTPRequestEntityTooLarge as error:
        return Reply(http_status=error.status, headers={}, body=b"", code="RequestTooLarge")
    except ConnectionError:
        return _client_left()
    if request.path.startswith(ROOT):
        return await http.app[SCAN].answer(request, call)
    return await http.app[PROVIDER].answer(request, call)


async def _answer_of_store(http: web.Request, call: Call, request: StoreRequest) -> Reply | Silence:
    if http.app[FAULTS].draw(Moment.BEFORE_READING, subject_in_store(request, call)):
        return dropped()
    if request.method == "GET":
        return await http.app[READING].answer(request, call)
    body: bytes | None
    try:
        body = await http.clone(client_max_size=MAX_BYTES).read()
    except web.HTTPRequestEntityTooLarge:
        body = None
    except ConnectionError:
        return _client_left()
    return await http.app[UPLOADS].answer(request, body, call)


def _action_of(http: web.Request) -> str | None:
    named = http.headers.get("x-acs-action")
    return scan_action_of(http.path) or named if http.path.startswith(ROOT) else named


def _store_request(http: web.Request) -> StoreRequest | None:
    if not is_for_store(http.method, http.headers.get("Authorization", "")):
        return None
    return read_store_request(http.method, http.host, http.raw_path, tuple(http.headers.items()))


def _client_left() -> Silence:
    return Silence(held=False, code="ClientLeft")


async def _send(http: web.Request, reply: Reply) -> web.StreamResponse:
    if not reply.trickle:
        return web.Response(status=reply.http_status, headers=reply.headers, body=reply.body)
    response = web.StreamResponse(status=reply.http_status, headers=reply.headers)
    response.content_length = len(reply.body)
    await response.prepare(http)
    with contextlib.suppress(ConnectionError):  # the client need not wait for the end
        for start in range(0, len(reply.body), _DRIP):
            await asyncio.sleep(reply.trickle * _DRIP / len(reply.body))
            await response.write(reply.body[start : start + _DRIP])
    return response


async def _keep_silent(http: web.Request, silence: Silence) -> web.StreamResponse:
    # aiohttp 3.14 tells a handler of its client's departure by cancelling it only, and listening.py turns that off.
    while silence.held and _is_open(http.transport):  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_AFTER)
    if http.transport is not None:
        http.transport.abort()
    return web.Response()


def _is_open(transport: asyncio.Transport | None) -> bool:
    return transport is not None and not transport.is_closing()


def _local_port(http: web.Request) -> int:
    # No transport: the client left before its request was looked at.
    return int(http.transport.get_extra_info("sockname")[1]) if http.transport else 0


async def _read(http: web.Request) -> SignedRequest:
    path, _, query = http.raw_path.partition("?")
    return SignedRequest(
        method=http.method,
        path=path,
        query=query,
        headers=tuple(http.headers.items()),
        body=await http.read(),
    )
