"""
Ask the provider about one image by one service, and be told an answer or why there is none.

Everything here is a `Moderator`: `HttpModerator` makes the call; `Paced`, `Limited` and `Retrying` wrap another and are
one. Their order is decided in `app.py`. What an answer leads to is not known here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from consumer.config.privacy import PrivacySettings
from consumer.lanes import DEFAULT
from consumer.moderation.breaker import Permit
from consumer.records import ImageLocation, ModerationResult, Partition


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerationRequest:
    """One image, one service. Asked again it is the same request, signed anew."""

    submission: str  # its id
    location: ImageLocation
    service: str
    partition: Partition  # of the message that asks
    offset: int = 0  # likewise, for the log
    epoch: int = 0  # likewise; see `Delivery`
    info: tuple[str, ...] = ()  # Vendor: `infoType`
    referer: str | None = None  # Vendor: at most 256 characters
    privacy: PrivacySettings = field(default_factory=PrivacySettings)  # which texts of the answer are read
    received: float | None = None  # unix seconds at which the event was read, where this is the image's first request
    attempt: int = 1
    lane: str = DEFAULT  # whose part of the quota it uses
    on_sent: Callable[[], None] | None = (
        None  # told just before the call's bytes go out; `GrantRevoked` keeps them back
    )
    first_departures: dict[str, int] = field(default_factory=dict)  # by region: the numbers of its first calls
    paid: bool = False  # an earlier answer about this image is paid for, and not published
    permit: Permit | None = None  # from the breaker of the region that is asked


class Moderator(Protocol):
    """Answers requests."""

    async def ask(self, request: ModerationRequest) -> ModerationResult:
        """Return the accepted answer. `CallFailed` escapes: from `Retrying`, only once no attempt is left."""
        ...
