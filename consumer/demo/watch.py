"""Carries the uploads through the running service and looks on: what is published, seen, called and charged."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Final

import aiohttp

from consumer.demo.comparison import percentile
from consumer.demo.outcomes import Place, Tally, Upload
from consumer.demo.process import Vitals
from consumer.demo.stage import Stage, charges
from consumer.demo.view import Snapshot, View
from consumer.errors import ConsumerError

_START_TIMEOUT: Final = 30.0  # seconds until the service reads
_END_TIMEOUT: Final = 10.0  # seconds to read what is there, or for a service that goes on to commit
_LOOK: Final = 0.2  # seconds between two looks at the service, and two pictures
_AT_ONCE: Final = 20  # uploads published without a pause: the emulated provider shares the event loop


class Stuck(ConsumerError):
    """Something does not happen that the demo needs."""


class Watch:
    """One run: fills a tally and shows what happens."""

    def __init__(self, stage: Stage, view: View, *, uploads: int, qps: int, began: float) -> None:
        """`began` is a moment of `time.monotonic`."""
        self.tally = Tally()
        self._stage = stage
        self._view = view
        self._uploads = uploads
        self._qps = qps
        self._began = began
        self._vitals = Vitals()
        self._look_due = began

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    async def until_ready(self) -> None:
        """
        Return when the service reads uploads.

        Raises:
            Stuck: it ended, or took too long.
        """
        service = self._stage.service
        while not await service.is_ready():
            self._show("the service starts and joins its consumer group, which takes some seconds")
            if service.exit_code is not None:
                raise Stuck(f"The service ended at its start, with exit code {service.exit_code}.")
            if self.elapsed > _START_TIMEOUT:
                raise Stuck(f"The service was not ready within {_START_TIMEOUT:.0f} seconds.")
            await asyncio.sleep(_LOOK / 2)

    async def publish(self, uploads: Sequence[Upload]) -> None:
        """Publish everything as fast as Kafka takes it: the quota, not the uploads, is to be what limits."""
        for first in range(0, len(uploads), _AT_ONCE):
            for published in await self._stage.inputs.publish(uploads[first : first + _AT_ONCE]):
                self.tally.publish(published)
            self._show("uploads are published")

    async def until_settled(self, uploads: int, timeout: float) -> None:
        """Return when `uploads` of them have their outcomes, or after `timeout` seconds, or with the service's end."""
        deadline = time.monotonic() + timeout
        while self.tally.settled < uploads and time.monotonic() < deadline:
            if self._stage.service.exit_code is not None:
                return
            await self._look("images are judged, within the quota", timeout=_LOOK)

    async def stop_service(self) -> int:
        """Stop the service by SIGTERM and return its exit code."""
        self._show("the service was told to stop")
        return await self._stage.service.stop()

    async def until_committed(self, group: str) -> int:
        """Count the messages that are not committed, once a running service had the time for its regular commit."""
        deadline = time.monotonic() + (_END_TIMEOUT if self._stage.service.exit_code is None else 0.0)
        while True:
            left = await self._stage.inputs.uncommitted(group)
            if not left or time.monotonic() > deadline:
                return left
            await asyncio.sleep(_LOOK)

    async def read_to_end(self) -> None:
        """
        Read whatever stands in the outputs by now.

        Raises:
            Stuck: it took too long.
        """
        deadline = time.monotonic() + _END_TIMEOUT
        while not await self._stage.outputs.at_end():
            await self._look("the outputs are read to their end", timeout=_LOOK)
            if time.monotonic() > deadline:
                raise Stuck(f"The outputs could not be read to their end within {_END_TIMEOUT:.0f} seconds.")
        self._show("done", last=True)

    async def _look(self, doing: str, *, timeout: float) -> None:
        for seen in await self._stage.outputs.poll(timeout):
            self.tally.see(seen)
        if time.monotonic() < self._look_due:  # a poll ends with the first record that comes
            return
        self._look_due = time.monotonic() + _LOOK
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):  # it may have ended: its exit code will tell
            self._vitals = await self._stage.service.vitals()
            self.tally.ignored = self._vitals.ignored
        self._show(doing)

    def _show(self, doing: str, *, last: bool = False) -> None:
        now = charges(self._stage.emulator)
        verdict_seconds = self.tally.seconds_to_verdict()
        snapshot = Snapshot(
            doing=doing,
            elapsed=self.elapsed,
            uploads=self._uploads,
            qps=self._qps,
            published=len(self.tally.published),
            settled=self.tally.settled,
            calls_last_second=now.last_second,
            calls_refused=now.refused,
            calls_in_flight=self._vitals.calls_in_flight,
            images_uploaded=now.uploaded,
            places={**self.tally.places, Place.IGNORED: self.tally.ignored.total()},
            verdict_p50=percentile(verdict_seconds, 0.5),
            verdict_p99=percentile(verdict_seconds, 0.99),
            provider_p50=percentile(self.tally.provider_seconds(), 0.5),
        )
        self._view.show(snapshot, last=last)
