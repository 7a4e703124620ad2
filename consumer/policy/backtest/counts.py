"""
Counts what two policies decide about the verdicts that it is given: one a submission, each in constant memory.
"""

from array import array
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple
from zlib import crc32

from consumer.policy.backtest.alike import Kind, Kinds
from consumer.policy.backtest.intervals import BLOCKS
from consumer.policy.backtest.people import People
from consumer.policy.backtest.samples import Samples
from consumer.policy.schema import Policy
from consumer.rollout import is_in_share
from consumer.vendor_facts.aliyun import NOTHING_FOUND
from consumer.verdicts.value import SCHEMA

MOST_NAMES = 10_000
"""Tenants, purposes and labels that are counted by themselves; `…` has the others."""
OTHERS = "…"
BINS = 20
"""Of confidences, five wide each; what has 100 is in the last."""
_MOST_REASONS = 1_000
_MOST_EXAMPLES = 5

NOT_VERDICTS = (KeyError, TypeError, ValueError, AttributeError, IndexError)
"""What is met where something in a verdict is not what it should be."""


class Place(NamedTuple):
    """Where a record was read: a topic, its partition and offset, or a file and its line."""

    source: str
    partition: int | None
    at: int

    def __str__(self) -> str:
        return f"{self.source}:{self.at}" if self.partition is None else f"{self.source}/{self.partition}/{self.at}"


class Seen:
    """
    Which submissions were met, in 32 MB: some four million of the latest ones.

    That one was met is certain (64 bits); that one was not is so among the last million, give or take, and likely
    among four.
    """

    WAYS = 4
    _BUCKETS = 1 << 20

    def __init__(self) -> None:
        self._table = array("Q", bytes(8 * self.WAYS * self._BUCKETS))

    def is_new(self, submission: tuple[Any, ...]) -> bool:
        """Whether it was not met before, and take note of it."""
        mark = (hash(submission) & 0xFFFFFFFFFFFFFFFF) or 1
        start = (mark % self._BUCKETS) * self.WAYS
        ways = self._table[start : start + self.WAYS]
        if mark in ways:
            return False
        ways.insert(0, mark)
        self._table[start : start + self.WAYS] = ways[: self.WAYS]
        return True


