"""
The account's libraries of the 1.0 service, and what they say of an image. Pure: what they hold, and no clock.

    image library      Scene PORN, AD, ILLEGAL  → the scenes porn, ad, terrorism
    keyword library    ResourceType IMAGE       → the scene ad; TEXT and VOICE never say anything of an image
    Category           BLACK → block, REVIEW → review, WHITE → pass
    BizTypes           the business scenarios that it counts for; none named: for all
    Enable             one that is off says nothing

Vendor: CreateImageLib, CreateKeywordLib and what the SDKs have beside them, version 2017-08-23. Assumed, as no page
says so: a library without business scenarios counts for all; where several match, BLACK comes before REVIEW, and that
before WHITE; `fuzzy`, also the default, finds a keyword inside a line whatever the case, `precise` only a whole line;
names need not differ; business scenarios need not exist; ids are whole numbers that are never used again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, Literal

Kind = Literal["image", "keyword"]
Suggestion = Literal["block", "review", "pass"]

CATEGORIES: Final = ("BLACK", "REVIEW", "WHITE")
"""In the order in which they win."""
SCENES: Final[Mapping[str, str]] = {"PORN": "porn", "AD": "ad", "ILLEGAL": "terrorism"}
"""The scene of a scan that an image library's `Scene` is about."""
LIB_TYPES: Final[Mapping[str, Sequence[str]]] = {
    "TEXT": ("textKeyword", "similarText"),
    "IMAGE": ("textKeyword",),
    "VOICE": ("voiceText",),
}
MATCH_MODES: Final = ("fuzzy", "precise")
SUGGESTIONS: Final[Mapping[str, Suggestion]] = {"BLACK": "block", "REVIEW": "review", "WHITE": "pass"}


@dataclass(slots=True)
class Item:
    """A keyword, or the URL of a sample image. `content` is what the emulator found there, None before it looked."""

    id: int
    text: str
    content: bytes | None = field(default=None, repr=False)
    hits: int = 0


@dataclass(slots=True, kw_only=True)
class Library:
    """One library as it is now."""

    id: int
    kind: Kind
    name: str
    category: str
    service_module: str = "open_api"
    biz_types: tuple[str, ...] = ()
    enable: bool = True
    scene: str = ""  # of images
    resource_type: str = ""  # of keywords, as the rest
    lib_type: str = ""
    match_mode: str = "fuzzy"
    items: dict[int, Item] = field(default_factory=dict)

    def is_about(self, scene: str, biz_type: str) -> bool:
        """Whether it is asked in this scene of a scan, for this business scenario (empty: none was named)."""
        if not self.enable or (self.biz_types and biz_type not in self.biz_types):
            return False
        if self.kind == "image":
            return SCENES[self.scene] == scene
        return self.resource_type == "IMAGE" and scene == "ad"

    def finds(self, item: Item, texts: Iterable[str], resembles: Callable[[bytes], bool]) -> bool:
        """Whether one of its items is in an image: in its lines of text, or because it resembles a sample."""
        if self.kind == "image":
            return item.content is not None and resembles(item.content)
        if self.match_mode == "precise":
            return item.text in {text.strip() for text in texts}
        return any(item.text.casefold() in text.casefold() for text in texts)


@dataclass(frozen=True, slots=True)
class LibraryMatch:
    """What a library says of an image."""

    library: Library
    item: Item

    @property
    def suggestion(self) -> Suggestion:
        """What the scan answers for it."""
        return SUGGESTIONS[self.library.category]


def match(
    libraries: Iterable[Library], scene: str, biz_type: str, texts: Sequence[str], resembles: Callable[[bytes], bool]
) -> LibraryMatch | None:
    """
    What an account's libraries say of an image in one scene of a 1.0 scan, or None.

    `texts` are the lines that were recognised in it; `resembles` says whether it is like a sample's bytes.
    """
    found = [
        LibraryMatch(library, item)
        for library in libraries
        if library.is_about(scene, biz_type)
        for item in library.items.values()
        if library.finds(item, texts, resembles)
    ]
    return min(found, key=lambda each: CATEGORIES.index(each.library.category), default=None)


class LibraryStore:
    """All libraries and business scenarios of one account. Ids are its own and rise."""

    def __init__(self, limit: int, uid: str) -> None:
        self.limit = limit
        """How many libraries of each kind there may be."""
        self.uid = uid
        """The account's id."""
        self.biz_types: dict[str, str] = {}
        """Descriptions by name."""
        self._libraries: dict[int, Library] = {}
        self._ids = count(1001)
        self._item_ids = count(1)

    def of(self, kind: Kind) -> list[Library]:
        """The libraries of a kind, oldest first."""
        return [library for library in self._libraries.values() if library.kind == kind]

    def all(self) -> list[Library]:
        """All libraries, oldest first."""
        return list(self._libraries.values())

    def find(self, kind: Kind, library: int) -> Library | None:
        """A library by its id."""
        found = self._libraries.get(library)
        return found if found and found.kind == kind else None

    def is_full(self, kind: Kind) -> bool:
        """Whether no more may be created."""
        return len(self.of(kind)) >= self.limit

    def create(self, kind: Kind, values: Mapping[str, Any]) -> Library:
        """Add a library that fits."""
        library = Library(id=next(self._ids), kind=kind, **values)
        self._libraries[library.id] = library
        return library

    def delete(self, library: Library) -> None:
        """Remove a library with all that is in it."""
        del self._libraries[library.id]

    def add(self, library: Library, text: str, content: bytes | None = None) -> Item | None:
        """Add a keyword or a sample image; None where it is in it already."""
        if any(item.text == text for item in library.items.values()):
            return None
        item = Item(next(self._item_ids), text, content)
        library.items[item.id] = item
        return item

    def replace(self, libraries: Iterable[Library], biz_types: Mapping[str, str]) -> None:
        """Have these libraries and business scenarios alone. New ids are higher than theirs, and than all before."""
        self._libraries = {library.id: library for library in libraries}
        self.biz_types = dict(biz_types)
        items = [item for library in self._libraries.values() for item in library.items]
        self._ids = count(max(next(self._ids), *(each + 1 for each in self._libraries), 0))
        self._item_ids = count(max(next(self._item_ids), *(each + 1 for each in items), 0))

    def reset(self) -> None:
        """Forget everything; ids go on."""
        self._libraries.clear()
        self.biz_types.clear()

    def json(self) -> dict[str, Any]:
        """Everything, as `GET /emulator/libraries` shows it."""
        return {"libraries": [_json(library) for library in self.all()], "biz_types": dict(self.biz_types)}


def _json(library: Library) -> dict[str, Any]:
    kept = {name: getattr(library, name) for name in Library.__slots__ if name != "items"}
    return {**kept, "items": [{"id": item.id, "text": item.text} for item in library.items.values()]}
