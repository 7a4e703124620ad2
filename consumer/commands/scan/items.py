"""What is to be judged, and how it is named. Values only."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from consumer.records import SourceId
from consumer.urls import shown_url

STDIN = "stdin:"
"""Begins the source of the image that standard input held; its SHA-256 follows."""
FILE = "file:"
_WEB = re.compile(r"https?://", re.IGNORECASE)


class Stamp(NamedTuple):
    """What shows that a file is the one that was looked at: its size in bytes, and when it was written."""

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One image that is to be judged."""

    name: str = field(repr=False)  # as it was named; a file in a folder by the folder's name and its own path
    source: str = field(repr=False)  # a URL of http, https or file, or that of standard input
    stamp: Stamp | None = None  # of a file that is there
    by_upload: bool = False  # a URL that is fetched from here, and not by the provider
    id: str | None = None  # these three as a manifest says
    tenant: str = ""
    purpose: str = ""

    @property
    def is_web(self) -> bool:
        """Whether it is a URL, which somebody must fetch."""
        return is_web(self.source)

    @property
    def asked(self) -> str:
        """
        What is asked, as 64 hex digits: another file under the same name is something else, and so is a URL of which
        the provider may have another image than we do.
        """
        asked = [self.source, *(self.stamp or ()), *(["upload"] if self.by_upload else [])]
        return hashlib.sha256(orjson.dumps(asked)).hexdigest()

    def decided_as(self, *, by_tenant: bool) -> str:
        """
        What its decision is about, as 64 hex digits; `by_tenant` where the policy decides by tenant and purpose.
        """
        if not by_tenant:
            return self.asked
        return hashlib.sha256(orjson.dumps([self.asked, self.tenant, self.purpose])).hexdigest()

    def submitted_as(self, *, by_tenant: bool) -> SourceId:
        """The id of its submission, 32 hex digits; `by_tenant` where what is asked differs by tenant and purpose."""
        return SourceId(self.decided_as(by_tenant=by_tenant)[:32])

    def shown(self, *, keep_query: bool) -> str:
        """Its name as it is written: of a URL neither user nor query, which are credentials, but with `keep_query`."""
        return readable(shown_url(self.name, keep_query=keep_query) if self.is_web else self.name)


def is_web(text: str) -> bool:
    """Whether a text is a URL of http or https."""
    return _WEB.match(text) is not None


def readable(text: str) -> str:
    r"""Return a text that can be written as UTF-8. Bytes of a file's name that are none become `\xff` and the like."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half a character that no file name has
        return text.encode("utf-8", "backslashreplace").decode()


def printable(text: str) -> str:
    """Return a text that a terminal shows as it is: control characters, and those that turn lines around, escaped."""
    return "".join(each if each.isprintable() else _escaped(each) for each in readable(text))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
