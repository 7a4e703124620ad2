"""
Every code of `policy lint`: a file that raises it, the lines that it says, and the file mended.

In `tests/policy/lint/`: `P006-why.yaml` is the policy, `P006-why.txt` what lint says, `P006-why.mended.yaml` the policy
mended. `.tests`, `.base`, `.consumer` and `.lock` are given beside it, `.published` is the newest verdict's policy.
"""

import json
import re
from datetime import date
from pathlib import Path

import pytest
import yaml

from consumer.commands.policy import linting
from consumer.config.loading import load_config
from consumer.records import PolicyName
from tests.commands.cli import command
from tests.rig.replica import ROOT

CASES = ROOT / "tests" / "policy" / "lint"
WRITTEN = date(2026, 11, 27)
NAMES = sorted(path.stem for path in CASES.glob("P*.txt"))


def beside(policy: Path, kind: str) -> Path | None:
    """The file of a kind that is given with a policy; a mended one has its own, or that of the other."""
    own, others = (CASES / f"{stem}.{kind}.yaml" for stem in (policy.stem, policy.stem.partition(".")[0]))
    return own if own.is_file() else others if others.is_file() else None


def linted(name: str) -> str:
    """What lint says about a policy of the folder, on the day on which these were written."""
    policy = CASES / f"{name}.yaml"
    config, published = beside(policy, "consumer"), beside(policy, "published")
    newest = yaml.safe_load(published.read_text()) if published else None
    options = linting.Options(
        tests=beside(policy, "tests"),
        base=beside(policy, "base"),
        lock=beside(policy, "lock"),
        config=load_config(config, {}) if config else None,
        published=published is not None,
        newest=PolicyName(**newest) if newest else None,
        today=WRITTEN,
    )
    return linting.as_text(linting.lint(policy, options), policy).replace(f"{CASES}/", "") + "\n"


@pytest.mark.parametrize("name", NAMES)
def test_each_code_is_said_in_whole_lines(name: str) -> None:
    """
    With its mark, kind, file, line, key, and a way to mend it; and nothing else is.
    """
    assert linted(name) == (CASES / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_each_is_gone_once_it_is_mended(name: str) -> None:
    """
    As its message says.
    """
    assert linted(f"{name}.mended") == f"{name}.mended.yaml: nothing is wrong\n"


def test_every_code_of_the_page_has_a_file() -> None:
    """
    Of each kind that its row names; and no file raises another.
    """
    page = (ROOT / "docs" / "policy.md").read_text()
    rows = re.findall(r"^\| (P\d{3}) \| ([a-z, ]+) \|", page, re.MULTILINE)
    promised = {(code, kind) for code, kinds in rows for kind in kinds.split(", ")}
    said = {
        (found[1], found[2])
        for name in NAMES
        for found in re.finditer(r"^[✗!] (P\d{3}) (\w+) ", (CASES / f"{name}.txt").read_text(), re.MULTILINE)
    }

    assert said == promised


async def test_programs_get_an_object_a_line() -> None:
    """
    And none where nothing is wrong; of several files the worst counts.
    """
    sound, unsafe, broken = (CASES / f"{name}.yaml" for name in ("P008.mended", "P008", "P001"))

    nothing = await command("policy", "lint", "--json", str(sound))
    some = await command("policy", "lint", "--json", str(sound), str(unsafe), str(broken))

    assert (nothing.status, nothing.output) == (0, "")
    assert some.status == 2
    assert [json.loads(line) for line in some.output.splitlines()] == [
        {
            "kind": "unsafe", "code": "P008", "file": str(unsafe), "line": 3,
            "text": "route.high: is review, weaker than the block that the provider advises: write block, or "
            "acknowledge_vendor_advice: true",
        },
        {
            "kind": "broken", "code": "P001", "file": str(broken), "line": 3,
            "text": "strict_recal: is not a setting; did you mean strict_recall?",
        },
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a.yaml", "b.yaml", "--base", "c.yaml"), "--base is of one policy: name one FILE"),
        (("a.yaml", "b.yaml", "--tests", "c.yaml"), "--tests is of one policy: name one FILE"),
        (("a.yaml", "--published"), "--published needs --config, which says where the verdicts are"),
        ((str(CASES / "P009.yaml"), "--lock", str(CASES / "P008.yaml")), "P008.yaml: libraries: is missing"),
        (("a.yaml", "--config", "none.yaml"), "none.yaml: cannot be read: No such file or directory"),
    ],
)
async def test_what_does_not_go_together_is_refused(arguments: tuple[str, ...], said: str) -> None:
    """
    With exit 2, before anything is looked at.
    """
    ended = await command("policy", "lint", *arguments)

    assert (ended.status, ended.output) == (2, "")
    assert said in ended.errors
