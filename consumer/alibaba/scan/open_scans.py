"""
What the service needs of the asynchronous 1.0 API: its client, the layers around it, and the loop that reads results.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import NamedTuple

from consumer.alibaba.scan.asynchronous import AsyncScanClient, Callback, Record, ScanRegion, ScanResults, TakenOver
from consumer.alibaba.scan.batched import Together
from consumer.alibaba.scan.callback_listener import callbacks
from consumer.alibaba.scan.callbacks import CallbackSecret
from consumer.config.scan_tasks import CallbackSettings, TaskSettings, read_seed
from consumer.journal.tasks import KnownTasks
from consumer.moderation import Moderator
from consumer.moderation.open_tasks import OpenTasks
from consumer.moderation.tasks import AwaitedTasks, Polling
from consumer.observability.listening import Address


class WrittenTasks(NamedTuple):
    """The topic of tasks: what stood there, and how more gets there."""

    known: KnownTasks
    record: Record


@dataclass(frozen=True, slots=True)
class OpenScans:
    """Those of one region."""

    region: ScanRegion
    tasks: AwaitedTasks
    written: WrittenTasks
    callback: CallbackSettings | None
    seed: str = field(repr=False)
    together: Together | None = None

    @classmethod
    def of(
        cls, region: ScanRegion, settings: TaskSettings, written: WrittenTasks, together: Together | None = None
    ) -> "OpenScans":
        """`Misconfigured` escapes where the seed cannot be read."""
        awaited = AwaitedTasks(
            ScanResults(region),
            OpenTasks(settings.poll_interval, settings.results_kept),
            Polling(ids=settings.poll_tasks, gap=1 / settings.polls_per_second),
            region.clock,
        )
        callback = settings.called_back
        return cls(region, awaited, written, callback, "" if callback is None else read_seed(callback), together)

    def client(self) -> Moderator:
        """What makes the calls."""
        url = None if self.callback is None else self.callback.url
        callback = None if url is None else Callback(url, self.seed)
        return AsyncScanClient(self.region, self.tasks, self.written.record, callback, self.together)

    def taken_over(self, inner: Moderator) -> Moderator:
        """The layer that looks for what predecessors have paid for."""
        return TakenOver(inner, self.region, self.tasks, self.written.known)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read results, and listen for callbacks, until the context ends. `Misconfigured` escapes."""
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self.tasks.running())
            if (callback := self.callback) is not None:
                address = Address("scan.callback.host", callback.host, "scan.callback.port", callback.port)
                secret = CallbackSecret(callback.uid or "", self.seed)
                await stack.enter_async_context(callbacks(address, secret, self.tasks.wake))
            yield
