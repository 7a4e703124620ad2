"""A folder of everything: real images of every format that is taken, and what is none."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.commands.scan.account import account
from tests.commands.scan.every_format import CONVERTED, FORMATS, NO_IMAGES, in_every_format, no_images
from tests.commands.scan.killing import billed_again, killed
from tests.rig.children import running
from tests.rig.emulated import KEY

COUNT = 200


@pytest.mark.scenario
async def test_a_folder_of_every_format_is_judged_though_its_scan_is_killed(tmp_path: Path) -> None:
    """
    200 images; what is paid for twice is what was in flight and nothing else, and the page of the second scan has them
    all. What is no image costs nothing and goes to people.
    """
    path, page = tmp_path / "state", tmp_path / "page.html"
    async with account(tmp_path, {"images": {"convert": True}}, latency=0.3) as provider:
        formats = dict(in_every_format(provider.images, COUNT))
        no_images(provider.images)
        (provider.images / "notes").write_text("no image, and not called one\n")
        command = provider.arguments(provider.images, "--qps", 50, "--state", path)
        async with running(
            [sys.executable, "-m", "consumer", *command], environment=KEY, output=asyncio.subprocess.DEVNULL
        ) as process:
            await provider.until_billed(60)
            at_its_end = await killed(provider, process, path)
        ended, lines = await provider.scan(provider.images, "--alone", "--state", path, "--html", page)
        stats = provider.emulator.stats()

    decided: dict[str, set[str]] = {}
    for line in lines:
        name = Path(line["image"]).name
        told = line["error"]["code"] if line["error"] else line["decision"]
        decided.setdefault(formats.get(name, name), set()).add(told)
    assert (ended.status, len(lines)) == (0, COUNT + len(NO_IMAGES)), ended.errors
    assert decided == {each: {"pass"} for each in FORMATS} | {each: {"format"} for each in NO_IMAGES}
    assert {line["decision"] for line in lines if line["error"]} == {"review"}
    assert set(CONVERTED) < decided.keys()
    assert 0 < len(at_its_end.remembered) <= len(at_its_end.called) < COUNT
    assert at_its_end.lost <= at_its_end.in_flight  # all that had ended before is remembered
    assert billed_again(provider) == at_its_end.lost
    assert stats["billed"] == COUNT + len(at_its_end.lost)
    assert "Passed over: files that are no images (1)" in ended.errors
    assert page.read_text("utf-8").count("<article") == len(lines)
