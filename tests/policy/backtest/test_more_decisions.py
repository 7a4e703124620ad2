"""
Another decision is added by a few words, and what is counted by decision counts it: tried on a copy of the service.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import orjson
import pytest

import consumer
from consumer.policy.backtest.counts import Seen
from consumer.policy.language import Outcome
from consumer.records import DECISIONS

ROOT = Path(consumer.__file__).parent.parent
NOW = [each.value for each in DECISIONS]
ONE_MORE = (*NOW[:-1], "limited", NOW[-1])
TWO_MORE = (*ONE_MORE, "expelled")

COUNTED = """
import sys
from typing import Any

import orjson

from consumer.policy.backtest.counts import Counts
from consumer.policy.backtest.gates import Gates
from consumer.policy.backtest.result import result_of
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import STRICTNESS
from consumer.verdicts.encode import Encoding
from tests.rig.verdicts import published, uploads

names = sys.argv[1:]
assert [each.value for each in STRICTNESS] == names


def policy(version: int, high: str, low: str) -> Policy:
    route = {"high": high, "medium": "review", "low": low}
    settings = PolicySettings.model_validate({"policy": "test", "version": version, "route": route})
    return Policy(settings=settings, sha256=f"{version:064x}")


current, candidate = policy(1, names[-1], "pass"), policy(2, "block", names[-2])
deciding, other, encoding = Deciding(current), Deciding(candidate), Encoding(group="group")
counts = Counts(current, candidate)
found = list(uploads(300, harmless=0.3))
verdicts = [orjson.loads(published(each, deciding, encoding)[1].value or b"") for each in found]
for number, (verdict, before) in enumerate(zip(verdicts, reversed(verdicts))):
    answered = {name: before[name] for name in ("findings", "risk_level", "reasons", "hits", "decision")}
    counts.add({**verdict, **answered}, "file", None, number)  # which the next one outranks
    counts.add({**verdict, "sequence": 2}, "file", None, number)
counts.end()
expected = {now: dict.fromkeys(names, 0) for now in names}
for each in found:
    now, then = (one.decide(each.submission, each.assessment, each.decided).decision for one in (deciding, other))
    expected[now][then] += 1
result = result_of(counts, [range(256)], Gates(), None, {})
print(orjson.dumps({"result": result, "expected": expected}).decode())
"""


class Edit(NamedTuple):
    """A text of a file of the service, which stands there once, and what stands there instead."""

    file: str
    old: str
    new: str


def edits(names: tuple[str, ...]) -> list[Edit]:
    """All that makes the service know these decisions."""

    def members(names: Sequence[str]) -> str:
        return "".join(f'    {name.upper()} = "{name}"\n' for name in names)

    def order(names: Sequence[str]) -> str:
        return f"DECISIONS = ({', '.join(f'Decision.{name.upper()}' for name in names)})"

    outcomes = ", ".join(f'"{each}"' for each in get_args(Outcome))
    return [
        Edit("records.py", members(NOW), members(names)),
        Edit("records.py", order(NOW), order(names)),
        Edit("policy/language.py", f"Outcome = Literal[{outcomes}]", f"Outcome = Literal{list(names)}"),
    ]


@pytest.mark.parametrize("names", [ONE_MORE, TWO_MORE], ids=["one more", "two more"])
def test_what_is_counted_by_decision_counts_each_decision(names: tuple[str, ...], tmp_path: Path) -> None:
    """
    With one and two more decisions every image stands in the cell of what both policies decide, also where a later
    record takes the place of an earlier one; and every row adds up.
    """
    shutil.copytree(ROOT / "consumer", tmp_path / "consumer", ignore=shutil.ignore_patterns("__pycache__"))
    for edit in edits(names):
        file = tmp_path / "consumer" / edit.file
        text = file.read_text("utf-8")
        assert text.count(edit.old) == 1, edit
        file.write_text(text.replace(edit.old, edit.new), "utf-8")

    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    ran = subprocess.run(
        [sys.executable, "-c", COUNTED, *names], cwd=tmp_path, env=environment, check=True, capture_output=True
    )
    said = orjson.loads(ran.stdout)
    result, expected = said["result"], said["expected"]

    matrix = {now: {then: cell["value"] for then, cell in line.items()} for now, line in result["matrix"].items()}
    assert matrix == expected
    assert result["flips"]["total"]["value"] == sum(
        count for now, line in expected.items() for then, count in line.items() if now != then
    )
    assert result["reviews"]["current"]["value"] == sum(expected["review"].values())
    assert result["records"]["decided_by_current"]["disagreed"] == 0
    for row in (*result["labels"], *result["tenants"], *result["purposes"]):
        check_row(row, names)


def check_row(row: Any, names: tuple[str, ...]) -> None:
    """Whether a row's numbers are those of its matrix."""
    places = range(len(names))
    assert row["images"] == sum(map(sum, row["matrix"]))
    for to, name in enumerate(names):
        assert row[f"to_{name}"] == sum(row["matrix"][now][to] for now in places if now != to)
    assert row["flips"] == sum(row[f"to_{name}"] for name in names)


@pytest.mark.parametrize("decisions", [3, 4, 5, 8])
def test_what_was_counted_of_a_submission_is_told_as_it_was(decisions: int) -> None:
    """
    However many decisions there are: no cell and no rank is taken for another one.
    """
    cells, ranks = decisions**2 + 1, 128 * decisions
    seen = Seen(cells, ranks)

    for cell in range(cells):
        submission = ("topic", 0, cell, "0")
        assert seen.earlier(submission, ranks - 2, cell) is None
        assert seen.earlier(submission, 1, 0) == (cell, False)
        assert seen.earlier(submission, ranks - 1, cells - 1 - cell) == (cell, True)
        assert seen.earlier(submission, ranks - 1, 0) == (cells - 1 - cell, False)
