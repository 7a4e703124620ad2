"""
Images to look at among those about which two policies differ: some of each kind of difference and label.

Which ones is worked out from the verdicts' ids, so that it does not depend on the order in which they are read.
"""

from bisect import insort
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from consumer.policy.backtest.alike import Kind
from consumer.records import DECISIONS
from consumer.urls import shown_url

OF_EACH = 5
MOST_STRATA = 400
_LONGEST = 512  # characters of a text of the event's
_MOST_FOUND = 5


class Stratum(NamedTuple):
    """Images among which some are taken: the decisions, as places in `DECISIONS`, and the label that decides."""

    current: int
    candidate: int
    label: str


class Samples:
    """The images with the smallest digests of each stratum."""

    def __init__(self) -> None:
        self._kept: dict[Stratum, list[tuple[bytes, int, dict[str, Any]]]] = {}
        self.counts: dict[Stratum, int] = {}

    def offer(self, verdict: Mapping[str, Any], kind: Kind, label: str, place: object) -> None:
        """Take a verdict into account about which the policies differ; `label` is what the stricter one decides by."""
        stratum = Stratum(kind.current, kind.candidate, label)
        if stratum not in self.counts and len(self.counts) >= MOST_STRATA:
            stratum = Stratum(kind.current, kind.candidate, "…")
        self.counts[stratum] = count = self.counts.get(stratum, 0) + 1
        kept = self._kept.setdefault(stratum, [])
        digest = blake2b(verdict["verdict_id"].encode(), digest_size=8).digest()
        if len(kept) < OF_EACH or digest < kept[-1][0]:
            insort(kept, (digest, count, _shown(verdict, kind, place)))
            del kept[OF_EACH:]

    def __iter__(self) -> Iterator[tuple[Stratum, list[dict[str, Any]]]]:
        """Strata, the most frequent first, each with its images."""
        for stratum in sorted(self.counts, key=lambda each: (-self.counts[each], each)):
            yield stratum, [shown for _, _, shown in self._kept[stratum]]


def _shown(verdict: Mapping[str, Any], kind: Kind, place: object) -> dict[str, Any]:
    """What somebody needs who wants to see the image: never a URL's query, which may be a credential."""
    image = verdict["image"]
    ref, url = image["ref"], image["url"]
    found = [
        {"label": _cut(each["label"]), "confidence": each["confidence"], "level": _cut(each["level"])}
        for each in verdict["findings"][:_MOST_FOUND]
    ]
    return {
        "verdict_id": verdict["verdict_id"],
        "at": str(place),
        "tenant": _cut(verdict["tenant"]),
        "purpose": _cut(verdict["purpose"]),
        "subject": _cut(verdict["subject"]["id"]),
        "ref": {name: _cut(ref[name]) for name in ("store", "bucket", "key")} if ref else None,
        "version": _cut(image.get("version")),
        "url": _cut(shown_url(url)) if url else None,
        "current": {"decision": DECISIONS[kind.current].value, "rule": kind.rules[0]},
        "candidate": {"decision": DECISIONS[kind.candidate].value, "rule": kind.rules[1]},
        "findings": found,
    }


def _cut(text: Any) -> Any:
    return text if text is None or len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
