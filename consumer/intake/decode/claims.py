"""
What the producers of a topic may claim, whatever format their messages have.

Looked at once for all formats, in what a message was read into: a new format has nothing to remember. Who wrote a
message is Kafka's to know, by the rights on its topic; here only the topic counts.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from consumer.config.sources import SourceSettings
from consumer.intake.decode.globs import any_of
from consumer.intake.decode.members import named
from consumer.intake.decode.reasons import Rejection
from consumer.locations import ByUrl
from consumer.records import Submission

_NOTHING = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True)
class Claims:
    """What one topic's messages may claim, its globs compiled; None: anything."""

    tenants: re.Pattern[str] | None
    purposes: re.Pattern[str] | None
    hosts: re.Pattern[str] | None
    buckets: re.Pattern[str] | None
    max_images: int | None

    @classmethod
    def of(cls, source: SourceSettings) -> Self:
        """Make a topic's settings ready."""
        return cls(
            tenants=_only(source.tenants),
            purposes=_only(source.purposes),
            hosts=None if source.hosts is None else _only(map(_plain_host, source.hosts)),
            buckets=_only(source.buckets),
            max_images=source.max_images,
        )

    def check(self, submissions: Sequence[Submission]) -> None:
        """
        Return if all that a message was read into is within them.

        Raises:
            Undecodable: `not_allowed`; the detail names the first claim beyond, as far as it is a plain name.
        """
        if self.max_images is not None and len(submissions) > self.max_images:
            what = f"{len(submissions)} in one message; this topic's producers may send {self.max_images}"
            raise Rejection.NOT_ALLOWED.at("images", what)
        for index, each in enumerate(submissions):
            _check(self.tenants, each.tenant, "tenant")
            _check(self.purposes, each.purpose, "purpose")
            if each.image.ref is not None:
                _check(self.buckets, each.image.ref.bucket, f"image {index}: bucket")
            elif self.hosts is not None and isinstance(each.location, ByUrl):
                _check(
                    self.hosts, _plain_host(urlsplit(each.location.url).hostname or ""), f"image {index}: url's host"
                )


def _only(globs: Iterable[str] | None) -> re.Pattern[str] | None:
    return None if globs is None else any_of(globs) or _NOTHING


def _check(allowed: re.Pattern[str] | None, claimed: str, what: str) -> None:
    if allowed is not None and not allowed.fullmatch(claimed):
        raise Rejection.NOT_ALLOWED.at(
            what, f"{named(claimed)} is not among those that this topic's producers may claim"
        )


def _plain_host(host: str) -> str:
    """Write a host as it is compared: without case, and without the dot that ends an absolute name."""
    return host.lower().removesuffix(".")
