"""What `config/libraries.yaml` may hold, as the vendor's tables of CreateImageLib and CreateKeywordLib have it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from consumer.config.base import Settings
from consumer.config.loading import validated
from consumer.config.origins import Origins
from consumer.config.problems import Keys, Problem, shown
from consumer.config.yaml_file import read_yaml
from consumer.libraries import Library

Name = Annotated[str, Field(min_length=1)]

LIB_TYPES: Mapping[str, Sequence[str]] = {
    "TEXT": ("textKeyword", "similarText"),
    "IMAGE": ("textKeyword",),
    "VOICE": ("voiceText",),
}
"""Vendor: which `lib_type` fits which `resource_type`."""
_ALL_LIB_TYPES = [each for fitting in LIB_TYPES.values() for each in fitting]


class _Common(Settings):
    name: Name
    category: Literal["BLACK", "WHITE", "REVIEW"]
    service_module: Literal["open_api"] = "open_api"
    biz_types: tuple[Name, ...] = ()
    enable: bool = True


class ImageLibrary(_Common):
    """A library of sample images."""

    scene: Literal["PORN", "AD", "ILLEGAL"]

    def library(self) -> Library:
        """As a value."""
        return Library(
            kind="image",
            name=self.name,
            category=self.category,
            biz_types=frozenset(self.biz_types),
            enable=self.enable,
            scene=self.scene,
        )


class KeywordLibrary(_Common):
    """A library of keywords."""

    resource_type: Literal["TEXT", "IMAGE", "VOICE"]
    lib_type: Literal["textKeyword", "similarText", "voiceText"]
    match_mode: Literal["fuzzy", "precise"] | None = None
    keywords: tuple[Name, ...] | None = None
    """All of its keywords; None leaves them to the console."""

    def library(self) -> Library:
        """As a value."""
        return Library(
            kind="text",
            name=self.name,
            category=self.category,
            biz_types=frozenset(self.biz_types),
            enable=self.enable,
            resource_type=self.resource_type,
            lib_type=self.lib_type,
            match_mode=self.match_mode,
        )


class LibrariesFile(Settings):
    """The whole file."""

    business_scenarios: tuple[Name, ...] = ()
    image_libraries: tuple[ImageLibrary, ...] = ()
    keyword_libraries: tuple[KeywordLibrary, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """One library of the file, and where it stands there. Keywords are None where the file leaves them alone."""

    library: Library
    keys: Keys
    keywords: frozenset[str] | None = None


def read_libraries(path: Path) -> tuple[LibrariesFile, Origins]:
    """
    Read the file.

    Raises:
        Misconfigured: with every problem and its line.
    """
    origins = Origins(file := read_yaml(path))
    found = sorted((*_doubled(file.tree), *_misfits(file.tree)), key=origins.order)
    return validated(LibrariesFile, file.tree, origins, [*map(origins.line, found)]), origins


def _entries(tree: Mapping[str, Any], section: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The libraries of a section, as far as they are any: what else is wrong with them is said elsewhere."""
    entries = tree.get(section)
    for index, each in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(each, dict):
            yield index, each


def _doubled(tree: Mapping[str, Any]) -> Iterator[Problem]:
    for section in ("image_libraries", "keyword_libraries"):
        first: dict[str, int] = {}
        for index, each in _entries(tree, section):
            name = each.get("name")
            if isinstance(name, str) and first.setdefault(name, index) != index:
                text = f"{shown(name)} is the name of {section}.{first[name]} already: libraries are known by name"
                yield Problem((section, str(index), "name"), text)


def _misfits(tree: Mapping[str, Any]) -> Iterator[Problem]:
    for index, each in _entries(tree, "keyword_libraries"):
        resource, lib_type = each.get("resource_type"), each.get("lib_type")
        fitting = LIB_TYPES.get(resource) if isinstance(resource, str) else None
        if fitting and lib_type in _ALL_LIB_TYPES and lib_type not in fitting:
            text = f"{lib_type} does not fit resource_type {resource}: write {' or '.join(fitting)}"
            yield Problem(("keyword_libraries", str(index), "lib_type"), text)


def wanted_in(file: LibrariesFile) -> list[Wanted]:
    """The libraries of the file, in its order."""
    images = [
        Wanted(each.library(), ("image_libraries", str(index))) for index, each in enumerate(file.image_libraries)
    ]
    texts = [
        Wanted(
            each.library(),
            ("keyword_libraries", str(index)),
            None if each.keywords is None else frozenset(each.keywords),
        )
        for index, each in enumerate(file.keyword_libraries)
    ]
    return [*images, *texts]
