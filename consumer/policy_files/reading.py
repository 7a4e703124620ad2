"""
Read the files of a policy whole, and say what was read in a way that can be compared.
"""

import hashlib
import os
import stat
from pathlib import Path
from typing import NamedTuple

from consumer.config import PolicyFiles
from consumer.errors import Misconfigured

LARGEST = 1_048_576  # bytes: no configuration map of Kubernetes' holds more. Python needs 12 s to parse so much YAML.


class FileRead(NamedTuple):
    """One file: what it holds, or why that cannot be told."""

    path: Path
    data: bytes
    problem: str = ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path}, {len(self.data)} bytes)"  # what a file holds may be anything

    def content(self) -> bytes:
        """
        What the file holds.

        Raises:
            Misconfigured: it could not be read.
        """
        if self.problem:
            raise Misconfigured([f"{self.path}: {self.problem}"])
        return self.data


class FilesRead(NamedTuple):
    """All files of a policy at one moment: those that the configuration does not name are None."""

    file: FileRead
    shadow: FileRead | None
    tests: FileRead | None

    @property
    def digest(self) -> str:
        """The same for the same contents, and for no others."""
        said = hashlib.sha256()
        for each in self:
            said.update(b"-" if each is None else b"%d %s %b" % (len(each.data), each.problem.encode(), each.data))
        return said.hexdigest()


def read_all(files: PolicyFiles) -> FilesRead:
    """Read them. Nothing escapes: what is wrong with a file stands in its place."""
    shadow = read_whole(files.shadow) if files.shadow else None
    return FilesRead(read_whole(files.file), shadow, read_whole(files.tests) if files.tests else None)


def read_whole(path: Path) -> FileRead:
    """Read a file, `LARGEST` bytes at the most. Nothing escapes."""
    try:
        # A pipe would have us wait for whoever writes into it.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return FileRead(path, b"", "is no file")
            data = file.read(LARGEST + 1)
    except OSError as error:
        return FileRead(path, b"", f"cannot be read: {error.strerror}")
    if len(data) > LARGEST:
        return FileRead(path, b"", f"has more than {LARGEST:,} bytes, which is the most that a policy may have")
    return FileRead(path, data)
