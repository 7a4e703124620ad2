"""
The port on which the vendor says that a task is finished.

Whoever reaches it can only have a result asked for earlier, once for each open task, and only with a checksum that is
right. Connections, bytes and seconds are bounded (`observability/connections.py`).
"""

import contextlib
from collections.abc import AsyncIterator, Callable

import structlog
from aiohttp import web

from consumer.alibaba.scan.callbacks import CallbackSecret, read_callback
from consumer.observability import metrics
from consumer.observability.connections import Bounds
from consumer.observability.listening import Address, handling

log = structlog.get_logger()

BOUNDS = Bounds(request_bytes=131_072, reads_bodies=True)


@contextlib.asynccontextmanager
async def callbacks(
    address: Address, secret: CallbackSecret, wake: Callable[[str], bool], bounds: Bounds = BOUNDS
) -> AsyncIterator[str]:
    """
    Listen until the context ends. Yields the address as it can be called.

    `wake` has the result of a task asked for, and says whether that is new. A task that is not open here may be another
    replica's: that is no failure, and the vendor must not repeat it. `Misconfigured` escapes where the port is taken.
    """

    async def answer(request: web.BaseRequest) -> web.Response:
        if request.method != "POST":
            return web.Response(status=405, headers={"allow": "POST"}, text="POST\n")
        read = read_callback(await request.read(), secret)
        if read == "unreadable":
            metrics.SCAN_CALLBACKS.labels("unreadable").inc()
            return web.Response(status=400, text="a form with checksum and content is wanted\n")
        if read == "forged":
            metrics.SCAN_CALLBACKS.labels("forged").inc()
            return web.Response(status=403, text="the checksum is not of this content\n")
        for task_id in read.task_ids:
            metrics.SCAN_CALLBACKS.labels("woke" if wake(task_id) else "not_open").inc()
        return web.Response(text="ok\n")

    async with handling(address, answer, bounds) as shown:
        log.info("callbacks.listening", address=shown)
        yield shown
