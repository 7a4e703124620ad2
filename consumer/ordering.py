"""
The order of each Kafka key, tenant by tenant: its messages are judged at once, and publish one after the other.

    read ──► behind every earlier message of its key ──(decoded: its tenants are known)──► behind theirs only

Any producer can write any key. So a message delays the messages of its key that are of its own tenant, and no others.
A message that cannot be decoded yet may be of any tenant: those behind it wait until it has left.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Literal, NamedTuple
from weakref import WeakValueDictionary

from consumer.config import Ordering
from consumer.errors import Lost
from consumer.records import Delivery, Partition

State = Literal["waiting", "judging", "behind its key", "publishing"]


class KeyOrder:
    """
    The order of each key and tenant. Their messages are judged at once and publish one after the other.

    A key's order is that of its partition; messages without a key are free, and all of them where `ordering` is `none`.
    """

    def __init__(self, ordering: Ordering) -> None:
        self._ordering = ordering
        # A line is held by its turns alone, and is gone with the last of them.
        self._lines: WeakValueDictionary[tuple[Partition, bytes], KeyLine] = WeakValueDictionary()

    def take(self, delivery: Delivery, settled_owner: Callable[[Partition, int], Awaitable[bool]]) -> "KeyTurn":
        """Stand behind every earlier message of the key."""
        is_ours = partial(settled_owner, delivery.topic_partition, delivery.epoch)
        key = self._key(delivery)
        if key is None:
            return KeyTurn(is_ours, KeyLine())
        return KeyTurn(is_ours, self._lines.setdefault((delivery.topic_partition, key), KeyLine()))

    def _key(self, delivery: Delivery) -> bytes | None:
        """What messages of one line share; None of a message that is free."""
        return None if self._ordering == "none" else delivery.key


class Ends(NamedTuple):
    """Behind whom a message stands: the latest of its tenant, or else the latest that may be of any tenant."""

    by_tenant: dict[str | None, "KeyTurn"]
    of_any: "KeyTurn | None" = None


class KeyLine:
    """The messages of one key that have not left."""

    def __init__(self) -> None:
        self._ends = Ends({})
        self._before: Ends | None = None  # what the ends were before the latest of any tenant came, if it can narrow

    def join(self, turn: "KeyTurn") -> list["KeyTurn"]:
        """Let a message of any tenant stand behind all others, and return those."""
        before = self._before = self._ends
        self._ends = Ends({}, turn)
        return _open([*before.by_tenant.values(), before.of_any])

    def narrow(
        self, turn: "KeyTurn", previous: Sequence["KeyTurn"], tenants: Collection[str | None]
    ) -> list["KeyTurn"]:
        """
        Let a message stand behind those of its tenants only, and return which of the previous ones these are.

        All of them where another message stands behind it already, which may be of any tenant.
        """
        if self._ends.of_any is not turn or self._before is None:
            return list(previous)
        before, self._before = self._before, None
        wanted = {before.by_tenant.get(tenant, before.of_any) for tenant in tenants}
        by_tenant = {tenant: each for tenant, each in before.by_tenant.items() if not each.is_over}
        of_any = None if before.of_any is None or before.of_any.is_over else before.of_any
        self._ends = Ends(by_tenant | dict.fromkeys(tenants, turn), of_any)
        return [each for each in previous if each in wanted]

    def leave(self, turn: "KeyTurn") -> None:
        """Forget a message."""
        by_tenant, of_any = self._ends
        for tenant in [tenant for tenant, end in by_tenant.items() if end is turn]:
            del by_tenant[tenant]
        if of_any is turn:
            self._ends, self._before = Ends(by_tenant), None


class KeyTurn:
    """One message's place in its key's order."""

    def __init__(self, is_ours: Callable[[], Awaitable[bool]], line: KeyLine) -> None:
        self._is_ours = is_ours
        self._line = line
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._previous = line.join(self)
        self.state: State = "judging"

    @property
    def is_over(self) -> bool:
        """Whether the message has left, or given up."""
        return self._over.done()

    def narrow(self, tenants: Collection[str | None]) -> None:
        """Wait for earlier messages of these tenants only; to be called as soon as the message is decoded."""
        self._previous = self._line.narrow(self, self._previous, tenants)

    async def wait(self) -> None:
        """
        Return when the message may publish: those before it have left, and the partition is this replica's.

        Raises:
            Lost: it is another replica's.
            CancelledError: one before gave up; this one must not overtake it.
        """
        if self._previous:
            self.state = "behind its key"
            for previous in self._previous:
                await asyncio.shield(previous._over)
            self._previous = []  # or a busy key would chain all its past
        if not await self._is_ours():
            raise Lost
        self.state = "publishing"

    def leave(self) -> None:
        """All outcomes are durable, or another replica's affair. Those behind still wait for those before it."""
        if self._previous:  # it had nothing to publish, and so did not wait
            self._previous[-1]._over.add_done_callback(self._follow)
        else:
            self._over.set_result(None)
            self._line.leave(self)

    def _follow(self, previous: asyncio.Future[None]) -> None:
        if previous.cancelled():
            self.give_up()
        else:
            self._previous = self._previous[:-1]
            self.leave()

    def give_up(self) -> None:
        """There will be no outcome now; those behind give up too."""
        self._over.cancel()
        self._line.leave(self)


def _open(turns: Iterable[KeyTurn | None]) -> list[KeyTurn]:
    return [turn for turn in dict.fromkeys(turns) if turn is not None and not turn.is_over]
