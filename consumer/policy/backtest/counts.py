"""
Counts what two policies decide about the verdicts that it is given: one a submission, each in constant memory.
"""

from collections import Counter
from collections.abc import Mapping
from operator import add
from typing import Any, NamedTuple
from zlib import crc32

from consumer.policy.backtest.alike import Kind, Kinds
from consumer.policy.backtest.cells import CELLS, cell_of
from consumer.policy.backtest.intervals import BLOCKS
from consumer.policy.backtest.people import People
from consumer.policy.backtest.samples import Samples
from consumer.policy.replay import Kept
from consumer.policy.schema import Policy
from consumer.records import DECISIONS, STRICTNESS, Decision
from consumer.rollout import is_in_share

MOST_NAMES = 10_000
"""Tenants, purposes and labels that are counted by themselves; `…` has the others."""
OTHERS = "…"
SCHEMA = "moderation.verdict.v1"
"""Of the verdicts that are read."""
LATEST = "9999-12-31T23:59:59.999Z"
BINS = 20
"""Of confidences, five wide each; what has 100 is in the last."""
_STRICTNESS: Mapping[str, int] = {each.value: strictness for each, strictness in STRICTNESS.items()}
_NOT_REPLAYED = CELLS
"""In place of a cell: nothing is counted of the submission in any matrix."""
_STRICTNESS_BITS = (len(DECISIONS) - 1).bit_length()
_SEQUENCE_BITS = 6
_LAST_SEQUENCE = (1 << _SEQUENCE_BITS) - 2  # a provisional one has 0, and no rank is 0
_HUMAN = 1 << _SEQUENCE_BITS + _STRICTNESS_BITS
_FIRST = 2 << _STRICTNESS_BITS
RANKS = 2 * _HUMAN
"""Ranks are from 1 to one less."""

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
    Which submissions were met, and what was counted of each, in 64 MB: each may stand in two places, where those that
    come later push it out.

    That one was met is certain, by what rank and cell leave of 64 bits: 51, where there are three decisions. That one
    was not is likely among the last four million.
    """

    _PLACES = 1 << 23

    def __init__(self, cells: int = CELLS + 1, ranks: int = RANKS) -> None:
        """What is noted are cells and ranks below these bounds; `_NOT_REPLAYED` counts among the cells."""
        self._table = memoryview(bytearray(8 * self._PLACES)).cast("q")
        self._cell_bits = (cells - 1).bit_length()
        self._cell = (1 << self._cell_bits) - 1
        self._noted_bits = self._cell_bits + (ranks - 1).bit_length()
        self._noted = (1 << self._noted_bits) - 1

    def earlier(self, submission: tuple[Any, ...], rank: int, cell: int) -> tuple[int, bool] | None:
        """
        Return the cell that was counted of a submission, and whether this record outranks it; None where it is new.

        `cell` is noted of what is new or outranks; `rank` is at least 1.
        """
        table, noted, cell_bits = self._table, self._noted, self._cell_bits
        found = hash(submission)
        mark, first = found & ~noted, found >> self._noted_bits & (self._PLACES - 1)
        met = table[first]
        at = first if met and met & ~noted == mark else first ^ 1
        there = table[at]
        if there and there & ~noted == mark:
            is_newer = (there & noted) >> cell_bits < rank
            if is_newer:
                table[at] = mark | rank << cell_bits | cell
            return there & self._cell, is_newer
        if met:
            table[first ^ 1] = met
        table[first] = mark | rank << cell_bits | cell
        return None


def rank_of(verdict: Mapping[str, Any]) -> int:
    """
    Which of several verdicts about a submission counts, as subscribers tell it: the higher one.

    People's before machines', then the higher `sequence` (of those from 62 on no order is told), then the stricter one.
    """
    sequence, strictness = verdict.get("sequence", 1), _STRICTNESS[verdict["decision"]]
    if sequence == 1 and verdict["decided_by"] != "human":  # nearly all
        return _FIRST | strictness
    human = _HUMAN if verdict["decided_by"] == "human" else 0
    return human | (min(int(sequence), _LAST_SEQUENCE) + 1) << _STRICTNESS_BITS | strictness


class Counts:
    """All that is counted. Every matrix is a row of cells, as `cells.py` has them."""

    def __init__(
        self,
        current: Policy,
        candidate: Policy,
        *,
        share: float = 1.0,
        since: str = "",
        people: People | None = None,
        kept: Kept = "none",
    ) -> None:
        """
        `share` of the images, by their identity; `since` when they were decided about, as verdicts write it; `kept` is
        the members of the context that verdicts keep, as `Replaying` takes them.
        """
        self.current, self.candidate, self.share, self.people = current, candidate, share, people or People()
        self._since, self._digest = since, current.sha256
        self._kinds = Kinds(current, candidate, self._fold, kept)
        self._seen = Seen()
        self.left_out: Counter[str] = Counter()
        self.not_replayed: Counter[str] = Counter()
        self.not_verdicts: list[str] = []  # where the first ones were
        self.read = self.replayed = 0
        self.first, self.last = LATEST, ""  # moments, as verdicts write them
        self.blocks = [[0] * BLOCKS for _ in range(CELLS)]
        self._groups: dict[tuple[str, str], list[int]] = {}
        self.tenants: dict[str, list[int]] = {}
        self.purposes: dict[str, list[int]] = {}
        self.labels: dict[str, list[int]] = {}
        self.confidences: dict[str, list[int]] = {}
        self.marginals: dict[str, list[int]] = {}
        self.samples = Samples()
        self.agreed = 0
        self.disagreed: Counter[str] = Counter()

    def add(self, verdict: Any, source: str, partition: int | None, at: int) -> None:
        """Count what was read, whatever it is; None stands for what is not JSON. For the others see `Place`."""
        self.read += 1
        try:
            self._add(verdict, source, partition, at)
        except NOT_VERDICTS:
            self.left_out["not_a_verdict"] += 1
            if len(self.not_verdicts) < _MOST_EXAMPLES:
                self.not_verdicts.append(str(Place(source, partition, at)))

    def leave_out(self, why: str) -> None:
        """Count a record of which nothing else is counted."""
        self.read += 1
        self.left_out[why] += 1

    def end(self) -> None:
        """Finish counting."""
        self._kinds.fold()
        for (tenant, purpose), cells in self._groups.items():
            for rows, name in ((self.tenants, tenant), (self.purposes, purpose)):
                of_name = row(rows, name)
                of_name[:] = map(add, of_name, cells)
        self._groups.clear()

    def _add(self, verdict: Mapping[str, Any], source: str, partition: int | None, at: int) -> None:
        if verdict["schema"] != SCHEMA:
            raise ValueError
        decided, event = verdict["timing"]["decided"], verdict["event"]
        if decided < self._since:
            self.left_out["before"] += 1
        elif self.share < 1 and not is_in_share(self.share, "backtest", _identity(verdict)):
            self.left_out["not_sampled"] += 1
        elif why := _why_left_out(verdict):
            self.left_out[why] += 1
        else:
            kind = self._kinds.of(verdict)
            submission = event["topic"], event["partition"], event["offset"], verdict["image"]["id"]
            cell = _NOT_REPLAYED if kind.why_not is not None else kind.cell
            before = self._seen.earlier(submission, rank_of(verdict), cell)
            if before is not None:
                kind.count -= 1
                self.left_out["repeated"] += 1
                if before[1] and _NOT_REPLAYED not in (before[0], cell):
                    self._replace(verdict, kind, before[0])
            elif kind.why_not is None:
                self._count(verdict, kind, decided)
                if kind.current != kind.candidate:
                    self._sample(verdict, kind, Place(source, partition, at))
            if self.people.are_any and kind.why_not is None:
                self.people.match(verdict["verdict_id"], kind.cell, verdict["decision"])

    def _count(self, verdict: Mapping[str, Any], kind: Kind, decided: str) -> None:
        self.replayed += 1
        cell = kind.cell
        self.blocks[cell][crc32(verdict["subject"]["id"].encode()) % BLOCKS] += 1
        whose = verdict["tenant"], verdict["purpose"]
        groups = self._groups
        (groups[whose] if whose in groups else self._group(whose))[cell] += 1
        findings = verdict["findings"]
        labels = self.labels
        for label in {finding["label"] for finding in findings} if len(findings) > 1 else (findings[0]["label"],):
            (labels[label] if label in labels else row(labels, label))[cell] += 1
        for finding in findings:
            if (confidence := finding["confidence"]) is not None:
                into = row(self.confidences, finding["label"], BINS)
                into[min(int(confidence * BINS / 100), BINS - 1)] += 1
        if not self.first <= decided <= self.last:
            self.first, self.last = min(decided, self.first), max(decided, self.last)
        if verdict["policy"]["sha256"] == self._digest and verdict["decided_by"] == "policy":
            self._note_agreement(verdict["decision"], kind)

    def _replace(self, verdict: Mapping[str, Any], kind: Kind, before: int) -> None:
        """
        Count this record in place of another about the same submission, of which the cell is known.

        Both hold the same answers, but where an image was asked about twice around a crash. Labels and rules stay those
        of the other then.
        """
        if kind.cell != before:
            whose = verdict["tenant"], verdict["purpose"]
            groups = self._groups
            row_of_group = groups[whose] if whose in groups else self._group(whose)
            block = crc32(verdict["subject"]["id"].encode()) % BLOCKS
            for cell, change in ((before, -1), (kind.cell, 1)):
                self.blocks[cell][block] += change
                row_of_group[cell] += change
        if verdict["policy"]["sha256"] == self._digest and verdict["decided_by"] == "policy":
            self._note_agreement(verdict["decision"], kind)

    def _group(self, whose: tuple[str, str]) -> list[int]:
        """A row for a tenant's purpose; those that find no room have one together."""
        return self._groups.setdefault(whose if len(self._groups) < MOST_NAMES else (OTHERS, OTHERS), [0] * CELLS)

    def _sample(self, verdict: Mapping[str, Any], kind: Kind, place: Place) -> None:
        label = self._kinds.deciding_label(verdict, kind, int(kind.candidate > kind.current))
        self.samples.offer(verdict, kind, label, place)

    def _note_agreement(self, published: str, kind: Kind) -> None:
        if published == DECISIONS[kind.current]:
            self.agreed += 1
        else:
            self.disagreed[f"{Decision(published).value}→{DECISIONS[kind.current].value}"] += 1

    def _fold(self, kind: Kind) -> None:
        if kind.why_not is not None:
            name = kind.why_not if len(self.not_replayed) < _MOST_REASONS else OTHERS
            self.not_replayed[name] += kind.count
            return
        for rule, without in kind.marginals:
            row(self.marginals, rule)[cell_of(without, kind.candidate)] += kind.count


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


def row(rows: dict[str, list[int]], name: str, size: int = CELLS) -> list[int]:
    """The row of a name, which may be that of all others."""
    found = rows.get(name)
    if found is None:
        found = rows.setdefault(name if len(rows) < MOST_NAMES else OTHERS, [0] * size)
    return found
