"""
From what the command line names to the images that are to be judged.

A file or URL that is named is judged whatever it is. Of a folder, and of what a glob finds, those files are judged
whose name ends like an image's or whose first bytes are one's; what is passed over is counted. Links to files are
followed, links to folders only where they are named themselves, or by a glob's single star. Nothing is judged twice for
one tenant and purpose.
"""

import glob
import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import dropwhile
from pathlib import Path
from typing import BinaryIO

from consumer.commands.scan.items import STDIN, Item, Stamp, is_web, printable
from consumer.commands.scan.manifest import Listed, listed
from consumer.errors import Misconfigured, Undecodable
from consumer.images.formats import SNIFFED, format_of
from consumer.intake.decode.urls import web_url
from consumer.vendor_facts.images import MOST_BYTES

_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".webp", ".tif", ".tiff", ".svg", ".heif", ".heic", ".gif",
    ".ico",
)  # fmt: skip

NO_IMAGES = "files that are no images"
NO_FILES = "pipes, sockets and devices"
UNREADABLE = "files and folders that cannot be read"
LINKED_FOLDERS = "links to folders"
NAMED_TWICE = "images that were named twice"


@dataclass(slots=True)
class Found:
    """What is to be judged, in the order of finding, and how much was passed over, by what it is."""

    items: list[Item] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    stdin: bytes | None = field(default=None, repr=False)  # the image that standard input held


def find(
    named: Sequence[str], manifest: Path | None, stdin: BinaryIO, *, upload: bool = False, most_bytes: int = MOST_BYTES
) -> Found:
    """
    Find all images. `-` is standard input: an image, of which `most_bytes` and a few more are read, or a list of paths
    and URLs. With `upload`, URLs are fetched from here.

    Raises:
        Misconfigured: with each name that leads to nothing, and each wrong line of a list.
    """
    finder = _Finder(stdin, upload=upload, most_bytes=most_bytes)
    for name in named:
        finder.named(name)
    if manifest is not None:
        finder.manifest(manifest)
    if not finder.problems and not finder.found.items:
        finder.problems.append(_nothing(finder.found.passed_over))
    if finder.problems:
        raise Misconfigured(finder.problems)
    return finder.found


def _nothing(passed_over: Counter[str]) -> str:
    told = ", ".join(f"{what} ({count:,})" for what, count in passed_over.items())
    return f"there is no image to judge{f': passed over {told}' if told else ''}"


