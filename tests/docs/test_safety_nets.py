"""docs/safety-nets.md: its examples work, and its figures are those of the code."""

import re
from pathlib import Path

import pytest

from consumer.config import Config
from consumer.config.loading import load_config
from consumer.policy.block_shares import BOUNDS
from consumer.vendor_facts.images import MOST_BYTES
from tests.rig.replica import ROOT

PAGE = (ROOT / "docs" / "safety-nets.md").read_text()
EXAMPLES = re.findall(r"^```yaml (\w+) config\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def loaded(name: str, folder: Path) -> Config:
    file = folder / "consumer.yaml"
    file.write_text(dict(EXAMPLES)[name])
    return load_config(file, {})


@pytest.mark.parametrize("name", [name for name, _ in EXAMPLES])
def test_every_example_is_a_configuration(name: str, tmp_path: Path) -> None:
    """
    And changes something.
    """
    assert loaded(name, tmp_path).model_copy(update={"policy": Config().policy}) != Config()


def test_the_figures_are_the_codes(tmp_path: Path) -> None:
    """
    What canaries cost a day, what counts of a subject, how many tenants and images, and of how many bytes.
    """
    canaries = loaded("canaries", tmp_path).canaries
    calls = round(len(canaries.images) * 86_400 / canaries.interval)

    assert f"are {calls} calls a day and region" in PAGE
    assert f"{BOUNDS.tenants:,} tenants are told apart" in PAGE
    assert f"{BOUNDS.images:,} images are counted" in PAGE
    assert f"at most {MOST_BYTES // 2**20} MiB" in PAGE
    assert BOUNDS.of_subject == 5
    assert "at most five in a window" in PAGE
