"""What `policy lint` calls broken is what the service refuses: neither more nor less, and in the same words."""

import copy
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.commands.inputs import load_inputs
from consumer.commands.policy import linting
from consumer.config import Config, PolicyFiles
from consumer.errors import Misconfigured
from consumer.policy_files.loading import load_policies
from tests.rig.replica import ROOT

KEY = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret"}
WHY = {"owner": "trust@example.com", "reason": "they sell it", "expires": "2027-06-30"}
SOUND: dict[str, Any] = {
    "policy": "shop",
    "version": 7,
    "services": ["baselineCheck_global"],
    "info": ["customImage", "textInImage", "logoData"],
    "record_context": ["trust"],
    "route": {"high": "block", "medium": "review"},
    "on_error": {"fetch": "block"},
    "rules": [
        {"id": "terror", "match": {"label": ["violent_*_lib"], "library": ["lib-1"]}, "then": "block", "pin": True},
        {"id": "weak", "then": "review",
         "match": {"label": ["sexual_*", "!*_lib"], "confidence": {"gte": 10, "lt": 85}}},
        {"id": "codes", "match": {"label": ["QRCode"], "context": {"trust": ["new"]}}, "then": "block", "rollout": 0.5},
        {"id": "rivals", "match": {"logo": ["Rival"]}, "then": "review", "mode": "shadow"},
    ],
    "overlays": [
        {"when": {"tenant": ["swim"]},
         "rules": [{"id": "swimwear", "match": {"label": ["sexual_femaleUnderwear"]}, "then": "pass", "why": WHY}]},
        {"when": {"purpose": ["avatar"]}, "services": ["baselineCheck_global"], "strict_recall": True},
        {"when": {"tenant": ["swim"], "purpose": ["avatar"]}, "route": {"low": "review"}},
    ],
}  # fmt: skip
"""A policy of every member, of which nothing is broken."""

Mutation = Callable[[dict[str, Any]], object]


def put(value: Any, *keys: str | int) -> Mutation:
    """Write a value there; `LookupError` or `TypeError` escapes where an earlier change has left no such place."""

    def mutate(tree: dict[str, Any]) -> None:
        at: Any = tree
        for key in keys[:-1]:
            at = at[key]
        if isinstance(at, dict) is not isinstance(keys[-1], str):
            raise KeyError(keys)
        at[keys[-1]] = copy.deepcopy(value)

    return mutate


BROKEN: Sequence[tuple[str, Mutation]] = [
    ("P000", put("blok", "route", "high")),
    ("P000", put(-1, "version")),
    ("P000", put([], "services")),
    ("P000", lambda tree: tree.pop("version")),
    ("P000", put(["country"], "record_context")),
    ("P001", put(True, "strict_recal")),
    ("P001", put("high", "rules", 1, "match", "levels")),
    ("P004", put({}, "rules", 1, "match", "confidence")),
    ("P004", put({"gte": 85, "lt": 85}, "rules", 1, "match", "confidence")),
    ("P007", put({"tenant": ["bank", "swim"]}, "overlays", 1, "when")),
    ("P010", put(["customImage", "textInImage"], "info")),
    ("P010", put([], "overlays", 0, "info")),
    ("P011", put("pass", "on_error", "internal")),
    ("P012", put(["pt_logo", "__overall__"], "rules", 1, "match", "label")),
    ("P013", put("shadow", "rules", 2, "mode")),
    ("P013", put("shadow", "rules", 0, "mode")),
    ("P013", put(0.1, "rules", 0, "rollout")),
    ("P018", put(True, "overlays", 0, "rules", 0, "pin")),
    ("P019", put("weak", "overlays", 0, "rules", 0, "id")),
]
WORKS: Sequence[tuple[str, Mutation]] = [
    ("P002", put(["pt_logoo"], "rules", 1, "match", "label")),
    ("P003", put({"level": ["low"], "label": ["sexual_kiss", "!*_lib"], "confidence": {"gte": 20, "lt": 30}},
                 "rules", 3, "match")),
    ("P006", lambda tree: tree["overlays"][0]["rules"][0].pop("why")),
    ("P008", put("pass", "route", "medium")),
    ("P014", lambda tree: tree),
    ("P015", put(["baselineCheck_globl"], "services")),
]  # fmt: skip
"""Unsafe, or a warning."""


