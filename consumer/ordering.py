"""
The order of each Kafka key: its messages are judged at once, and publish one after the other.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal

from consumer.errors import Lost
from consumer.records import Delivery, Partition

State = Literal["waiting", "judging", "behind its key", "publishing"]


class KeyOrder:
    """
    The order of each key. Its messages are judged at once and publish one after the other.

    A key's order is that of its partition; messages without a key are free, and all of them where order is not kept.
    """

    def __init__(self, kept: bool) -> None:
        self._kept = kept
        self._last: dict[tuple[Partition, bytes], KeyTurn] = {}

    def take(self, delivery: Delivery, settled_owner: Callable[[Partition, int], Awaitable[bool]]) -> "KeyTurn":
        """Stand behind every earlier message of the key."""
        is_ours = partial(settled_owner, delivery.topic_partition, delivery.epoch)
        if delivery.key is None or not self._kept:
            return KeyTurn(is_ours, None, lambda turn: None)
        key = (delivery.topic_partition, delivery.key)
        turn = self._last[key] = KeyTurn(is_ours, self._last.get(key), lambda turn: self._forget(key, turn))
        return turn

    def _forget(self, key: tuple[Partition, bytes], turn: "KeyTurn") -> None:
        if self._last.get(key) is turn:
            del self._last[key]


class KeyTurn:
    """One message's place in its key's order."""

    def __init__(
        self,
        is_ours: Callable[[], Awaitable[bool]],
        previous: "KeyTurn | None",
        forget: Callable[["KeyTurn"], None],
    ) -> None:
        self._is_ours = is_ours
        self._previous = previous
        self._forget = forget
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.state: State = "judging"

    async def wait(self) -> None:
        """
        Return when the message may publish: the one before it has left, and the partition is this replica's.

        Raises:
            Lost: it is another replica's.
            CancelledError: the one before gave up; this one must not overtake it.
        """
        if self._previous is not None:
            self.state = "behind its key"
            await asyncio.shield(self._previous._over)
            self._previous = None  # or a busy key would chain all its past
        if not await self._is_ours():
            raise Lost
        self.state = "publishing"

    def leave(self) -> None:
        """All outcomes are durable, or another replica's affair. Those behind still wait for those before it."""
        if self._previous is None:
            self._over.set_result(None)
            self._forget(self)
        else:  # it had nothing to publish, and so did not wait
            self._previous._over.add_done_callback(self._follow)

    def _follow(self, previous: asyncio.Future[None]) -> None:
        if previous.cancelled():
            self.give_up()
        else:
            self._over.set_result(None)
            self._forget(self)

    def give_up(self) -> None:
        """There will be no outcome now; those behind give up too."""
        self._over.cancel()
        self._forget(self)
