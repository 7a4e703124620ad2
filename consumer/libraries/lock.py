"""
The lock file: which library of the account is which library of the file. `policy lint --lock` reads it as well.

It is written before a library is created and again once its id is known, so that no answer that is lost, and no kill,
makes a second library.
"""

import os
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field

from consumer.config.base import Settings
from consumer.config.loading import validated
from consumer.config.origins import Origins
from consumer.config.yaml_file import read_yaml
from consumer.errors import Misconfigured
from consumer.libraries import Kind

HEAD = "# Written by `moderation-consumer libraries`. Keep it beside libraries.yaml, in version control.\n"


class Locked(Settings):
    """A library of the account's."""

    id: Annotated[str, Field(min_length=1)]
    kind: Kind | None = None
    name: str | None = None


class Creating(Settings):
    """A library whose creation was begun at `at` (unix seconds), and not yet answered."""

    kind: Kind
    name: str
    at: float


class Lock(Settings):
    """What is known. `account` is a digest; None in a file that was written by hand for lint."""

    account: str | None = None
    libraries: tuple[Locked, ...]
    creating: tuple[Creating, ...] = ()

    def find(self, kind: Kind, name: str) -> str | None:
        """The id of a library."""
        return next((each.id for each in self.libraries if (each.kind, each.name) == (kind, name)), None)

    def begun(self, kind: Kind, name: str) -> Creating | None:
        """Its creation, where one was begun and not answered."""
        return next((each for each in self.creating if (each.kind, each.name) == (kind, name)), None)

    def beginning(self, kind: Kind, name: str, at: float) -> "Lock":
        """With a creation that begins now."""
        others = tuple(each for each in self.creating if (each.kind, each.name) != (kind, name))
        return self.model_copy(update={"creating": (*others, Creating(kind=kind, name=name, at=at))})

    def with_library(self, kind: Kind, name: str, library: str) -> "Lock":
        """With a library that is there."""
        lock = self.without(kind, name)
        return lock.model_copy(update={"libraries": (*lock.libraries, Locked(id=library, kind=kind, name=name))})

    def without(self, kind: Kind, name: str) -> "Lock":
        """Without a library or the beginning of one."""
        return self.model_copy(
            update={
                "libraries": tuple(each for each in self.libraries if (each.kind, each.name) != (kind, name)),
                "creating": tuple(each for each in self.creating if (each.kind, each.name) != (kind, name)),
            }
        )


NO_LOCK = Lock(libraries=())


def lock_beside(path: Path) -> Path:
    """`libraries.lock.yaml` beside `libraries.yaml`, and likewise."""
    return path.with_name(f"{path.stem}.lock{path.suffix}")


def read_lock(path: Path) -> Lock:
    """
    Read the file; an empty lock where there is none.

    Raises:
        Misconfigured: with every problem and its line.
    """
    if not path.exists():
        return NO_LOCK
    file = read_yaml(path)
    return validated(Lock, file.tree, Origins(file))


def write_lock(path: Path, lock: Lock) -> None:
    """
    Write the file as a whole, or not at all; it is on the disk when this returns.

    Raises:
        Misconfigured: it cannot be written.
    """
    content = HEAD + yaml.safe_dump(lock.model_dump(mode="json", exclude_none=True), sort_keys=False)
    beside = path.with_name(f".{path.name}.new")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise Misconfigured([f"{path}: cannot be written: {error.strerror}"]) from error
