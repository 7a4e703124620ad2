"""What `check` says of callbacks."""

from pathlib import Path

import pytest

from consumer.commands.check.callbacks import callbacks
from consumer.commands.check.findings import Finding, Level
from consumer.config.scan_tasks import TaskSettings

SEED = "a_seed_of_ours"


def found(file: Path | None, url: str | None = "https://m.example.com/callback") -> list[Finding]:
    callback = {"url": url, "uid": "1000000000000001", "seed_file": file}
    return list(callbacks(TaskSettings.model_validate({"mode": "async", "callback": callback})))


def test_a_seed_that_can_be_read_is_well(tmp_path: Path) -> None:
    """A line's end is not part of it, and nothing is said of what the file holds."""
    (tmp_path / "seed").write_text(f"{SEED}\n")

    (only,) = found(tmp_path / "seed")

    assert (only.level, only.about) == (Level.OK, "callbacks")
    assert str(tmp_path / "seed") in only.text
    assert SEED not in only.text


@pytest.mark.parametrize(
    ("holds", "said"),
    [(None, "cannot be read: No such file"), (b"", "1 to 64"), (b"two words", "1 to 64"), (b"a" * 65, "1 to 64")],
)
def test_a_seed_that_cannot_be_used_is_told_with_its_setting(tmp_path: Path, holds: bytes | None, said: str) -> None:
    """The service would not start."""
    if holds is not None:
        (tmp_path / "seed").write_bytes(holds)

    (only,) = found(tmp_path / "seed")

    assert only.level is Level.WRONG
    assert only.text.startswith(f"scan.callback.seed_file: {tmp_path / 'seed'}: ")
    assert said in only.text
    assert not holds or holds.decode() not in only.text


def test_without_callbacks_nothing_is_said(tmp_path: Path) -> None:
    """The file need not be there."""
    assert found(tmp_path / "missing", url=None) == []
