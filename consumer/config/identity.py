"""
How this service knows its own outcomes from what others write into the output topics.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from pydantic import AwareDatetime, Field, model_validator

from consumer.config.base import Contradictions, Settings
from consumer.config.problems import shown
from consumer.errors import Misconfigured

LEAST_KEY = 32  # bytes: what HMAC-SHA256 can use
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")


class IdentitySettings(Settings):
    """
    Which key signs verdicts and dead letters, and whose signatures are believed when the outputs are read back.

    Without keys every record in the outputs that names this group is believed.
    """

    sign: str | None = Field(None, description="The key of `keys` that signs outcomes. Null signs nothing.")
    keys: dict[str, Path] = Field(
        {},
        description="Files by key id, each of at least 32 random bytes, seen from this file's folder. Outcomes that "
        "none of them signed are not believed: they are counted, and the image is asked about.",
    )
    accept_unsigned_until: AwareDatetime | None = Field(
        None,
        description="Until this time (RFC 3339) unsigned outcomes are believed as well, and counted: for the first "
        "roll-out. Every outcome in the outputs that is still needed must be signed by then.",
    )

    @property
    def unsigned_until(self) -> float:
        """The same in unix seconds; 0 where nothing unsigned is believed, or everything is, for want of keys."""
        return self.accept_unsigned_until.timestamp() if self.accept_unsigned_until else 0.0

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        problems = [*self._problems()]
        if problems:
            raise Contradictions(*problems)
        return self

    def _problems(self) -> Iterator[tuple[str, ...]]:
        for key_id in self.keys:
            if not _KEY_ID.fullmatch(key_id):
                yield f"keys.{key_id}", "must be named by 1 to 32 of A-Z a-z 0-9 . _ -"
        if self.sign is not None and self.sign not in self.keys:
            named = ", ".join(self.keys) or "none"
            yield "sign", f"must be one of keys, which are: {named} (given: {shown(self.sign)})", "keys"
        if self.keys and self.sign is None and self.accept_unsigned_until is None:
            yield (
                "sign",
                "is needed: without it this service would not believe its own outcomes; or set "
                "accept_unsigned_until while replicas learn the key",
                "keys",
            )
        if self.accept_unsigned_until is not None and not self.keys:
            yield "accept_unsigned_until", "has no effect without keys: everything is believed", "keys"


def read_keys(settings: IdentitySettings) -> Mapping[str, bytes]:
    """
    Read the files of the keys; a line's end behind a key is not part of it.

    Raises:
        Misconfigured: naming each file that is missing or too short, and nothing of what it holds.
    """
    keys, problems = {}, []
    for key_id, path in settings.keys.items():
        try:
            keys[key_id] = path.read_bytes().rstrip(b"\r\n")
        except OSError as error:
            problems.append(f"identity.keys.{key_id}: {path}: cannot be read: {error.strerror}")
            continue
        if (size := len(keys[key_id])) < LEAST_KEY:
            problems.append(f"identity.keys.{key_id}: {path}: has {size} bytes, and must have at least {LEAST_KEY}")
    if problems:
        raise Misconfigured(problems)
    return keys
