"""
The account's libraries of the 1.0 service, described in a file and brought to what it says.

    libraries.yaml ──file──► Wanted ─┐
    the account ──────────► State ───┼─plan─► steps, and what is wrong ──apply──► the account, and the lock file
    libraries.lock.yaml ──► Lock ────┘

`plan.py` decides, `apply.py` acts. What the vendor is asked stands behind `Account`, which `alibaba/libraries.py` is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from consumer.errors import ConsumerError

Kind = Literal["image", "text"]
KINDS: Mapping[Kind, str] = {"image": "image library", "text": "keyword library"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """What a library is like. What a kind does not have is empty; an unknown match mode is None."""

    kind: Kind
    name: str
    category: str
    biz_types: frozenset[str] = frozenset()
    enable: bool = True
    scene: str = ""
    resource_type: str = ""
    lib_type: str = ""
    match_mode: str | None = None


@dataclass(frozen=True, slots=True)
class Existing:
    """A library of the account. `items` counts its keywords or sample images."""

    id: str
    library: Library
    items: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the account has. `keywords` by the id of each library whose keywords were asked for."""

    account: str
    libraries: Sequence[Existing]
    scenarios: frozenset[str]
    keywords: Mapping[str, frozenset[str]]


class VendorRefused(ConsumerError):
    """The vendor did not do what it was asked, and says why. Nothing was changed."""

    def __init__(self, operation: str, code: str, message: str) -> None:
        super().__init__(f"{operation} was refused: {code}: {message}" if message else f"{operation}: {code}")
        self.operation = operation
        self.code = code


class LimitReached(VendorRefused):
    """The account may not have one more library."""


class AnswerLost(ConsumerError):
    """A call was sent and not answered: whether it was carried out is not known. `operation` is the vendor's."""

    def __init__(self, operation: str, why: str) -> None:
        super().__init__(f"{operation}: the answer was lost ({why})")
        self.operation = operation


class Account(Protocol):
    """
    The account, at the vendor's. Throttled calls wait and go on.

    Every method may raise VendorRefused, AnswerLost where something was to be changed, and CallFailed.
    """

    async def digest(self) -> str:
        """What tells this account from others, and nothing else about it."""
        ...

    async def libraries(self, kind: Kind) -> Sequence[Existing]: ...

    async def create(self, library: Library) -> str | None:
        """Return the id; None where the answer has none, as the vendor's page draws it."""
        ...

    async def update(self, library: str, wanted: Library) -> None: ...

    async def delete(self, kind: Kind, library: str) -> None: ...

    async def keywords(self, library: str) -> frozenset[str]: ...

    async def add_keywords(self, library: str, words: Sequence[str]) -> None: ...

    async def remove_keywords(self, library: str, words: Sequence[str]) -> None: ...

    async def scenarios(self) -> frozenset[str]: ...

    async def create_scenario(self, name: str) -> None: ...
