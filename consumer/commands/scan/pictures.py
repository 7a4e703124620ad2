"""The pictures of a page: of images that were fetched, and of files that an earlier scan has paid for."""

import asyncio
import os
from types import TracebackType
from typing import Self

from consumer.commands.scan.files import path_of
from consumer.commands.scan.finding import Found
from consumer.commands.scan.items import FILE, STDIN, Item, Stamp
from consumer.commands.scan.lines import Result
from consumer.commands.scan.thumbnails import Thumbnails, data_uri
from consumer.vendor_facts.images import MOST_BYTES


class Pictures:
    """Makes pictures while images are fetched, where they are wanted."""

    def __init__(self, found: Found, *, wanted: bool) -> None:
        self._stdin = found.stdin
        self._thumbnails = Thumbnails() if wanted else None

    async def seen(self, source: str, image: bytes) -> None:
        """Take an image that was fetched."""
        if self._thumbnails is not None:
            await asyncio.to_thread(self._thumbnails.add, source, image)

    def of(self, result: Result) -> str:
        """A `data:` URI; empty where the image was not fetched, or is another by now."""
        item = result.item
        found = self._thumbnails.find(item.source) if self._thumbnails is not None else None
        if found is not None:
            return found
        if item.source.startswith(STDIN):
            return data_uri(self._stdin or b"")
        return data_uri(_read(item)) if item.source.startswith(FILE) else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thumbnails is not None:
            self._thumbnails.close()


def _read(item: Item) -> bytes:
    """A file as it was when it was found; nothing where it is not that any more, or is too large."""
    if item.stamp is None or item.stamp.size > MOST_BYTES:
        return b""
    try:
        with open(path_of(item.source), "rb") as file:
            status = os.fstat(file.fileno())
            is_same = Stamp(status.st_size, status.st_mtime_ns) == item.stamp
            return file.read(item.stamp.size) if is_same else b""
    except OSError:
        return b""
