"""
What is to be sent, kept in a file without a name until it is: so all of it is checked before anything goes out.
"""

import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple

import orjson

from consumer.commands.backfill.checking import Checked
from consumer.commands.backfill.uploads import Upload, digest_of
from consumer.verdicts.encode import Encoded


class Spooled(NamedTuple):
    """An event, and what it asks for."""

    upload: Upload
    checked: Checked


class Spool:
    """Events, in the order in which they were added. The file is gone when the process is."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 — closed by `__exit__`
        self.digests: set[bytes] = set()

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def add(self, upload: Upload, checked: Checked) -> bool:
        """Add an event, unless it is there; say whether it was not. `OSError` escapes where the disk is full."""
        if (digest := digest_of(upload.name)) in self.digests:
            return False
        self.digests.add(digest)
        record = upload.record
        headers = [[name, _text(content)] for name, content in record.headers]
        written = [upload.name, upload.where, _text(record.key), _text(record.value), headers, *checked[:3]]
        self._file.write(orjson.dumps(written, option=orjson.OPT_APPEND_NEWLINE))
        return True

    def __iter__(self) -> Iterator[Spooled]:
        self._file.seek(0)
        for line in self._file:
            name, where, key, value, headers, images, calls, not_asked = orjson.loads(line)
            kept = [(header, _bytes(content)) for header, content in headers]
            yield Spooled(
                Upload(name, where, Encoded(_bytes(key), _bytes(value), kept)), Checked(images, calls, not_asked)
            )


def _text(content: bytes | None) -> str | None:
    """Any bytes as a text, each as one character."""
    return None if content is None else content.decode("latin-1")


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode("latin-1")
