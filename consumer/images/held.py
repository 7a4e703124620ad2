"""How many bytes of images are held at once, over all of them."""

import asyncio
from collections import OrderedDict
from types import TracebackType
from typing import Self

from consumer.images.turns import Turns

OF_CONNECTIONS = 2_097_152
"""Bytes that connections and the allocator have of an image beside it, while it is held: 1.8 MiB in `bench.uploads`."""


class BytesHeld:
    """
    A number of bytes that images take and give back. Who waits for some has them in the order of coming.

    Each image takes `beside` more than it has, as far as there are more at all.
    """

    def __init__(self, most: int, beside: int = 0) -> None:
        self.most = most
        self.beside = beside
        self.taken = 0
        """Bytes that are held now."""
        self.turns = Turns()
        """In which they come."""
        self._waiting: OrderedDict[asyncio.Future[None], int] = OrderedDict()

    async def take(self, count: int) -> None:
        """Return once so many bytes may be held. `ValueError` escapes for more than there ever are."""
        if count > self.most:
            raise ValueError(f"{count} bytes are more than {self.most}")
        if not self._waiting and self.taken + count <= self.most:
            self.taken += count
            return
        given = asyncio.get_running_loop().create_future()
        self._waiting[given] = count
        try:
            await given
        except BaseException:
            if self._waiting.pop(given, None) is None and not given.cancelled():  # given in the same moment
                self.taken -= count
            self._move()
            raise

    def give_back(self, count: int) -> None:
        """Let others have so many bytes."""
        self.taken -= count
        self._move()

    def _move(self) -> None:
        while self._waiting:
            given, count = next(iter(self._waiting.items()))
            if self.taken + count > self.most:
                return
            del self._waiting[given]
            if not given.cancelled():
                self.taken += count
                given.set_result(None)

    def room(self) -> "Room":
        """Room for one image, to be entered."""
        return Room(self)


class Room:
    """The bytes that one image may have. They are given back when this is left."""

    def __init__(self, held: BytesHeld) -> None:
        self._held = held
        self.taken = 0
        self._beside = 0
        self.turns = held.turns

    async def take(self, count: int) -> None:
        """Return once there is room for so many bytes. `ValueError` escapes for more than there ever is."""
        beside = 0 if self._beside else max(0, min(self._held.beside, self._held.most - count))
        await self._held.take(count + beside)
        self.taken += count
        self._beside += beside

    def shrink(self, count: int) -> None:
        """Give back what is beyond so many bytes."""
        if beyond := max(0, self.taken - count):
            self.taken -= beyond
            self._held.give_back(beyond)

    def clear(self) -> None:
        """Give everything back."""
        self._held.give_back(self.taken + self._beside)
        self.taken = self._beside = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()
