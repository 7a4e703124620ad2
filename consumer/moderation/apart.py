"""
Ask one region about images that are no uploads.

    Apart: a slot ──► Paced: its moment ──► the client

Such a call takes its turn with all others, and no more is sent than may be. But the region's breaker stands aside: it
learns nothing from how the call ends, because an image of the operator's that is answered says nothing of whose fault
it is that uploads are not, nor does one that fails. While the breaker is not closed nothing is asked: that is for
uploads to find out.
"""

from consumer.dispatch.concurrency import ConcurrencyLimit, Unfinished
from consumer.dispatch.flows import Flow
from consumer.dispatch.gate import GrantRevoked
from consumer.errors import ConsumerError
from consumer.moderation import CallContext, ModerationRequest, Moderator
from consumer.moderation.breaker import State
from consumer.moderation.regions import Region
from consumer.moderation.uploaded import TemporaryStore
from consumer.records import ModerationResult


class HeldBack(ConsumerError):
    """The region's breaker is not closed: nothing was asked."""


class OneCall(Unfinished):
    """An image that takes a single call."""

    def calls_left(self, most: int) -> int:
        return 1


class Apart:
    """A `Moderator` of one region. `HeldBack` and `CallFailed` escape; nothing is tried again."""

    def __init__(self, inner: Moderator, region: Region, store: TemporaryStore, slots: ConcurrencyLimit) -> None:
        """`store` is the region's, for images that the provider cannot find elsewhere."""
        self._inner = inner
        self._region = region
        self._slots = slots
        self.store = store

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        call.region = self._region.name
        async with self._slots.slot(call.lane, Flow(call.partition.topic), OneCall()):
            while True:
                if self._region.breakers[request.service].state is not State.CLOSED:
                    raise HeldBack
                try:
                    return await self._inner.ask(request, call)
                except GrantRevoked:
                    continue
