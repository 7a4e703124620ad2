"""
What a backtest came to, as an object that JSON can hold; the terminal, the page and the table are made of it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from consumer.policy.backtest.alike import bounds_of
from consumer.policy.backtest.cells import cell_of, flips, flips_to, lines_of, pairs, sum_of
from consumer.policy.backtest.counts import BINS, OTHERS, Counts
from consumer.policy.backtest.gates import Gates, judged
from consumer.policy.backtest.intervals import Interval, resampled, wilson
from consumer.policy.backtest.people import People
from consumer.policy.language import Rule
from consumer.policy.patterns import compiled
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import DECISIONS, STRICTNESS, Decision

SCHEMA = "moderation.backtest.v1"
SECONDS_PER_REVIEW = 20.0
MOST_ROWS = 200
"""Tenants, purposes and labels that are told of, those with the most differences first."""
MOST_HISTOGRAMS = 12

Draws = Sequence[Sequence[int]]
Row = Mapping[str, Any]

_NAMES = [each.value for each in DECISIONS]
_REVIEW, _BLOCK = STRICTNESS[Decision.REVIEW], STRICTNESS[Decision.BLOCK]


def result_of(
    counts: Counts, draws: Draws, gates: Gates, seconds_per_review: float | None, source: Row
) -> dict[str, Any]:
    """Make the result of what was counted; `seconds_per_review` beats what people took."""
    matrix = _Matrix(counts.blocks, draws, 1 / counts.share)
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "current": _policy(counts.current),
        "candidate": _policy(counts.candidate),
        "source": source,
        "sample": counts.share,
        "period": {"from": counts.first, "to": counts.last},
        "records": _records(counts),
        "matrix": {
            before: {after: matrix.sum_of([(now, then)]) for then, after in enumerate(_NAMES)}
            for now, before in enumerate(_NAMES)
        },
        "flips": {
            "total": matrix.sum_of(pairs(lambda now, then: now != then)),
            **{f"to_{name}": matrix.sum_of(flips_to(to)) for to, name in enumerate(_NAMES)},
        },
        "reviews": _reviews(counts, matrix, seconds_per_review),
        "rules": _rules(counts),
        "tenants": _rows(counts.tenants),
        "purposes": _rows(counts.purposes),
        "labels": _rows(counts.labels),
        "confidences": _histograms(counts),
        "samples": [
            {
                "current": _NAMES[stratum.current], "candidate": _NAMES[stratum.candidate], "label": stratum.label,
                "count": counts.samples.counts[stratum], "images": images,
            }
            for stratum, images in counts.samples
        ],
        "people": _people(counts.people),
    }  # fmt: skip
    result["gates"] = [each._asdict() for each in judged(gates, result)]
    return result


class _Matrix:
    """Sums of cells, with their intervals."""

    def __init__(self, blocks: Sequence[Sequence[int]], draws: Draws, scale: float) -> None:
        self._blocks, self._draws, self._scale = blocks, draws, scale

    def sum_of(self, cells: Iterable[tuple[int, int]]) -> Row:
        column = [sum(each) for each in zip(*(self._blocks[cell_of(now, then)] for now, then in cells), strict=True)]
        return _interval(resampled(column, self._draws, self._scale))

    def difference(self, plus: Iterable[tuple[int, int]], minus: Iterable[tuple[int, int]]) -> list[int]:
        """By block: the records of some cells less those of others."""
        plus, minus = list(plus), list(minus)
        return [
            sum(self._blocks[cell_of(now, then)][at] for now, then in plus)
            - sum(self._blocks[cell_of(now, then)][at] for now, then in minus)
            for at in range(len(self._blocks[0]))
        ]

    def change(self, column: Sequence[int]) -> Row:
        total = sum(column)
        if not any(column):
            return _interval(Interval(0.0, 0.0, 0.0))
        low_high = resampled(column, self._draws, self._scale)
        return _interval(Interval(total * self._scale, low_high.low, low_high.high))

    def ratio(self, above: Sequence[int], below: Sequence[int]) -> Row | None:
        """A share of two sums, drawn together; None where there is nothing below."""
        if not sum(below):
            return None
        shares = []
        for draw in self._draws:
            if under := sum(map(below.__getitem__, draw)):
                shares.append(sum(map(above.__getitem__, draw)) / under)
        shares.sort()
        value = sum(above) / sum(below)
        if not shares:
            return _interval(Interval(value, value, value))
        low, high = shares[round(0.025 * (len(shares) - 1))], shares[round(0.975 * (len(shares) - 1))]
        return _interval(Interval(value, low, high))


def _interval(interval: Interval) -> dict[str, float]:
    return {name: _rounded(each) for name, each in interval._asdict().items()}


def _rounded(number: float) -> float:
    return int(number) if number == int(number) else round(number, 6)


def _policy(policy: Policy) -> Row:
    settings = policy.settings
    return {"id": settings.policy, "version": settings.version, "sha256": policy.sha256}


def _records(counts: Counts) -> Row:
    return {
        "read": counts.read,
        "replayed": counts.replayed,
        "left_out": dict(sorted(counts.left_out.items())),
        "not_replayed": sum(counts.not_replayed.values())
        + counts.left_out["asked_not_said"]
        + counts.left_out["omitted"],
        "reasons": dict(counts.not_replayed.most_common(50)),
        "not_verdicts": counts.not_verdicts,
        "decided_by_current": {
            "agreed": counts.agreed,
            "disagreed": sum(counts.disagreed.values()),
            "differences": dict(sorted(counts.disagreed.items())),
        },
    }


def _reviews(counts: Counts, matrix: _Matrix, given: float | None) -> Row:
    now = pairs(lambda now, then: now == _REVIEW)
    then = pairs(lambda now, then: then == _REVIEW)
    column, today = matrix.difference(then, now), matrix.difference(now, [])
    measured = counts.people.seconds_per_review
    seconds = given or measured or SECONDS_PER_REVIEW
    change = matrix.change(column)
    return {
        "current": matrix.sum_of(now),
        "candidate": matrix.sum_of(then),
        "change": change,
        "growth": matrix.ratio(column, today),
        "seconds_per_review": round(seconds, 1),
        "seconds_from": "option" if given else "people" if measured else "default",
        "hours": {name: round(each * seconds / 3600, 2) for name, each in change.items()},
    }


def _rows(rows: Mapping[str, Sequence[int]]) -> Sequence[Row]:
    """Names with their matrices: those with the most differences first, then those with the most images."""
    made = [_row(name, cells) for name, cells in rows.items()]
    return sorted(made, key=lambda each: (-each["flips"], -each["images"], each["name"]))[:MOST_ROWS]


def _row(name: str, cells: Sequence[int]) -> dict[str, Any]:
    return {
        "name": name,
        "images": sum(cells),
        "flips": flips(cells),
        **{f"to_{decision}": sum_of(cells, flips_to(to)) for to, decision in enumerate(_NAMES)},
        "matrix": lines_of(cells),
    }


def _rules(counts: Counts) -> list[Row]:
    """Rules of the candidate's that decide something: without each, so many images would be decided otherwise."""
    made = []
    for rule, cells in counts.marginals.items():
        changes = {
            f"{_NAMES[without]}→{_NAMES[then]}": count
            for without, line in enumerate(lines_of(cells))
            for then, count in enumerate(line)
            if count
        }
        made.append({"rule": rule, "images": sum(cells), "flips": changes})
    return sorted(made, key=lambda each: (-each["images"], each["rule"]))


