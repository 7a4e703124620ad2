"""The pictures of a page: of images that were fetched, and of files that an earlier scan has paid for."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from consumer.commands.scan.files import path_of
from consumer.commands.scan.finding import Found
from consumer.commands.scan.items import FILE, STDIN, Item, Stamp
from consumer.commands.scan.lines import Result
from consumer.commands.scan.thumbnails import Thumbnails, data_uri
from consumer.config.images import MOST_SCALED

THREADS = 2
"""Pictures that are made at once: each may take 160 MB."""


class Pictures:
    """
    Makes pictures while images are fetched, where they are wanted.

    Where it does not keep up, files are passed over, which can be read again for the page. That it fails stops nothing:
    `problem` says why pictures are missing.
    """

    def __init__(self, found: Found, *, wanted: bool) -> None:
        self._stdin = found.stdin
        self._thumbnails: Thumbnails | None = None
        self._threads = ThreadPoolExecutor(THREADS, "scan pictures")
        self._busy = 0
        self.problem: str | None = None
        if wanted:
            with self._noting():
                self._thumbnails = Thumbnails()

    async def seen(self, source: str, image: bytes) -> None:
        """Take an image that was fetched. Nothing escapes but cancellation."""
        if self._thumbnails is None or (self._busy >= THREADS and source.startswith((FILE, STDIN))):
            return
        self._busy += 1
        try:
            with self._noting():
                await asyncio.get_running_loop().run_in_executor(self._threads, self._thumbnails.add, source, image)
        finally:
            self._busy -= 1

    def of(self, result: Result) -> str:
        """A `data:` URI; empty where the image was not fetched, or is another by now. Nothing escapes."""
        item, found = result.item, None
        if self._thumbnails is not None:
            with self._noting():
                found = self._thumbnails.find(item.source)
        if found is not None:
            return found
        if item.source.startswith(STDIN):
            return data_uri(self._stdin or b"")
        return data_uri(_read(item)) if item.source.startswith(FILE) else ""

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.problem = f"temporary files: {error.strerror or error}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._thumbnails is not None:
            self._thumbnails.close()


def _read(item: Item) -> bytes:
    """A file as it was when it was found; nothing where it is not that any more, or is too large."""
    if item.stamp is None or item.stamp.size > MOST_SCALED:
        return b""
    try:
        with open(path_of(item.source), "rb") as file:
            status = os.fstat(file.fileno())
            is_same = Stamp(status.st_size, status.st_mtime_ns) == item.stamp
            return file.read(item.stamp.size) if is_same else b""
    except OSError:
        return b""
