"""`policy diff` as whoever is to agree to a change meets it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumer.commands.policy import diffing
from consumer.errors import Misconfigured
from tests.commands.cli import command

BASE: dict[str, Any] = {"policy": "test", "version": 1}
SHOP: dict[str, Any] = {"when": {"tenant": ["shop"]}, "strict_recall": True}
CODES: dict[str, Any] = {"id": "codes", "match": {"label": ["QRCode"]}, "then": "review"}
LOGOS: dict[str, Any] = {"id": "logos", "match": {"label": ["pt_logo"], "confidence": {"gte": 80}}, "then": "block"}


def written(folder: Path, name: str, **tree: Any) -> Path:
    """A policy in a file."""
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump({**BASE, **tree}))
    return file


def compared(folder: Path, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The lines, but that of the digest."""
    found = diffing.diff(written(folder, "before", **before), written(folder, "after", **after))
    return [line for line in diffing.as_text(found).splitlines() if "sha256" not in line]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {"route": {"high": "block"}}, ["no difference"]),
        ({}, {"version": 2}, ["~ version: 1 → 2"]),
        ({}, {"strict_recall": True}, ["~ strict_recall: false → true"]),
        ({}, {"info": ["customImage"]}, ["~ info: none → customImage; calls and cost of an image stay the same"]),
        ({"services": ["a"]}, {"services": ["a", "b"]},
         ["~ services: adds b; billed calls an image grow from 1 to 2 (+100%)"]),
        ({"services": ["a", "b", "c"]}, {"services": ["d"]},
         ["~ services: adds d, takes away a, b, c; billed calls an image fall from 3 to 1 (-67%)"]),
        ({"services": ["a", "b"]}, {"services": ["b", "a"]},
         ["~ services: a, b → b, a; still 2 billed calls an image"]),
        ({"rules": [CODES]}, {"rules": [LOGOS, CODES]},
         ["+ rules.logos, before codes: {match: {label: [pt_logo], confidence: {gte: 80.0}}, then: block}"]),
        ({"rules": [CODES, LOGOS]}, {"rules": [LOGOS]}, ["- rules.codes: {match: {label: [QRCode]}, then: review}"]),
        ({"rules": [CODES, LOGOS]}, {"rules": [LOGOS, CODES]}, ["↕ rules.logos: now looked at before codes"]),
        ({"rules": [CODES]}, {"rules": [{**CODES, "match": {"level": ["low"]}}]},
         ["~ rules.codes.match.label: QRCode → any", "~ rules.codes.match.level: any → low"]),
        ({"rules": [LOGOS]}, {"rules": [{**LOGOS, "match": {"label": ["pt_logo"], "confidence": {"lt": 99.5}}}]},
         ["~ rules.logos.match.confidence.gte: 80 → not said", "~ rules.logos.match.confidence.lt: not said → 99.5"]),
        ({}, {"overlays": [SHOP]}, ["", "overlay for tenant shop:", "  + is new, and says {strict_recall: true}"]),
        ({"overlays": [SHOP]}, {}, ["", "overlay for tenant shop:", "  - is gone, and says {strict_recall: true}"]),
        ({"overlays": [SHOP]}, {"overlays": [{**SHOP, "strict_recall": False}]},
         ["", "overlay for tenant shop:", "  ~ strict_recall: true → false"]),
        ({"overlays": [SHOP]}, {"overlays": [{**SHOP, "when": {"tenant": ["shop", "x"]}}]},
         ["", "overlay for tenant shop or x:", "  ~ when.tenant: adds x"]),
        ({"rules": [CODES]}, {"overlays": [{"when": {"tenant": ["t"], "purpose": ["p"]}, "rules": [CODES]}]},
         ["", "overlay for tenant t, purpose p:", "  + is new",
          "  ↕ rules.codes: moved here from the rules for all, now looked at last"]),
        ({"overlays": [SHOP, {"when": {"purpose": ["p"]}}]}, {"overlays": [{"when": {"purpose": ["p"]}}, SHOP]},
         ["", "overlay for purpose p:", "  ↕ stands elsewhere in the file, which decides nothing"]),
    ],
)  # fmt: skip
def test_each_difference_is_told_in_words(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], expected: list[str]
) -> None:
    """
    In those of the policy; of services what they do to calls and cost.
    """
    assert compared(tmp_path, before, after) == expected


async def test_a_step_of_a_pipeline_can_ask(tmp_path: Path) -> None:
    """
    0 without a difference, 1 with one, 2 where a file is no policy, which is named; and programs get an object a line.
    """
    one, two = written(tmp_path, "one"), written(tmp_path, "two", rules=[CODES])
    same = await command("policy", "diff", str(one), str(one))
    nothing = await command("policy", "diff", "--json", str(one), str(one))
    other = await command("policy", "diff", "--json", str(one), str(two))
    wrong = await command("policy", "diff", str(one), str(tmp_path / "none.yaml"))

    assert (same.status, same.output) == (0, "no difference\n")
    assert (nothing.status, nothing.output) == (0, "")
    assert (other.status, wrong.status) == (1, 2)
    digest, added = map(json.loads, other.output.splitlines())
    assert (digest["keys"], len(digest["after"])) == (["sha256"], 64)
    assert {key: added[key] for key in ("kind", "overlay", "keys", "before", "after")} == {
        "kind": "added", "overlay": None, "keys": ["rules", "codes"], "before": None,
        "after": {"match": {"label": ["QRCode"]}, "then": "review"},
    }  # fmt: skip
    assert f"{tmp_path / 'none.yaml'}: cannot be read" in wrong.errors


def test_a_rule_that_moved_says_from_where_to_programs(tmp_path: Path) -> None:
    """
    In the words that people read.
    """
    overlay = {"when": {"tenant": ["t"]}, "rules": [CODES]}
    found = diffing.diff(written(tmp_path, "one", rules=[CODES]), written(tmp_path, "two", overlays=[overlay]))
    moved = json.loads(diffing.as_json(found).splitlines()[-1])

    assert (moved["kind"], moved["overlay"]) == ("moved", {"tenant": ["t"], "purpose": []})
    assert (moved["before"], moved["after"]) == ("the rules for all", "overlay for tenant t")


def test_what_the_service_refuses_is_not_compared(tmp_path: Path) -> None:
    """
    All that is wrong with it is said.
    """
    with pytest.raises(Misconfigured, match="then: must be one of"):
        diffing.diff(written(tmp_path, "one"), written(tmp_path, "two", rules=[{**CODES, "then": "blok"}]))
