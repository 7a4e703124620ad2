"""How deadlines are written, and what is said of wrong ones."""

from pathlib import Path

import pytest
import yaml

from consumer.config import Config
from consumer.config.loading import load_config
from consumer.errors import Misconfigured
from tests.rig.replica import ROOT


def problem_of(path: Path, text: str, *overrides: str) -> str:
    path.write_text(text)
    with pytest.raises(Misconfigured) as wrong:
        load_config(path, {}, overrides)
    [problem] = wrong.value.problems
    return problem


@pytest.mark.parametrize(("written", "seconds"), [("30s", 30), ("1.5m", 90), ("2h", 7_200), (45, 45), (1.5, 1.5)])
def test_a_deadline_is_seconds_or_says_its_unit(written: str | float, seconds: float) -> None:
    """
    As operators write them elsewhere; in the environment and after --set too.
    """
    assert load_config(None, {"MODERATION__DEADLINE__DEFAULT": str(written)}).deadline.by_lane == {"default": seconds}
    assert load_config(None, {}, [f"deadline.default={written}"]).deadline.by_lane == {"default": seconds}


def test_no_lane_has_one_by_itself() -> None:
    """
    It is off: it changes what subscribers get.
    """
    assert Config().deadline.by_lane == {}


def test_a_name_that_is_no_lane_is_refused(tmp_path: Path) -> None:
    """
    With file and line, and what the lanes are: a slip must not switch the deadline off.
    """
    path = tmp_path / "c.yaml"

    assert problem_of(path, "deadline:\n  live: 30s\n") == (
        f"{path}:2: deadline.live: is neither per_minute nor a lane: the lanes are default"
    )


@pytest.mark.parametrize("written", ["soon", "0.5s", "0", "-5", "null", "[30]", "1d"])
def test_what_is_no_time_is_refused(tmp_path: Path, written: str) -> None:
    """
    In words that say what may stand there. Less than a second is less than how often deadlines are looked at.
    """
    path = tmp_path / "c.yaml"
    told = problem_of(path, f"deadline:\n  default: {written}\n")

    assert told.startswith(f"{path}:2: deadline.default: must be a number from 1 to 2147483, or a text: 30s, 5m or 1h")


def test_a_lane_cannot_be_called_as_the_other_setting_is(tmp_path: Path) -> None:
    """
    Nobody could tell what was meant.
    """
    told = problem_of(tmp_path / "c.yaml", "lanes:\n  per_minute: {topics: [uploads]}\n")

    assert "lanes.per_minute: cannot have this name" in told


def test_the_page_shows_a_configuration_that_loads() -> None:
    """
    What operators copy from docs/safety-nets.md.
    """
    page = (ROOT / "docs" / "safety-nets.md").read_text()
    [_, text] = page.split("```yaml deadline config\n")

    settings = Config.model_validate(yaml.safe_load(text.split("```")[0])).deadline

    assert settings.by_lane == {"default": 30.0}
    assert settings.per_minute == 600
