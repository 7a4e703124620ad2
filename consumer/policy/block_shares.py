"""
The breaker of blocks: when the policy suddenly blocks far more than it should, blocks become reviews. Pure.

    images of a tenant ──► counted, at most five a subject ──► share of blocks in the window
                                                                   │ above the limit, of enough images: OPEN
                                                                   │ at most four fifths of the limit: closed
                                                                   │ in between: as it was
                                                                   ▼
                                   while it is open a block that is no floor is a review

What is counted is what the policy would do, so that what the breaker does cannot close it. It is one process's and
begins empty. The caller passes the time, in monotonic seconds.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple


class BlockLimits(NamedTuple):
    """When there are too many blocks."""

    window: float  # seconds
    least: int  # images in the window, before there can be too many
    share: float  # of them


CLOSES_AT = 0.8
"""
Of the limit: how far the share must fall before a breaker closes. At the limit itself it would open and close with
single images, and readers would get blocks and reviews of the same kind in turns.
"""


class Bounds(NamedTuple):
    """What is held of a window at the most."""

    of_subject: int = 5  # images that count: one uploader alone decides nothing for a tenant
    tenants: int = 10_000  # that are told apart; the others share one count
    images: int = 100_000  # of all tenants, about 210 bytes each: where a window has more, it is shorter


BOUNDS = Bounds()


class Change(NamedTuple):
    """A tenant's breaker has opened or closed, with so many blocks among so many images."""

    tenant: str | None  # None: of those beyond `Bounds.tenants`
    is_open: bool
    blocks: int
    images: int


class _Tenant:
    """What the window holds of one tenant."""

    __slots__ = ("blocks", "images", "is_open", "name")

    def __init__(self, name: str | None) -> None:
        self.name = name
        self.images = 0
        self.blocks = 0
        self.is_open = False

    def count(self, image: "_Counted", times: int) -> None:
        self.images += times
        self.blocks += times * image.is_block


class _Counted(NamedTuple):
    """An image in the window."""

    moment: float
    tenant: _Tenant
    subject: int  # a hash of it and its tenant, by a key of this process
    is_block: bool


class BlockShares:
    """Which tenants' breakers are open. See the module."""

    def __init__(self, limits: BlockLimits, bounds: Bounds = BOUNDS) -> None:
        self._limits = limits
        self._bounds = bounds
        self._counted: deque[_Counted] = deque()  # the oldest first
        self._tenants: dict[str | None, _Tenant] = {}
        self._of_subject: dict[int, int] = {}

    @property
    def open(self) -> list[str | None]:
        """The tenants whose breaker is open; None stands for those that share one."""
        return [each.name for each in self._tenants.values() if each.is_open]

    @property
    def counted(self) -> int:
        """Images in the window that count."""
        return len(self._counted)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held."""
        return not (self._counted or self._tenants or self._of_subject)

    def is_open(self, tenant: str) -> bool:
        """Whether a tenant's breaker is open."""
        found = self._tenants.get(tenant) or self._tenants.get(None)
        return found is not None and found.is_open

    def note(self, tenant: str, subject: str, now: float, *, is_block: bool) -> list[Change]:
        """Count an image for which the policy decided, and return whose breaker has changed with that."""
        touched = self._let_go(now)
        name = hash((tenant, subject))
        if (before := self._of_subject.get(name, 0)) < self._bounds.of_subject:
            self._of_subject[name] = before + 1
            image = _Counted(now, self._tenant(tenant), name, is_block)
            image.tenant.count(image, 1)
            self._counted.append(image)
            touched[image.tenant] = None
        return self._changes(touched)

    def look(self, now: float) -> list[Change]:
        """Let go of what is older than the window, and return whose breaker has changed with that."""
        return self._changes(self._let_go(now))

    def _tenant(self, name: str) -> _Tenant:
        key = name if name in self._tenants or len(self._tenants) < self._bounds.tenants else None
        if (found := self._tenants.get(key)) is None:
            found = self._tenants[key] = _Tenant(key)
        return found

    def _let_go(self, now: float) -> dict[_Tenant, None]:
        touched: dict[_Tenant, None] = {}
        while self._counted and (
            self._counted[0].moment <= now - self._limits.window or len(self._counted) >= self._bounds.images
        ):
            image = self._counted.popleft()
            image.tenant.count(image, -1)
            touched[image.tenant] = None
            if left := self._of_subject.pop(image.subject) - 1:
                self._of_subject[image.subject] = left
        return touched

    def _changes(self, touched: Iterable[_Tenant]) -> list[Change]:
        changes = []
        for tenant in touched:
            limit = self._limits.share * tenant.images
            if tenant.is_open:
                too_many = tenant.blocks > CLOSES_AT * limit
            else:
                too_many = tenant.blocks > limit and tenant.images >= self._limits.least
            if too_many is not tenant.is_open:
                tenant.is_open = too_many
                changes.append(Change(tenant.name, too_many, tenant.blocks, tenant.images))
            if not tenant.images:
                self._tenants.pop(tenant.name, None)
        return changes