class Counts:
    """All that is counted. Every matrix has nine numbers, by the current policy's decision and the candidate's."""

    def __init__(
        self, current: Policy, candidate: Policy, *, share: float = 1.0, since: str = "", people: People | None = None
    ) -> None:
        """`share` of the images, by their identity; `since` when they were decided about, as verdicts write it."""
        self.current, self.candidate, self.share, self.people = current, candidate, share, people or People()
        self._since = since
        self._kinds = Kinds(current, candidate, self._fold)
        self._seen = Seen()
        self.left_out: Counter[str] = Counter()
        self.not_replayed: Counter[str] = Counter()
        self.not_verdicts: list[str] = []  # where the first ones were
        self.read = self.replayed = 0
        self.period = ["", ""]
        self.blocks = [[0] * BLOCKS for _ in range(9)]
        self.tenants: dict[str, list[int]] = {}
        self.purposes: dict[str, list[int]] = {}
        self.labels: dict[str, list[int]] = {}
        self.confidences: dict[str, list[int]] = {}
        self.marginals: dict[str, list[int]] = {}
        self.samples = Samples()
        self.agreed = 0
        self.disagreed: Counter[str] = Counter()

    def add(self, verdict: Any, place: Place) -> None:
        """Count a verdict that was read, whatever it is."""
        self.read += 1
        try:
            self._add(verdict, place)
        except NOT_VERDICTS:
            self.unreadable(place)

    def unreadable(self, place: Place) -> None:
        """Count what was read and is no verdict."""
        self.left_out["not_a_verdict"] += 1
        if len(self.not_verdicts) < _MOST_EXAMPLES:
            self.not_verdicts.append(str(place))

    def end(self) -> None:
        """Finish counting."""
        self._kinds.fold()

    def _add(self, verdict: Mapping[str, Any], place: Place) -> None:
        if verdict["schema"] != SCHEMA:
            raise ValueError
        decided = verdict["timing"]["decided"]
        if decided < self._since:
            self.left_out["before"] += 1
            return
        event, image = verdict["event"], verdict["image"]
        if self.share < 1 and not is_in_share(self.share, "backtest", _identity(verdict)):
            self.left_out["not_sampled"] += 1
            return
        if why := _why_left_out(verdict):
            self.left_out[why] += 1
            return
        if not self._seen.is_new((event["topic"], event["partition"], event["offset"], image["id"])):
            self.left_out["repeated"] += 1
            self._match_again(verdict)
            return
        self._count(verdict, self._kinds.of(verdict), decided, place)

    def _count(self, verdict: Mapping[str, Any], kind: Kind, decided: str, place: Place) -> None:
        if kind.why_not is not None:
            return  # it is counted when the kind is folded
        self.replayed += 1
        cell = kind.cell
        self.blocks[cell][crc32(verdict["subject"]["id"].encode()) % BLOCKS] += 1
        _row(self.tenants, verdict["tenant"])[cell] += 1
        _row(self.purposes, verdict["purpose"])[cell] += 1
        self._note_confidences(verdict)
        self._note_period(decided)
        if kind.current != kind.candidate:
            self.samples.offer(verdict, kind, place)
        self.people.match(verdict["verdict_id"], cell, verdict["decision"])
        if verdict["policy"]["sha256"] == self.current.sha256 and verdict["decided_by"] == "policy":
            self._note_agreement(verdict["decision"], kind)

    def _match_again(self, verdict: Mapping[str, Any]) -> None:
        """A person may have decided about the superseding verdict of a submission that is counted already."""
        if self.people.is_about(verdict["verdict_id"]):
            kind = self._kinds.of(verdict)
            kind.count -= 1
            if kind.why_not is None:
                self.people.match(verdict["verdict_id"], kind.cell, verdict["decision"])

    def _note_confidences(self, verdict: Mapping[str, Any]) -> None:
        for finding in verdict["findings"]:
            confidence = finding["confidence"]
            if confidence is not None and finding["label"] != NOTHING_FOUND:
                row = _row(self.confidences, finding["label"], BINS)
                row[min(int(confidence * BINS / 100), BINS - 1)] += 1

    def _note_period(self, decided: str) -> None:
        first, last = self.period
        if decided < first or not first:
            self.period[0] = decided
        if decided > last:
            self.period[1] = decided

    def _note_agreement(self, published: str, kind: Kind) -> None:
        if (was := ("pass", "review", "block").index(published)) == kind.current:
            self.agreed += 1
        else:
            self.disagreed[f"{('pass', 'review', 'block')[was]}→{('pass', 'review', 'block')[kind.current]}"] += 1

    def _fold(self, kind: Kind) -> None:
        if kind.why_not is not None:
            name = kind.why_not if len(self.not_replayed) < _MOST_REASONS else OTHERS
            self.not_replayed[name] += kind.count
            return
        for label in kind.labels:
            _row(self.labels, label)[kind.cell] += kind.count
        for rule, without in kind.marginals:
            _row(self.marginals, rule)[3 * without + kind.candidate] += kind.count


def _why_left_out(verdict: Mapping[str, Any]) -> str:
    if verdict.get("provisional"):
        return "provisional"
    if verdict.get("omitted"):
        return "omitted"
    if not verdict["findings"]:
        return "no_answer"
    return "asked_not_said" if verdict.get("asked") is None else ""


def _identity(verdict: Mapping[str, Any]) -> str:
    return verdict.get("identity") or f"event:{verdict['event']['id']}/{verdict['image']['id']}"


def _row(rows: dict[str, list[int]], name: str, size: int = 9) -> list[int]:
    row = rows.get(name)
    if row is None:
        if len(rows) >= MOST_NAMES:
            name = OTHERS
        row = rows.setdefault(name, [0] * size)
    return row
