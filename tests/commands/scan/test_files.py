"""Files of this machine as images that are fetched."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.commands.scan.files import FilesToo, path_of
from consumer.commands.scan.items import Stamp
from consumer.images.errors import NotFetched
from consumer.images.held import BytesHeld, Room
from consumer.locations import StoredObject

MOST = 1_000
NOBODY = 65_534  # by convention a user without rights


class Others:
    """Fetches whatever is no file."""

    async def fetch(self, source: str | StoredObject, room: Room) -> bytes:
        return f"fetched {source}".encode()


def files(*stamped: Path, given: bytes | None = None) -> FilesToo:
    stamps = {path.as_uri(): Stamp(path.stat().st_size, path.stat().st_mtime_ns) for path in stamped}
    return FilesToo(Others(), stamps, given, MOST)


async def fetched(fetcher: FilesToo, source: str) -> tuple[bytes, int]:
    """What was fetched, and the bytes of room that it took."""
    held = BytesHeld(MOST)
    with held.room() as room:
        return await fetcher.fetch(source, room), held.taken


async def refusal(fetcher: FilesToo, source: str) -> NotFetched:
    with pytest.raises(NotFetched) as refused:
        await fetched(fetcher, source)
    return refused.value


@pytest.mark.parametrize("name", ["a.png", "a b#?%20.png", "é.png", "\udcff\udcfe.png", "a\nb", "-"])
async def test_a_file_is_read_whatever_its_name(tmp_path: Path, name: str) -> None:
    """
    Once there is room for its bytes.
    """
    path = tmp_path / name
    path.write_bytes(b"image")

    assert await fetched(files(path), path.as_uri()) == (b"image", 5)
    assert path_of(path.as_uri()) == os.fsencode(path)


async def test_what_is_no_file_is_somebody_elses() -> None:
    """
    A URL is fetched by the guard; what standard input held is here.
    """
    assert await fetched(files(), "https://example.com/") == (b"fetched https://example.com/", 0)
    assert await fetched(files(given=b"image"), "stdin:0") == (b"image", 5)


async def test_why_a_file_was_not_read_is_a_word(tmp_path: Path) -> None:
    """
    Of those that other images are not fetched with, as far as there is one.
    """
    sizes = {"empty": 0, "large": MOST + 1, "file": 1}
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(bytes(size))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    names = ("gone", "empty", "large", "pipe", "loop", ".", "file/below")

    codes = {name: (await refusal(files(), f"{tmp_path.as_uri()}/{name}")).code for name in names}

    assert codes == {
        "gone": "not_found", "empty": "empty", "large": "too_large", "pipe": "no_file", "loop": "not_found",
        ".": "is_a_folder", "file/below": "not_found",
    }  # fmt: skip


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Let this process read as a user without rights: root may read everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


async def test_a_file_that_may_not_be_read_is_denied(tmp_path: Path) -> None:
    """
    As the system says.
    """
    path = tmp_path / "a.png"
    path.write_bytes(b"image")
    path.chmod(0)

    with as_nobody():
        assert (await refusal(files(), path.as_uri())).code == "denied"


async def test_a_file_that_was_written_since_is_not_judged_as_the_one_that_was_named(tmp_path: Path) -> None:
    """
    What a state remembers is of the file that was there when the scan began.
    """
    path = tmp_path / "a.png"
    path.write_bytes(b"image")
    fetcher = files(path)
    path.write_bytes(b"other")
    os.utime(path, ns=(0, 0))

    refused = await refusal(fetcher, path.as_uri())

    assert (refused.code, refused.again) == ("changed", False)
