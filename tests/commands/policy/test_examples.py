"""The policies in config/policies, from which people start: each is sound, and its tests hold it in every part."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumer.commands.inputs import load_inputs
from consumer.commands.policy import linting
from consumer.config.yaml_file import read_yaml
from consumer.errors import Misconfigured
from consumer.policy.schema import load_policy
from consumer.policy_files import fixtures
from tests.rig.replica import KEY, ROOT

FOLDER = ROOT / "config" / "policies"
EXAMPLES = sorted(path for path in FOLDER.glob("*.yaml") if not path.name.endswith(".tests.yaml"))
OVERLAID = ("route", "strict_recall", "allowlist", "unseen_frames", "on_error")
WHEN_WRITTEN = date(2026, 11, 27)
Place = tuple[str | int, ...]

each_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


def test_every_file_is_a_policy_or_the_tests_of_one() -> None:
    """
    A file of another name would be looked at by nobody.
    """
    expected = {path.with_name(f"{path.stem}{ending}") for path in EXAMPLES for ending in (".yaml", ".tests.yaml")}

    assert len(EXAMPLES) >= 3
    assert set(FOLDER.iterdir()) == expected


@each_example
def test_an_example_is_sound(path: Path) -> None:
    """
    Lint has nothing to say about it on the day on which it was written, and the service starts with it.
    """
    policy = load_policy(path)
    inputs = load_inputs(ROOT / "config" / "consumer.yaml", KEY, [f"policy={path}"])

    assert linting.lint(path, linting.Options(today=WHEN_WRITTEN)) == []
    assert (inputs.policy.sha256, inputs.policy.warnings) == (policy.sha256, ())


@each_example
def test_an_example_passes_its_own_tests(path: Path) -> None:
    """
    All of them.
    """
    assert [each for each in fixtures.run(path, None) if not each.passed] == []


def parts(tree: Mapping[str, Any]) -> Iterator[Place]:
    """Where the parts of a policy stand that change what it decides: rules, overlays, and what each overlay says."""
    yield from places(tree, OVERLAID)
    yield from (("rules", nth) for nth in range(len(tree["rules"])))
    for nth, overlay in enumerate(tree["overlays"]):
        yield "overlays", nth
        yield from (("overlays", nth, *place) for place in places(overlay, OVERLAID))
        yield from (("overlays", nth, "rules", rule) for rule in range(len(overlay.get("rules", ()))))
        for key, named in overlay["when"].items():
            yield "overlays", nth, "when", key
            yield from (("overlays", nth, "when", key, one) for one in range(len(named)) if len(named) > 1)


def places(section: Mapping[str, Any], keys: Sequence[str]) -> Iterator[Place]:
    """Where the settings of a section stand, those of maps one by one."""
    for key in keys:
        if isinstance(held := section.get(key), dict):
            yield from ((key, name) for name in held)
        elif held is not None:
            yield (key,)


def without(tree: Any, place: Place) -> Any:
    """A tree that lacks what stands at a place."""
    tree = deepcopy(tree)
    *above, last = place
    holds = tree
    for key in above:
        holds = holds[key]
    del holds[last]
    return tree


def is_missed(path: Path, place: Place, folder: Path) -> bool:
    """Whether without what stands at a place a test fails, or it is no policy, or the same: a default was spelt out."""
    file = folder / "policy.yaml"
    file.write_text(yaml.safe_dump(without(read_yaml(path).tree, place)))
    try:
        if load_policy(file).sha256 == load_policy(path).sha256:
            return True
    except Misconfigured:
        return True
    return not all(each.passed for each in fixtures.run(file, path.with_name(f"{path.stem}.tests.yaml")))


@each_example
def test_no_part_can_be_taken_away_unnoticed(path: Path, tmp_path: Path) -> None:
    """
    Every rule, every overlay, each of its settings, and each tenant and purpose it is for: without it a test fails.
    """
    found = list(parts(read_yaml(path).tree))

    assert len(found) >= 15
    assert [place for place in found if not is_missed(path, place, tmp_path)] == []