class _Finder:
    def __init__(self, stdin: BinaryIO, *, upload: bool, most_bytes: int) -> None:
        self.found = Found()
        self.problems: list[str] = []
        self._stdin = stdin
        self._upload = upload
        self._most_bytes = most_bytes
        self._is_stdin_read = False
        self._seen: set[tuple[str, str, str]] = set()  # images with their tenants and purposes

    def named(self, name: str) -> None:
        """Take what an argument names."""
        if name == "-":
            self._read_stdin()
        elif is_web(name):
            self._url(Listed(name, "IMAGE"))
        elif os.path.isdir(name):
            self._folder(name)
        elif os.path.lexists(name):
            self._file(Listed(name, ""))
        elif glob.has_magic(name):
            self._glob(name)
        else:
            self.problems.append(_not_there(name))

    def manifest(self, path: Path) -> None:
        """Take what a list names."""
        try:
            data = path.read_bytes()
        except OSError as error:
            self.problems.append(f"--manifest: {path} cannot be read: {error.strerror}")
            return
        self._list(data, str(path))

    def _list(self, data: bytes, file: str) -> None:
        lines, problems = listed(data, file)
        self.problems += problems
        for line in lines:
            if is_web(line.image):
                self._url(line)
            elif _scheme(line.image):
                self.problems.append(f"{line.where}: {_scheme(line.image)} is fetched by nobody; write http or https")
            else:
                self._file(line)

    def _read_stdin(self) -> None:
        if self._is_stdin_read:
            return
        self._is_stdin_read = True
        data = self._stdin.read(SNIFFED)
        if format_of(data) is None:
            self._list(data + self._stdin.read(), "standard input")
            return
        data += self._stdin.read(self._most_bytes + 1)
        self.found.stdin = data
        digest = hashlib.sha256(data).hexdigest()
        self._add(Item(name="-", source=STDIN + digest, stamp=Stamp(len(data), 0)), digest)

    def _url(self, line: Listed) -> None:
        try:
            url = web_url(line.image, line.where)
        except Undecodable as error:
            self.problems.append(error.detail)
        except UnicodeError:
            self.problems.append(f"{line.where}: holds half a character")
        else:
            item = Item(
                name=line.image, source=url, by_upload=self._upload, id=line.id, tenant=line.tenant,
                purpose=line.purpose,
            )  # fmt: skip
            self._add(item, key=url)

    def _file(self, line: Listed) -> None:
        path = os.path.realpath(line.image)
        item = Item(
            name=line.image, source=Path(path).as_uri(), stamp=_stamp(path), id=line.id, tenant=line.tenant,
            purpose=line.purpose,
        )  # fmt: skip
        self._add(item, path)

    def _add(self, item: Item, key: str) -> None:
        named = key, item.tenant, item.purpose
        if named in self._seen:
            self.found.passed_over[NAMED_TWICE] += 1
            return
        self._seen.add(named)
        self.found.items.append(item)

    def _glob(self, name: str) -> None:
        paths = sorted(set(self._globbed(name)))
        if not paths:
            self.problems.append(_not_there(name))
        for path in paths:
            if not os.path.isdir(path):
                self._looked_at(path)

    def _globbed(self, pattern: str) -> Iterator[str]:
        """As `glob.glob`, which lets `**` go through links to folders, and so in circles."""
        above, stars, below = _at_double_star(pattern)
        if not stars:
            yield from glob.iglob(pattern, include_hidden=True)
            return
        for top in glob.iglob(above, include_hidden=True) if above else ("",):
            for folder, _ in self._walked(top or os.curdir):
                inside = folder if top else os.path.join(folder, "").removeprefix(os.path.join(os.curdir, ""))
                yield from self._globbed(os.path.join(glob.escape(inside), below))

    def _folder(self, name: str) -> None:
        for folder, files in self._walked(name):
            for each in files:
                self._looked_at(os.path.join(folder, each))

    def _walked(self, name: str) -> Iterator[tuple[str, list[str]]]:
        """Each folder with its files. No link to a folder is followed but `name` itself."""

        def failed(_: OSError) -> None:
            self.found.passed_over[UNREADABLE] += 1

        for folder, below, files in os.walk(name, onerror=failed):
            below.sort()
            self.found.passed_over[LINKED_FOLDERS] += sum(os.path.islink(os.path.join(folder, each)) for each in below)
            yield folder, sorted(files)
        self.found.passed_over += Counter()  # leaves out what there is none of

    def _looked_at(self, path: str) -> None:
        """Take a file that nobody named, if it is an image."""
        if why := _passed_over(path):
            self.found.passed_over[why] += 1
        else:
            self._file(Listed(path, ""))


def _at_double_star(pattern: str) -> tuple[str, bool, str]:
    """What stands before the first `**` of a glob, whether there is one, and what stands behind it."""
    parts = pattern.split(os.sep)
    if "**" not in parts:
        return pattern, False, ""
    at = parts.index("**")
    below = list(dropwhile(lambda part: part == "**", parts[at:]))
    return os.sep.join(parts[:at]) or (os.sep if at else ""), True, os.path.join(*below) if below else "*"


def _passed_over(path: str) -> str | None:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return NO_FILES
        if path.lower().endswith(_SUFFIXES):
            return None
        with open(path, "rb") as file:
            return None if format_of(file.read(SNIFFED)) else NO_IMAGES
    except OSError:
        return UNREADABLE


def _stamp(path: str) -> Stamp | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return Stamp(status.st_size, status.st_mtime_ns)


def _scheme(text: str) -> str:
    """The scheme of a URL that is neither http nor https; empty for a path."""
    scheme, separator, _ = text.partition("://")
    return scheme if separator and scheme.isalnum() and not os.path.lexists(text) else ""


def _not_there(name: str) -> str:
    if scheme := _scheme(name):
        return f"{printable(scheme)}://… is fetched by nobody: write a URL of http or https, or a path"
    return f"{printable(name)}: there is no such file or folder"
