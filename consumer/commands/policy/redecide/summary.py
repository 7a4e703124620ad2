"""
What was seen and done: lines about single verdicts, and their numbers. Values only.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from consumer.commands.policy.redecide.flips import Judged
from consumer.journal.verdict_records import Met
from consumer.urls import shown_url


class Line(NamedTuple):
    """One verdict that is told of."""

    judged: Judged
    verdict_id: str
    tenant: str
    purpose: str
    subject: str
    image: str  # an object, or a URL without its query; else the image's id
    rules: tuple[str, ...]
    place: str  # topic/partition/offset
    superseding_id: str | None = None  # where one is, or would be, published

    @classmethod
    def of(cls, judged: Judged, verdict: Mapping[str, Any], record: Met, superseding_id: str | None) -> "Line":
        """Tell of a verdict that is no `same`."""
        again = judged.again
        return cls(
            judged,
            verdict["verdict_id"],
            verdict["tenant"],
            verdict["purpose"],
            verdict["subject"]["id"],
            _image(verdict["image"]),
            tuple(dict.fromkeys(each.rule for each in again.reasons)) if again else (),
            f"{record.topic}/{record.partition}/{record.offset}",
            superseding_id,
        )


def _image(image: Mapping[str, Any]) -> str:
    ref, url = image.get("ref"), image.get("url")
    if ref:
        return f"{ref['bucket']}/{ref['key']}"
    return shown_url(url) if url else str(image["id"])


@dataclass(slots=True)
class Summary:
    """Numbers of verdicts."""

    seen: int = 0  # newest ones of machines: each image of each message once
    flips: Counter[tuple[str, str]] = field(default_factory=Counter)  # from, to
    for_people: Counter[str] = field(default_factory=Counter)  # person or floor
    needs_calls: Counter[str] = field(default_factory=Counter)  # by what would have to be asked
    not_replayable: Counter[str] = field(default_factory=Counter)
    set_aside: Counter[str] = field(default_factory=Counter)  # provisional, superseded, not_believed, unreadable
    published: int = 0
    rescans: int = 0  # that can be asked about again
    rescanned: int = 0
    rescanned_before: int = 0
    people: int = 0  # images that people decided about
    memory: int = 0  # bytes

    def count(self, judged: Judged) -> None:
        """Count one verdict."""
        self.seen += 1
        match judged.kind:
            case "flip":
                self.flips[str(judged.before), str(judged.after)] += 1
            case "for_people":
                self.for_people[judged.why] += 1
            case "needs_calls":
                self.needs_calls[f"{judged.why}: {judged.detail}"] += 1
            case "not_replayable":
                self.not_replayable[judged.why] += 1
