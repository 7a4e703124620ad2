"""The ids of libraries that a policy may name, as a file that is kept beside it."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from consumer.config.base import Settings
from consumer.config.loading import validated
from consumer.config.origins import Origins
from consumer.config.yaml_file import read_yaml


class Library(Settings):
    """A library of the account's."""

    id: Annotated[str, Field(min_length=1)]
    kind: Literal["image", "text"] | None = None
    name: str | None = None


class Lock(Settings):
    """All libraries that there are."""

    libraries: tuple[Library, ...]


def read_lock(path: Path) -> Collection[str]:
    """
    Read the ids.

    Raises:
        Misconfigured: with every problem.
    """
    file = read_yaml(path)
    return {library.id for library in validated(Lock, file.tree, Origins(file)).libraries}
