"""Files with many pictures, those that are too large, and foreign formats: looked at as the service looks at them."""

from pathlib import Path
from typing import Any

from PIL import Image

from tests.commands.scan.account import account
from tests.images.preparing.files import animated, written

CONFIG: dict[str, Any] = {"images": {"frames": 8, "convert": True, "oversize": "scale", "max_fetch_bytes": 40_000_000}}


def files(folder: Path) -> None:
    """Files that show red, which is blocked, where the provider does not look, or would not."""
    (folder / "third.gif").write_bytes(animated("GIF", ("blue", "lime", "red"), (240, 240)))
    (folder / "foreign.avif").write_bytes(written(Image.new("RGB", (240, 240), "red"), "AVIF"))
    (folder / "long.png").write_bytes(written(Image.new("RGB", (17_000, 240), "red"), "PNG"))
    (folder / "large.bmp").write_bytes(written(Image.new("RGB", (2_700, 2_700), "red"), "BMP"))
    (folder / "damaged.gif").write_bytes(animated("GIF", ("blue", "lime", "red"), (240, 240))[:-40])


def told(lines: list[dict[str, Any]], member: str) -> dict[str, Any]:
    return {Path(line["image"]).name: line[member] for line in lines}


async def test_what_matters_in_a_file_decides(tmp_path: Path) -> None:
    """
    Each frame is a call that is billed; the verdict is the strictest, and says which frame it is about, how many there
    are, and whether all of its pixels were seen.
    """
    async with account(tmp_path, CONFIG) as mine:
        files(mine.images)
        ended, lines = await mine.scan(mine.images, "--alone", "--fail-on", "block")
        billed = mine.billed

    assert ended.status == 1
    assert told(lines, "decision") == {
        "third.gif": "block", "foreign.avif": "block", "long.png": "block", "large.bmp": "block",
        "damaged.gif": "review",
    }  # fmt: skip
    assert told(lines, "coverage") == {
        "third.gif": {"frames": [3, 3], "scaled": False},
        "foreign.avif": {"frames": [1, 1], "scaled": False},
        "long.png": {"frames": [1, 1], "scaled": True},
        "large.bmp": {"frames": [1, 1], "scaled": False},
        "damaged.gif": None,
    }
    assert [reason["frame"] for reason in told(lines, "reasons")["third.gif"]] == [2]
    assert told(lines, "error")["damaged.gif"] == {
        "class": "image", "code": "undecodable", "service": "baselineCheck_global"
    }  # fmt: skip
    assert billed == sum(told(lines, "provider")[name]["billed_calls"] for name in told(lines, "provider")) == 6


async def test_by_default_nothing_is_decoded(tmp_path: Path) -> None:
    """
    The provider has the file, and looks at its first frame; what it would refuse goes to review.
    """
    async with account(tmp_path) as mine:
        files(mine.images)
        _, lines = await mine.scan(mine.images, "--alone")
        billed = mine.billed

    assert told(lines, "decision") == {
        "third.gif": "pass", "foreign.avif": "review", "long.png": "review", "large.bmp": "review",
        "damaged.gif": "pass",
    }  # fmt: skip
    assert told(lines, "coverage")["third.gif"] == {"frames": [1, 3], "scaled": False}
    assert told(lines, "coverage")["damaged.gif"] == {"frames": [1, None], "scaled": False}
    assert {name: error["code"] for name, error in told(lines, "error").items() if error} == {
        "foreign.avif": "format", "long.png": "side_too_long", "large.bmp": "too_large",
    }  # fmt: skip
    assert billed == 2


async def test_an_image_from_standard_input_is_as_large_as_a_file_may_be(tmp_path: Path) -> None:
    """
    Where images are made smaller it is read whole, up to `images.max_fetch_bytes`; what is larger goes to review.
    """
    large = written(Image.new("RGB", (2_700, 2_700), "red"), "BMP")
    async with account(tmp_path, CONFIG) as mine:
        _, [judged] = await mine.scan("-", "--alone", given=large)
        _, [refused] = await mine.scan(
            "-", "--alone", "--set", f"images.max_fetch_bytes={len(large) - 1}", given=large
        )  # fmt: skip

    assert (judged["decision"], judged["bytes"], judged["error"]) == ("block", len(large), None)
    assert (refused["decision"], refused["error"]["code"]) == ("review", "too_large")