def _histograms(counts: Counts) -> list[Row]:
    """Confidences by label, those of the most frequently different labels first, with the rules' bounds."""
    by_label = {name: flips(cells) for name, cells in counts.labels.items()}
    bounds = {
        name: {"current": _bounds(counts.current.settings, name), "candidate": _bounds(counts.candidate.settings, name)}
        for name in counts.confidences
    }
    order = sorted(
        (name for name in counts.confidences if name != OTHERS),
        key=lambda name: (
            not (bounds[name]["current"] or bounds[name]["candidate"]),
            -by_label.get(name, 0),
            -sum(counts.confidences[name]),
            name,
        ),
    )
    return [
        {"label": name, "width": 100 / BINS, "counts": list(counts.confidences[name]), "bounds": bounds[name]}
        for name in order[:MOST_HISTOGRAMS]
    ]


def _bounds(settings: PolicySettings, label: str) -> list[Row]:
    rules: list[Rule] = [*settings.rules, *(rule for overlay in settings.overlays for rule in overlay.rules)]
    return [
        {"rule": rule.id, "at": at, "then": rule.then}
        for rule in rules
        if rule.match.confidence and compiled(rule.match.label)(label)
        for at in bounds_of(rule.match)
    ]


def _people(people: People) -> Row:
    return {
        "decisions": people.read,
        "compared": sum(map(sum, people.matched.values())),
        "escalated": people.escalated,
        "not_met": people.not_matched,
        "of_blocked": people.of_blocked,
        "current": _of_blocks(people, lambda now, then: now == _BLOCK),
        "candidate": _of_blocks(people, lambda now, then: then == _BLOCK),
    }


def _of_blocks(people: People, is_blocked: Callable[[int, int], bool]) -> Row:
    blocked = pairs(is_blocked)
    approved, removed = (sum_of(people.matched[each], blocked) for each in (False, True))
    precision, recall = wilson(removed, approved + removed), wilson(removed, sum(people.matched[True]))
    return {
        "blocked": approved + removed,
        "removed": removed,
        "precision": _interval(precision) if precision else None,
        "recall": _interval(recall) if recall else None,
    }
