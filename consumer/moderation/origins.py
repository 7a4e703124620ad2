"""
Where images are fetched from that fail together: a store's bucket, and a proxy. How many of each are under way.

    well        images are fetched as they come
    failing     a few at a time try it; the others wait for their turn, with nothing: no slot, no permit, no bytes
    recovering  each image that it gives lets one more try, until none waits

So an origin that hangs or refuses takes no slots from others' images, and is not run over once it is back. Hosts that
strangers name are no origins: each of their images has few attempts.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from math import inf
from types import TracebackType
from typing import Protocol, Self

from consumer.clock import Clock, SystemClock
from consumer.dispatch.waits import InterruptibleWaits
from consumer.images.stores.watch import AWAY_AFTER
from consumer.locations import StoredObject

AT_ONCE = 3
"""Images that try an origin which fails."""


class OriginLookup(Protocol):
    """What is known of where images come from."""

    def proxy_of(self, source: str | StoredObject) -> str | None:
        """The proxy that an image is fetched through; None without one."""
        ...

    async def gives_another(self, wanted: StoredObject, *, is_refused: bool) -> bool:
        """Tell whether a bucket gives another object now than one that fails, or `is_refused` to this service."""
        ...


class Origin:
    """A bucket, or a proxy."""

    def __init__(self, name: str, clock: Clock, proxy: str | None = None) -> None:
        """`name` says what it is, and is no other's; `proxy` is how one is shown, without its password."""
        self.name = name
        self.proxy = proxy
        self._clock = clock
        self.answered = 0
        """Images that it gave, or said something of."""
        self.code: str | None = None
        """Why it fails, while it does."""
        self.failing_since = 0.0
        self.in_flight = 0
        """Images that it was asked for, and has not answered."""
        self._turns = 0  # given, and not over
        self._allowed = inf  # turns at once, while it fails or some wait
        self._waiting: OrderedDict[asyncio.Future[None], None] = OrderedDict()

    @property
    def waiting(self) -> int:
        """Images that wait for their turn."""
        return len(self._waiting)

    def may_be_asked(self) -> bool:
        """Whether one more image may be under way now: those that had their turn before it failed may not all be."""
        return self.code is None or self.in_flight < AT_ONCE

    async def take_turn(self, waits: InterruptibleWaits, *, first: bool) -> None:
        """Return once an image may try, before all others where it goes `first`."""
        if self.code is None and not self._waiting:
            self._turns += 1
            return
        with waits.interruptible():
            given = asyncio.get_running_loop().create_future()
            self._waiting[given] = None
            if first:
                self._waiting.move_to_end(given, last=False)
            self._move()
            try:
                await given
            except BaseException:
                if given in self._waiting:
                    del self._waiting[given]
                elif not given.cancelled():  # it was given in the same moment
                    self.end_turn()
                raise

    def end_turn(self) -> None:
        """Note that a turn is over."""
        self._turns -= 1
        self._move()

    def gave(self) -> None:
        """Note that it gave an image, or said what is with one."""
        self.answered += 1
        self.code = None
        self._allowed += 1
        self._move()

    def failed(self, code: str) -> None:
        """Note that it failed, for no image's fault as far as is known."""
        if self.code is None:
            self.failing_since = self._clock.now()
        self.code = code
        self._allowed = AT_ONCE

    def _move(self) -> None:
        while self._waiting and self._turns < self._allowed:
            given, _ = self._waiting.popitem(last=False)
            if not given.cancelled():
                self._turns += 1
                given.set_result(None)


class Turn:
    """An image's turn with its origins: over once it is fetched, or when this is left."""

    def __init__(self) -> None:
        self._origins: list[Origin] = []

    async def take(self, origins: Iterable[Origin], waits: InterruptibleWaits, *, first: bool) -> None:
        """Return once each of the origins may be tried."""
        for origin in origins:
            await origin.take_turn(waits, first=first)
            self._origins.append(origin)

    def end(self) -> None:
        """Let others have theirs. Does nothing where it is over."""
        while self._origins:
            self._origins.pop().end_turn()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


class Origins:
    """All of them, by what is fetched."""

    def __init__(self, lookup: OriginLookup | None = None, clock: Clock | None = None) -> None:
        """Without a `lookup` there are no proxies, and no bucket is asked for other objects."""
        self._lookup = lookup
        self._clock = clock or SystemClock()
        self._by_name: dict[str, Origin] = {}

    def of(self, source: str | StoredObject) -> tuple[Origin, ...]:
        """The bucket of an object, and the proxy that it is fetched through; none for a host that is asked itself."""
        found = [self._named(f"store {source.store}/{source.bucket}")] if isinstance(source, StoredObject) else []
        if self._lookup is not None and (proxy := self._lookup.proxy_of(source)) is not None:
            found.append(self._named(f"proxy {proxy}", proxy))
        return tuple(found)

    def _named(self, name: str, proxy: str | None = None) -> Origin:
        return self._by_name.setdefault(name, Origin(name, self._clock, proxy))

    def reasons_not_ready(self) -> list[str]:
        """Name the proxies that have let nothing through for a while; buckets are named by who reads them."""
        lasting = {
            origin.proxy: self._clock.now() - origin.failing_since
            for origin in self._by_name.values()
            if origin.code is not None and origin.proxy is not None
        }
        return [
            f"images: images.proxy, which is {proxy}, lets nothing through for {seconds:.0f} s"
            for proxy, seconds in lasting.items()
            if seconds >= AWAY_AFTER
        ]

    async def gives_another(self, wanted: StoredObject, *, is_refused: bool) -> bool:
        """See `OriginLookup`."""
        return self._lookup is not None and await self._lookup.gives_another(wanted, is_refused=is_refused)