def ends(path: Path, region: str) -> tuple[list[str], list[linting.Found]]:
    """What the service refuses a policy for, and what lint says is broken."""
    try:
        load_policies(PolicyFiles(file=path), [region])
        refused = []
    except Misconfigured as error:
        refused = list(error.problems)
    config = Config.model_validate({"provider": {"region": region}})
    return refused, [each for each in linting.lint(path, linting.Options(config=config)) if each.kind == "broken"]


def worded(found: Sequence[linting.Found]) -> list[str]:
    """As the service says it, but for the codes."""
    return [f"{each.file}{f':{each.line}' if each.line else ''}: {each.text}" for each in found]


def uncoded(problems: Sequence[str]) -> list[str]:
    return [re.sub(r" \(P\d{3}\)", "", problem) for problem in problems]


def written(folder: Path, tree: Any) -> Path:
    """A policy in a file; JSON is YAML."""
    path = folder / "policy.yaml"
    path.write_bytes(orjson.dumps(tree))
    return path


@pytest.mark.parametrize(("code", "mutate"), BROKEN)
def test_what_is_broken_is_refused(tmp_path: Path, code: str, mutate: Mutation) -> None:
    """
    By the service as it starts, and by lint with this code alone.
    """
    mutate(tree := copy.deepcopy(SOUND))
    path = written(tmp_path, tree)

    with pytest.raises(Misconfigured) as refused:
        load_inputs(ROOT / "config" / "consumer.yaml", KEY, [f"policy={path}"])

    found = linting.lint(path)
    assert {(each.code, each.kind) for each in found} == {(code, "broken")}
    assert worded(found) == uncoded(refused.value.problems)


@pytest.mark.parametrize(("code", "mutate"), [("", copy.copy), *WORKS])
def test_what_is_not_broken_starts(tmp_path: Path, code: str, mutate: Mutation) -> None:
    """
    Whatever lint thinks of it.
    """
    mutate(tree := copy.deepcopy(SOUND))
    path = written(tmp_path, tree)

    inputs = load_inputs(ROOT / "config" / "consumer.yaml", KEY, [f"policy={path}"])

    found = linting.lint(path)
    assert inputs.policy.settings.version == 7
    assert "broken" not in {each.kind for each in found}
    assert not code or code in {each.code for each in found}


def places(tree: Any, above: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a tree."""
    below = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [place for key, value in below for place in ((*above, key), *places(value, (*above, key)))]


PLACES = places(SOUND)
VALUES = st.sampled_from(
    [None, True, 0, 0.5, 101, -1, "", "!", "*", "pass", "block", "shadow", "high", "trust", "swim", "__overall__", [],
     ["pass"], ["*_lib", "!*_tii_lib"], [None], {}, {"id": "weak"}, {"gte": 5}, {"tenant": ["swim"]}, {"logo": ["x"]}]
)  # fmt: skip


@settings(max_examples=60)
@given(
    changes=st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=3),
    chosen=st.lists(st.sampled_from(BROKEN), max_size=2),
    region=st.sampled_from(["ap-southeast-1", "cn-shanghai"]),
)
def test_both_agree_about_whatever_is_written(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[tuple[str | int, ...], Any]],
    chosen: list[tuple[str, Mutation]],
    region: str,
) -> None:
    """
    Mutations of a sound policy, broken ways and any value anywhere: the same problems, one for one, in one order.
    """
    tree: Any = copy.deepcopy(SOUND)
    for mutate in [*(mutate for _, mutate in chosen), *(put(value, *place) for place, value in changes)]:
        with_place_left(mutate, tree)

    refused, broken = ends(written(tmp_path_factory.mktemp("policy"), tree), region)

    assert worded(broken) == uncoded(refused)


def with_place_left(mutate: Mutation, tree: Any) -> None:
    """Change a tree, where an earlier change has left the place."""
    try:
        mutate(tree)
    except (LookupError, TypeError, AttributeError):
        return
