"""The functions on docs/events.md that say which verdict counts, in each language, for every order of arrival."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from itertools import combinations, permutations
from pathlib import Path
from typing import Any, NamedTuple

from tests.rig.replica import ROOT

PROGRAMS = Path(__file__).parent / "ordering"
STRICTNESS = ["pass", "review", "block"]


class Said(NamedTuple):
    """A verdict, as far as it matters here."""

    decision: str
    offset: int = 7
    sequence: int = 1
    by: str = "policy"
    revision: int | None = None
    topic: str = "uploads"
    image: str = "0"

    @property
    def received(self) -> str:
        return f"2026-11-20T10:00:{self.offset:02}.000Z"

    def line(self) -> str:
        """As the programs read it: fields with a blank between them, `-` for no revision."""
        revision = "-" if self.revision is None else self.revision
        return (
            f"shop u_1 {self.image} {revision} {self.topic} 0 {self.offset} {self.by} {self.sequence} {self.decision} "
            f"{self.received}"
        )

    def verdict(self) -> dict[str, Any]:
        return {
            "tenant": "shop", "subject": {"id": "u_1", "revision": self.revision}, "image": {"id": self.image},
            "event": {"topic": self.topic, "partition": 0, "offset": self.offset}, "decided_by": self.by,
            "sequence": self.sequence, "decision": self.decision, "timing": {"received": self.received},
        }  # fmt: skip


PROVISIONAL = Said("review", sequence=0)
FINAL = Said("pass")
SUPERSEDING = Said("block", sequence=2)
BACK = Said("pass", sequence=3)
STRICTER = Said("block", sequence=3)  # by two runs at once
PERSON = Said("pass", sequence=2, by="human")
LATER = Said("review", offset=9)
LATER_PROVISIONAL = Said("review", offset=9, sequence=0)
OLD_REVISION, REVISION, NEW_REVISION = (
    Said("block", revision=1, offset=8), Said("pass", revision=2, offset=5), Said("review", revision=3, offset=4),
)  # fmt: skip
BACKFILL = Said("block", topic="backfill", offset=6)
BACKFILL_LATER = Said("block", topic="backfill", offset=10, revision=2)
EVERY = [
    PROVISIONAL, FINAL, SUPERSEDING, BACK, STRICTER, PERSON, LATER, LATER_PROVISIONAL, OLD_REVISION, REVISION,
    NEW_REVISION, BACKFILL, BACKFILL_LATER, Said("pass", revision=2, offset=5, by="human"),
]  # fmt: skip
CASES: Sequence[tuple[Sequence[Said], Said]] = [
    ((PROVISIONAL, FINAL), FINAL),
    ((PROVISIONAL, FINAL, SUPERSEDING, BACK), BACK),
    ((PROVISIONAL, FINAL, SUPERSEDING, BACK, PERSON), PERSON),
    ((FINAL, SUPERSEDING, BACK, STRICTER), STRICTER),
    ((FINAL, PERSON, SUPERSEDING, LATER), LATER),
    ((FINAL, PERSON, LATER_PROVISIONAL, LATER), LATER),
    ((FINAL, SUPERSEDING, LATER_PROVISIONAL), LATER_PROVISIONAL),
    ((OLD_REVISION, REVISION, NEW_REVISION), NEW_REVISION),
    ((OLD_REVISION, REVISION), REVISION),
    ((REVISION, LATER), LATER),
    ((OLD_REVISION, NEW_REVISION, FINAL), FINAL),
    ((FINAL, BACKFILL), FINAL),
    ((REVISION, BACKFILL_LATER), BACKFILL_LATER),
    ((NEW_REVISION, BACKFILL_LATER), NEW_REVISION),
]


def function(language: str) -> str:
    """What the page has of a language."""
    page = (ROOT / "docs" / "events.md").read_text()
    [found] = re.findall(rf"^```{language} order\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return str(found)


def arrivals() -> Iterator[Sequence[Said]]:
    """Every order of up to three verdicts, and of the cases."""
    for count in range(1, 4):
        for some in combinations(EVERY, count):
            yield from permutations(some)
    for case, _ in CASES:
        yield from permutations(case)


ARRIVALS = [*arrivals()]


def counts(arrived: Sequence[Said]) -> str:
    """What counts of these, by the sentences of the page and whatever their order."""
    uploads: dict[tuple[str, int, int | None], list[Said]] = {}
    for each in arrived:
        uploads.setdefault((each.topic, each.offset, each.revision), []).append(each)
    best = [
        max(of, key=lambda each: (each.by == "human", each.sequence, STRICTNESS.index(each.decision)))
        for of in uploads.values()
    ]
    standing = [
        each
        for each in best
        if each.revision is None or all(each.revision >= (other.revision or each.revision) for other in best)
    ]
    return max(standing, key=lambda each: (each.received, STRICTNESS.index(each.decision))).decision


EXPECTED = [counts(each) for each in ARRIVALS]


def test_the_cases_of_the_page() -> None:
    """
    What people would say of them.
    """
    assert [counts(some) for some, _ in CASES] == [expected.decision for _, expected in CASES]


def test_in_python() -> None:
    """
    Whatever the order in which verdicts come, the same counts in the end.
    """
    page: dict[str, Any] = {}
    exec(function("python"), page)
    found = []
    for arrived in ARRIVALS:
        page["kept"].clear()
        found.append([page["counts"](each.verdict()) for each in arrived][-1]["decision"])

    assert found == EXPECTED


def test_images_and_subjects_are_apart() -> None:
    """
    A verdict about another image of the event changes nothing.
    """
    page: dict[str, Any] = {}
    exec(function("python"), page)
    page["counts"](Said("block", image="1", offset=20).verdict())

    assert page["counts"](FINAL.verdict())["decision"] == "pass"


def check(program: list[str], folder: Path) -> None:
    """Have a program take in every arrival; an empty line begins the next."""
    lines = "".join("".join(f"{each.line()}\n" for each in arrived) + "\n" for arrived in ARRIVALS)
    judged = subprocess.run(program, input=lines, capture_output=True, text=True, cwd=folder, check=False)

    assert judged.stderr == ""
    assert judged.stdout.split() == EXPECTED


def test_in_java(javac: str, tmp_path: Path) -> None:
    """
    As in Python.
    """
    (tmp_path / "Verdicts.java").write_text(function("java"))
    shutil.copy(PROGRAMS / "Main.java", tmp_path)
    quickly = ["-proc:none", "-J-XX:TieredStopAtLevel=1"]
    subprocess.run([javac, *quickly, "Verdicts.java", "Main.java"], cwd=tmp_path, check=True)

    check([str(Path(javac).with_name("java")), "Main"], tmp_path)


def test_in_go(go: str, tmp_path: Path) -> None:
    """
    As in Python.
    """
    (tmp_path / "verdicts.go").write_text(function("go"))
    shutil.copy(PROGRAMS / "main.go", tmp_path)
    subprocess.run([go, "build", "-o", "order", "verdicts.go", "main.go"], cwd=tmp_path, check=True)

    check(["./order"], tmp_path)
