"""
What the emulator remembers between calls, as a JSON document to save and to take back: the account's libraries and
business scenarios, people's feedback, and the results of asynchronous tasks. Pure.

Not in it: tasks in progress, which nobody would finish; the calls, which are a log; tokens and what was uploaded with
them; and the bytes of sample images, which are fetched again. URLs of tasks are in it as they were sent, so it may hold
presigned ones.
"""

from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveInt, model_validator

from consumer.emulator.libraries import LIB_TYPES, Item, Kind, Library, LibraryStore
from consumer.emulator.scan.feedback import FeedbackStore, Said
from consumer.emulator.scan.likeness import Print
from consumer.emulator.scan.tasks import OpenTask, OpenTasks

_Byte = Annotated[int, Field(ge=0, le=255)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SavedItem(_Strict):
    """A keyword, or the URL of a sample image."""

    id: PositiveInt
    text: str = Field(repr=False)
    hits: int = Field(0, ge=0)


class SavedLibrary(_Strict):
    """A library with what is in it."""

    id: PositiveInt
    kind: Kind
    name: str
    category: Literal["BLACK", "REVIEW", "WHITE"]
    service_module: Literal["open_api"] = "open_api"
    biz_types: tuple[str, ...] = ()
    enable: bool = True
    scene: Literal["", "PORN", "AD", "ILLEGAL"] = ""
    resource_type: Literal["", "TEXT", "IMAGE", "VOICE"] = ""
    lib_type: str = ""
    match_mode: Literal["fuzzy", "precise"] = "fuzzy"
    items: tuple[SavedItem, ...] = ()

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.kind == "image" and not self.scene:
            raise ValueError("an image library has a scene")
        if self.kind == "keyword" and self.lib_type not in LIB_TYPES.get(self.resource_type, ()):
            raise ValueError("a keyword library has a resource_type and a lib_type that fits it")
        return self

    def library(self) -> Library:
        """As the emulator keeps it."""
        items = {each.id: Item(each.id, each.text, hits=each.hits) for each in self.items}
        return Library(**{**self.model_dump(), "items": items})


class SavedFeedback(_Strict):
    """One feedback, and what images are compared with."""

    id: PositiveInt
    suggestion: Literal["pass", "block"]
    scenes: tuple[Literal["porn", "terrorism", "ad"], ...]
    image: str = ""
    label: str = ""
    note: str = ""
    sha256: str
    bits: str | None = Field(None, pattern="^[0-9a-f]{16}$", description="The perceptual hash, in hex.")
    colour: tuple[_Byte, _Byte, _Byte] | None = None

    def said(self) -> Said:
        """As the emulator keeps it."""
        seen = Print(self.sha256, None if self.bits is None else int(self.bits, 16), self.colour)
        return Said(self.id, self.suggestion, self.scenes, self.image, self.label, self.note, seen)


class SavedTask(_Strict):
    """An asynchronous task that is done. `since` is in unix seconds."""

    id: str
    url: str = Field(repr=False)
    since: NonNegativeFloat
    result: dict[str, Any] = Field(repr=False)


class State(_Strict):
    """All of it. What is not named is empty."""

    libraries: tuple[SavedLibrary, ...] = ()
    biz_types: dict[str, str] = Field(default_factory=dict)
    feedback: tuple[SavedFeedback, ...] = ()
    tasks: tuple[SavedTask, ...] = ()


def saved(libraries: LibraryStore, feedback: FeedbackStore, tasks: OpenTasks) -> bytes:
    """The document."""
    document = {
        "libraries": [_library(each) for each in libraries.all()],
        "biz_types": libraries.biz_types,
        "feedback": [_feedback(each) for each in feedback],
        "tasks": [
            {"id": each.id, "url": each.url, "since": each.since, "result": each.result}
            for each in tasks
            if each.result is not None
        ],
    }
    return orjson.dumps(document)


def restore(text: bytes, libraries: LibraryStore, feedback: FeedbackStore, tasks: OpenTasks) -> None:
    """
    Replace everything by what a document says. Where it is wrong nothing is changed.

    Raises: pydantic.ValidationError, with every problem.
    """
    state = State.model_validate_json(text)
    libraries.replace([each.library() for each in state.libraries], state.biz_types)
    feedback.replace([each.said() for each in state.feedback])
    tasks.reset()
    for each in state.tasks:
        tasks.add(OpenTask(each.id, each.url, each.since, each.result))


def _library(library: Library) -> dict[str, Any]:
    kept = {name: getattr(library, name) for name in Library.__slots__ if name != "items"}
    items = [{"id": item.id, "text": item.text, "hits": item.hits} for item in library.items.values()]
    return {**kept, "items": items}


def _feedback(said: Said) -> dict[str, Any]:
    bits, colour = said.print.bits, said.print.colour
    return {**said.json(), "bits": None if bits is None else f"{bits:016x}", "colour": colour}
