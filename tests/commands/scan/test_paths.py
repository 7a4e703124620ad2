"""What a scan writes is none of the other files that it was given."""

import os
from pathlib import Path
from typing import Any

import pytest

from consumer.commands.scan.items import Item
from consumer.commands.scan.options import ScanOptions
from consumer.commands.scan.paths import clashes
from tests.commands.scan.account import account, painted


def told(options: dict[str, Any], *items: Item, stdout: int | None = None) -> list[str]:
    return list(clashes(ScanOptions(**options), items, stdout))


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("json", "html"), ("json", "state"), ("html", "state"), ("json", "manifest"), ("html", "manifest"),
        ("state", "manifest"), ("state", "policy"), ("json", "config"),
    ],
)  # fmt: skip
def test_two_options_cannot_be_one_file(tmp_path: Path, one: str, other: str, is_there: bool) -> None:
    """
    By whatever names: links and dots lead where they lead, whether something is there yet or not.
    """
    (tmp_path / "folder").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "folder")
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "file")
    path = tmp_path / "folder" / "file"
    if is_there:
        path.touch()
        os.link(path, tmp_path / "hard")

    names = [path, tmp_path / "folder" / ".." / "folder" / "file", tmp_path / "linked" / "file", tmp_path / "link"]
    for name in [*names, tmp_path / "hard"] if is_there else names:
        assert told({one: path, other: name}) == [f"--{one} and --{other} are one file, {path}: name two"]
    assert told({one: path, other: tmp_path / "another"}) == []


def test_a_device_may_be_named_twice() -> None:
    """
    Nothing in it is lost.
    """
    assert told({"json": Path("/dev/null"), "html": Path("/dev/null")}) == []


def test_standard_output_is_a_file_as_well(tmp_path: Path) -> None:
    """
    Where the shell has led it into one.
    """
    with (tmp_path / "lines").open("wb") as file:
        assert told({"state": tmp_path / "lines", "json": tmp_path / "others"}, stdout=file.fileno()) == [
            f"--state and standard output are one file, {tmp_path}/lines: name two"
        ]


def test_an_image_that_is_to_be_judged_is_not_written_over(tmp_path: Path) -> None:
    """
    As a name that was forgotten behind an option would have it.
    """
    path = tmp_path / "a b.png"
    image = Item(name="a b.png", source=path.as_uri())

    assert told({"html": path}, image) == [f"--html: {path} is an image that is to be judged, and would be lost"]


async def test_it_is_refused_before_anything_is_asked_or_written(tmp_path: Path) -> None:
    """
    With all else that is wrong.
    """
    async with account(tmp_path) as provider:
        painted(provider.images, sky="blue")
        image, lines = provider.images / "sky.png", tmp_path / "lines"
        before = image.read_bytes()
        ended, _ = await provider.scan(
            provider.images, "gone.png", "--alone", "--json", lines, "--state", lines, "--html", image
        )
        only, _ = await provider.scan(provider.images, "--alone", "--json", lines, "--state", lines)

    assert (ended.status, only.status, provider.called(), lines.exists()) == (2, 2, [], False)
    assert image.read_bytes() == before
    assert "gone.png: there is no such file" in ended.errors
    assert f"--json and --state are one file, {lines}: name two" in " ".join(only.errors.split())
