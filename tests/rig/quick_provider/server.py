"""
The stand-in's connections: stamp a call when its first byte comes, decide, answer in time.

A bare asyncio protocol: no web framework stands between the socket and the stamp.
"""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from http.client import responses
from itertools import count
from typing import Any, Protocol, cast

import orjson

from tests.rig.quick_provider.log import Arrival, ArrivalClock, ArrivalLog
from tests.rig.quick_provider.request import BadRequest, Request, read_request
from tests.rig.quick_provider.scan import SCAN, read_scan, scan_answer
from tests.rig.quick_provider.script import Behaviour, Question, Reply, Script, answer, read_question
from tests.rig.quick_provider.store import image, token, upload_left

_TICK = 0.01


class Body(Protocol):
    """Makes an answer's body."""

    def __call__(self, *, request_id: str) -> bytes: ...


class Provider:
    """The stand-in itself: what all its connections share."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.script = Script(behaviour)
        self.clock = ArrivalClock()
        self.log = ArrivalLog()
        self.in_flight = 0
        self.worst_lag = 0.0
        self._request_numbers = count(1)

    def connection(self) -> "Connection":
        """Return the protocol of a new connection."""
        return Connection(self)

    def request_id(self) -> str:
        """Return a fresh id, an upper-case UUID in form as the vendor's are."""
        return f"00000000-0000-4000-8000-{next(self._request_numbers):012X}"

    def stats(self) -> dict[str, Any]:
        """Return what `GET /stats` answers; times are seconds."""
        return {
            "arrivals": len(self.log),
            "codes": self.log.codes(),
            "in_flight": self.in_flight,
            "worst_lag": self.worst_lag,
            "cpu_seconds": time.process_time(),
        }

    def clear(self) -> None:
        """Forget the arrivals and the worst lag."""
        self.log.clear()
        self.worst_lag = 0.0

    async def watch_lag(self) -> None:
        """
        Note how late the event loop has been at its worst, until cancelled.

        Arrivals are stamped when the loop reads them, so this is the largest error a stamp can have had.
        """
        while True:
            due = time.monotonic() + _TICK
            await asyncio.sleep(_TICK)
            self.worst_lag = max(self.worst_lag, time.monotonic() - due)


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request at a time on it."""

    _transport: asyncio.Transport

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._received = b""
        self._arrived = 0.0
        self._answering = False
        self._upload_left: int | None = None  # bytes of an upload that are still to come

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Stamp the first bytes of a request; serve it once it is whole."""
        if self._upload_left is not None or (not self._answering and (self._received + data[:4]).startswith(b"PUT ")):
            self._take_upload(data)
            return
        now = self._provider.clock.now()
        if not self._received:
            self._arrived = now
        self._received += data
        if self._answering:
            self._refuse("a second request began before the first was answered")
            return
        try:
            request = read_request(self._received)
        except BadRequest as error:
            self._refuse(str(error))
            return
        if request is not None:
            self._received = b""
            self._serve(request)

    def _take_upload(self, data: bytes) -> None:
        if self._upload_left is None:
            self._received += data
            self._upload_left = upload_left(self._received)
        else:
            self._upload_left -= len(data)
        if self._upload_left is not None and self._upload_left <= 0:
            self._received, self._upload_left = b"", None
            self._reply(200, b"")

    def _refuse(self, reason: str) -> None:
        self._reply(400, reason.encode(), content_type="text/plain", closes=True)

    def _serve(self, request: Request) -> None:
        match request.method, request.path:
            case b"POST", b"/" if request.action in (b"", b"ImageModeration"):
                self._moderate(request)
            case b"POST", path if path == SCAN:
                self._scan(request)
            case b"POST", b"/" if request.action == b"DescribeUploadToken":
                port = self._transport.get_extra_info("sockname")[1]
                self._reply(200, token(self._provider.behaviour.store or f"http://127.0.0.1:{port}"))
            case b"GET", path if path.startswith(b"/images/"):
                self._reply(200, image(path), content_type="image/png")
            case b"GET", b"/log":
                self._reply(200, self._provider.log.to_json_lines(), content_type="application/x-ndjson")
            case b"GET", b"/stats":
                self._reply(200, orjson.dumps(self._provider.stats()))
            case b"DELETE", b"/log":
                self._provider.clear()
                self._reply(200, b"{}")
            case _:
                self._reply(404, orjson.dumps({"Code": "InvalidAction.NotFound", "Message": "not served here"}))

    def _moderate(self, request: Request) -> None:
        question = read_question(request.body)
        [reply] = self._decide([question], request)
        body = partial(answer, reply.code, data_id=question.data_id if question else "", verdict=reply.verdict)
        self._answer_later([reply], body, request)

    def _scan(self, request: Request) -> None:
        scan = read_scan(request.body)
        replies = self._decide([None] if scan is None else scan.images, request)
        self._answer_later(replies, partial(scan_answer, scan, replies), request)

    def _decide(self, questions: Sequence[Question | None], request: Request) -> list[Reply]:
        """One arrival for each image."""
        provider, at = self._provider, round(self._arrived, 6)
        replies = []
        for question in questions:
            reply = provider.script.reply(question, self._arrived)
            data_id, image = question or ("", "")
            provider.log.note(Arrival(at, data_id, image, reply.code, request.caller, request.signed))
            replies.append(reply)
        return replies

    def _answer_later(self, replies: Sequence[Reply], body: Body, request: Request) -> None:
        self._provider.in_flight += 1
        self._answering = True
        # Counted from the arrival, so what a stall of this process cost is not added to the latency.
        delay = self._arrived + max((reply.latency for reply in replies), default=0.0) - self._provider.clock.now()
        asyncio.get_running_loop().call_later(max(0.0, delay), self._answer, body, request.closes)

    def _answer(self, body: Body, closes: bool) -> None:
        provider = self._provider
        provider.in_flight -= 1
        self._answering = False
        request_id = provider.request_id()
        self._reply(200, body(request_id=request_id), request_id=request_id, closes=closes)

    def _reply(
        self,
        status: int,
        body: bytes,
        *,
        content_type: str = "application/json;charset=utf-8",
        request_id: str = "",
        closes: bool = False,
    ) -> None:
        if self._transport.is_closing():  # the client did not wait
            return
        identity = f"x-acs-request-id: {request_id}\r\n" if request_id else ""
        head = (
            f"HTTP/1.1 {status} {responses[status]}\r\nContent-Type: {content_type}\r\n{identity}"
            f"Content-Length: {len(body)}\r\nConnection: {'close' if closes else 'keep-alive'}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)
        if closes:
            self._transport.close()
