"""Files of this machine, and what standard input held, as images that are fetched and uploaded."""

import asyncio
import contextlib
import errno
import os
import stat
from collections.abc import Awaitable, Callable, Iterator, Mapping
from urllib.parse import unquote_to_bytes

from consumer.commands.scan.items import FILE, STDIN, Stamp
from consumer.images.errors import NotFetched
from consumer.images.held import Room
from consumer.locations import StoredObject
from consumer.moderation.fetching import ImageFetcher

Seen = Callable[[str, bytes], Awaitable[None]]
"""Takes the source and the bytes of an image that was fetched."""

_CODES = {
    errno.ENOENT: "not_found", errno.ENOTDIR: "not_found", errno.ELOOP: "not_found", errno.ENAMETOOLONG: "not_found",
    errno.EACCES: "denied", errno.EPERM: "denied", errno.EISDIR: "is_a_folder",
}  # fmt: skip


class FilesToo:
    """An `ImageFetcher` that reads files itself, and has another one fetch whatever else there is."""

    def __init__(
        self, others: ImageFetcher, stamps: Mapping[str, Stamp | None], stdin: bytes | None, max_bytes: int,
        seen: Seen | None = None,
    ) -> None:  # fmt: skip
        """`stamps` are the files' by their URLs, as they were found."""
        self._others = others
        self._stamps = stamps
        self._stdin = stdin
        self._max_bytes = max_bytes
        self._seen = seen

    async def fetch(self, source: str | StoredObject, room: Room) -> bytes:
        """
        Return an image's bytes, once `room` for them was taken.

        Raises:
            NotFetched: `not_found`, `denied`, `too_large`, `is_a_folder`, `no_file`, `changed`, `empty`, `read_error`,
                or what the other fetcher says.
        """
        data = await self._fetch(source, room)
        if self._seen is not None and isinstance(source, str):
            await self._seen(source, data)
        return data

    async def _fetch(self, source: str | StoredObject, room: Room) -> bytes:
        if isinstance(source, str) and source.startswith(FILE):
            return await self._read(source, room)
        if isinstance(source, str) and source.startswith(STDIN):
            return await self._given(room)
        return await self._others.fetch(source, room)

    async def _given(self, room: Room) -> bytes:
        data = self._stdin or b""
        self._must_fit(len(data))
        await room.take(len(data))
        return data

    async def _read(self, source: str, room: Room) -> bytes:
        path = path_of(source)
        found = await asyncio.to_thread(_stamp, path)
        if self._stamps.get(source, found) != found:
            raise NotFetched("changed", detail="was written since the scan began")
        self._must_fit(found.size)
        await room.take(found.size)
        return await asyncio.to_thread(_whole, path, found)

    def _must_fit(self, size: int) -> None:
        if size > self._max_bytes:
            raise NotFetched("too_large", detail=f"has {size:,} bytes")
        if not size:
            raise NotFetched("empty", detail="has no bytes")


def path_of(source: str) -> bytes:
    """The path that a `file:` URL names, as the system has it."""
    return unquote_to_bytes(source.removeprefix(FILE + "//"))


@contextlib.contextmanager
def _opened(path: bytes) -> Iterator[tuple[int, Stamp]]:
    """A file, and what it is. To be entered and left in one thread, which nothing cancels."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would else wait for a writer
        try:
            yield opened, _looked_at(opened)
        finally:
            os.close(opened)
    except OSError as error:
        raise NotFetched(_CODES.get(error.errno or 0, "read_error"), detail=(error.strerror or "").lower()) from None


def _looked_at(opened: int) -> Stamp:
    status = os.fstat(opened)
    if stat.S_ISDIR(status.st_mode):
        raise NotFetched("is_a_folder")
    if not stat.S_ISREG(status.st_mode):
        raise NotFetched("no_file", detail="is a pipe, a socket or a device")
    return Stamp(status.st_size, status.st_mtime_ns)


def _stamp(path: bytes) -> Stamp:
    with _opened(path) as (_, found):
        return found


def _whole(path: bytes, stamp: Stamp) -> bytes:
    """All of a file that is still the same once it is read."""
    pieces: list[bytes] = []
    with _opened(path) as (opened, found):
        left = stamp.size + 1
        while left and (piece := os.read(opened, left)):
            pieces.append(piece)
            left -= len(piece)
        if not found == stamp == _looked_at(opened) or left != 1:
            raise NotFetched("changed", again=True, detail="was written while it was read")
    return b"".join(pieces)
