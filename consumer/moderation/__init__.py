"""
Ask a provider about one image by one service, and get an answer or the reason why there is none.

Everything here is a `Moderator`: a vendor's client makes the call; `Guarded`, `Paced`, `Uploaded`, `Limited`, `InTurn`,
`Regions` and `Retrying` wrap another and are one. Their order is decided in `layers.py`. What an answer leads to is not
known here.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from consumer.config.privacy import PrivacySettings
from consumer.dispatch.concurrency import Slot, Unfinished
from consumer.fairness import DEFAULT
from consumer.locations import ImageLocation
from consumer.moderation.breaker import Permit
from consumer.moderation.copies import Copies
from consumer.moderation.judged_by import JudgedBy
from consumer.moderation.origins import Turn
from consumer.records import ModerationResult, Partition


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerationRequest:
    """What is asked: one image, one service. A value; asked again it is the same, signed anew."""

    submission: str  # its id
    location: ImageLocation
    service: str
    info: tuple[str, ...] = ()  # what else the answer should contain, in the vendor's words
    referer: str | None = None  # at most 256 characters
    privacy: PrivacySettings = field(default_factory=PrivacySettings)  # which texts of the answer are read


@dataclass(slots=True, kw_only=True, eq=False)
class CallContext:
    """
    The caller, and what the layers around the provider share about one request; they share it in no other way.

        set by          member              read by
        the caller      the first ten       Limited, Paced, Retrying, the vendor's client
        Retrying        attempt             Regions, Limited, Paced, Fetching, spans, the caller
        Retrying        unreachable         Retrying
        Retrying        throttled           Retrying, Fetching
        InTurn          turn                Fetching, which ends it once the image is fetched
        Limited         slot                Regions and Uploaded, which give it back while they wait for something else
        Regions         region, permit      Guarded, the caller
        Regions         store_permit        Uploaded, Fetching
        Uploaded        copies              Regions, Uploaded, CopiesKept, the caller
        Uploaded        uploading           Uploaded
        Paced           before_sending      the vendor's client, in the last moment before bytes go out
        Paced           after_sending       likewise, once they have gone out
        the vendor's client  alone          likewise
        Guarded and Uploaded  failures      Regions (prefers another region)
        Guarded and Fetching  others_answered  Retrying (whose fault a failure is)
    """

    partition: Partition  # of the message that asks
    offset: int = 0  # likewise, for the log
    epoch: int = 0  # likewise: its partition's ownership epoch
    lane: str = DEFAULT  # whose part of the quota it uses
    tenant: str = ""  # whose image it is, as its message says
    key: bytes | None = field(default=None, repr=False)  # of its message
    received: float | None = None  # unix seconds at which the event was read, where this is the image's first request
    paid: bool = False  # an earlier answer about this image is paid for, and not published
    image: Unfinished = field(default_factory=Unfinished)  # that its requests share
    judged_by: JudgedBy | None = None  # which policy the image is asked by, likewise

    attempt: int = 1  # from 1; calls sent once it is over
    unreachable: int = 0  # attempts at which the image could not be fetched
    throttled: int = 0  # attempts at which provider or store asked to come later: they are none at the image
    turn: Turn | None = None  # with the bucket, or the proxy, that the image is fetched from
    slot: Slot | None = None  # held, but while a permit is waited for
    region: str = ""  # that is asked, or was asked last
    permit: Permit | None = None  # from this region's breaker, for the call
    store_permit: Permit | None = None  # or from that of its temporary store, where the image must be uploaded first
    copies: Copies = field(default_factory=Copies)  # of the image in temporary stores; its requests share them
    uploading: asyncio.Lock = field(default_factory=asyncio.Lock)  # held by one of them, which does it for all
    # `GrantRevoked` escapes where the call must not go out. Called again where another image left it in that moment.
    before_sending: Callable[[], None] | None = None
    after_sending: Callable[[], None] | None = None
    alone: bool = False  # it shares no call with other images
    first_departures: dict[str, int] = field(default_factory=dict)  # by region: the number of this request's first call
    failures: Counter[str] = field(default_factory=Counter)  # by region: calls to it or its temporary store that failed
    others_answered: int = 0  # images, since the failed region's first departure


class Moderator(Protocol):
    """
    Answers requests. A vendor's client is the innermost one.

    What a client raises is what the provider says, sorted by what is done about it (`errors.py`). It refuses nothing by
    itself, because what it raises counts as the end of a call: `Guarded` takes `InputRefused` for a wrong account or
    configuration (`AccountRefused`: everything waits) until the service was answered about a first image, or a first
    copy; and a breaker takes every `Unjudgeable` for an answer. What this vendor can never be asked is refused before:
    by the configuration, or where an image is located (`NotAskable`).
    """

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        """Return the accepted answer. `CallFailed` escapes: from `Retrying`, only once no attempt is left."""
        ...


Layer = Callable[[Moderator], Moderator]
"""Wraps a moderator, and is one."""


def stacked(innermost: Moderator, layers: Sequence[Layer]) -> Moderator:
    """Wrap a moderator in layers; the first of them is the outermost."""
    moderator = innermost
    for layer in reversed(layers):
        moderator = layer(moderator)
    return moderator
