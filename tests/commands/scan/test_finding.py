"""From names to images: files, folders, globs, links, lists, standard input."""

import os
import time
from io import BytesIO
from pathlib import Path

import pytest

from consumer.commands.scan.finding import (
    LINKED_FOLDERS,
    NAMED_TWICE,
    NO_FILES,
    NO_IMAGES,
    UNREADABLE,
    Found,
    find,
)
from consumer.errors import Misconfigured
from tests.rig.pictures import picture

IMAGE = picture("red", "PNG", (8, 8))


def found(*named: object, manifest: Path | None = None, given: bytes = b"") -> Found:
    return find([str(each) for each in named], manifest, BytesIO(given))


def names(found: Found) -> list[str]:
    return [item.name for item in found.items]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images, files that are none, and folders of both."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "1.png").write_bytes(IMAGE)
    (tmp_path / "a" / "no-suffix").write_bytes(IMAGE)
    (tmp_path / "a" / "b" / "broken.JPG").write_bytes(b"no image")
    (tmp_path / "a" / "b" / "notes.txt").write_bytes(b"no image")
    return tmp_path


def test_of_a_folder_all_images_are_taken(folder: Path) -> None:
    """
    Whose first bytes are an image's, or whose name ends like one; the others are counted.
    """
    told = found(folder)

    assert names(told) == [f"{folder}/1.png", f"{folder}/a/no-suffix", f"{folder}/a/b/broken.JPG"]
    assert told.passed_over == {NO_IMAGES: 1}


def test_a_file_that_is_named_is_taken_whatever_it_is(folder: Path) -> None:
    """
    Who names it wants to hear that it is no image.
    """
    assert names(found(folder / "a/b/notes.txt")) == [f"{folder}/a/b/notes.txt"]


def test_a_glob_finds_files_in_all_folders(folder: Path) -> None:
    """
    Two stars stand for any number of folders; a name that is there is no glob, whatever its characters.
    """
    (folder / "[1].png").write_bytes(IMAGE)

    assert names(found(folder / "**/*")) == [
        f"{folder}/1.png", f"{folder}/[1].png", f"{folder}/a/b/broken.JPG", f"{folder}/a/no-suffix",
    ]  # fmt: skip
    assert names(found(folder / "[1].png")) == [f"{folder}/[1].png"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**/*.png", {"1.png", "a/2.png", "a/b/3.png"}),
        ("**", {"1.png", "a/2.png", "a/b/3.png"}),
        ("**/**/3.png", {"a/b/3.png"}),
        ("**/b/**/*.png", {"a/b/3.png"}),
        ("a/**/*.png", {"a/2.png", "a/b/3.png"}),
        ("*/*.png", {"a/2.png"}),
        ("a/loop/a/*.png", {"a/loop/a/2.png"}),
        ("a/*/a/*.png", {"a/loop/a/2.png"}),
        ("{folder}/**/3.png", {"{folder}/a/b/3.png"}),
    ],
)
def test_two_stars_do_not_go_through_links_to_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, expected: set[str]
) -> None:
    """
    They would go in circles. A name goes through them, and a single star does, once.
    """
    (tmp_path / "a" / "b").mkdir(parents=True)
    for number, name in enumerate(("1.png", "a/2.png", "a/b/3.png")):
        (tmp_path / name).write_bytes(IMAGE + bytes(number))
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)

    told = found(pattern.format(folder=tmp_path))

    assert set(names(told)) == {each.format(folder=tmp_path) for each in expected}
    assert NAMED_TWICE not in told.passed_over


def test_links_that_two_stars_pass_over_are_counted(folder: Path) -> None:
    """
    As those of a folder that is named.
    """
    (folder / "a" / "loop").symlink_to(folder)

    assert found(folder / "**" / "*.png").passed_over == {LINKED_FOLDERS: 1}


def test_an_image_that_is_named_twice_is_taken_once(folder: Path) -> None:
    """
    By whatever names, links among them, and URLs too.
    """
    (folder / "link.png").symlink_to(folder / "1.png")
    url = "https://example.com/1.png"

    told = found(folder / "1.png", folder / "a" / ".." / "1.png", folder / "link.png", url, url)

    assert names(told) == [f"{folder}/1.png", url]
    assert told.passed_over == {NAMED_TWICE: 3}


def test_links_are_followed_to_files_and_not_to_folders(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """
    A link back to its own folder ends nothing, and one that leads nowhere is counted.
    """
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "2.png").write_bytes(IMAGE)
    (folder / "file.png").symlink_to(elsewhere / "2.png")
    (folder / "a" / "loop").symlink_to(folder)
    (folder / "nowhere.png").symlink_to(folder / "gone")

    told = found(folder)

    assert f"{folder}/file.png" in names(told)
    assert len(told.items) == 4
    assert told.passed_over == {LINKED_FOLDERS: 1, UNREADABLE: 1, NO_IMAGES: 1}


def test_a_pipe_in_a_folder_holds_nothing_up(folder: Path) -> None:
    """
    It is passed over, though its name ends like an image's.
    """
    os.mkfifo(folder / "pipe.png")

    assert found(folder).passed_over[NO_FILES] == 1


def test_standard_input_is_an_image_or_a_list(folder: Path) -> None:
    """
    By its first bytes; it is read once.
    """
    image = found("-", "-", given=IMAGE)
    listed = found("-", given=f"{folder}/1.png\nhttps://example.com/2.png\n".encode())

    assert (names(image), image.stdin) == (["-"], IMAGE)
    assert names(listed) == [f"{folder}/1.png", "https://example.com/2.png"]


def test_a_manifest_says_more_of_an_image(folder: Path) -> None:
    """
    What it names need not be there: then that is what is told of it.
    """
    manifest = folder / "list"
    manifest.write_text(f'{{"image": "{folder}/gone.png", "tenant": "shop", "purpose": "avatar", "id": "7"}}\n')

    [item] = found(manifest=manifest).items

    assert (item.tenant, item.purpose, item.id, item.stamp) == ("shop", "avatar", "7", None)


def test_an_image_is_taken_once_for_each_tenant_and_purpose(folder: Path) -> None:
    """
    The policy may decide otherwise for each; the same two with another id are the same. Files and URLs alike.
    """
    manifest = folder / "list"
    images = (f"{folder}/1.png", "https://example.com/1.png")
    whose = (("shop", "avatar"), ("shop", "avatar"), ("shop", "banner"), ("forum", "avatar"), ("", ""))
    manifest.write_text(
        "".join(
            f'{{"image": "{image}", "tenant": "{tenant}", "purpose": "{purpose}", "id": "{number}"}}\n'
            for image in images
            for number, (tenant, purpose) in enumerate(whose)
        )
    )

    told = found(folder / "1.png", manifest=manifest)

    apart = [("shop", "avatar"), ("shop", "banner"), ("forum", "avatar")]
    assert [(item.tenant, item.purpose) for item in told.items] == [("", ""), *apart, *apart, ("", "")]
    assert told.passed_over == {NAMED_TWICE: 3}


def test_all_that_is_wrong_is_said_at_once(folder: Path) -> None:
    """
    Names that lead to nothing, and lines with their file and number.
    """
    manifest = folder / "list"
    manifest.write_text('1.png\n{"image": 1}\nhttps://user name@example.com/\nftp://example.com/1.png\n')

    with pytest.raises(Misconfigured) as wrong:
        found(folder / "gone.png", folder / "*.gone", "s3://bucket/key", manifest=manifest)

    assert wrong.value.problems == (
        f"{folder}/gone.png: there is no such file or folder",
        f"{folder}/*.gone: there is no such file or folder",
        "s3://… is fetched by nobody: write a URL of http or https, or a path",
        f"{manifest}:2: image must be a path or a URL",
        f"{manifest}:3: holds a space or a control character",
        f"{manifest}:4: ftp is fetched by nobody; write http or https",
    )


def test_nothing_to_judge_is_wrong(folder: Path) -> None:
    """
    It says what was passed over.
    """
    with pytest.raises(Misconfigured) as wrong:
        found(folder / "a" / "b" / "*.txt")

    assert wrong.value.problems == ("there is no image to judge: passed over files that are no images (1)",)


def test_another_file_under_the_same_name_is_something_else(folder: Path) -> None:
    """
    By its size, and by when it was written.
    """
    [before] = found(folder / "1.png").items
    [same] = found(folder / "1.png").items
    os.utime(folder / "1.png", ns=(0, 0))
    [after] = found(folder / "1.png").items

    assert before.asked == same.asked != after.asked


def test_a_glob_takes_no_longer_for_a_name_that_a_stranger_chose(folder: Path) -> None:
    """
    Many stars and a long name that nearly matches: each file is looked at once.
    """
    (folder / ("a" * 250)).write_bytes(IMAGE)
    began = time.monotonic()

    with pytest.raises(Misconfigured):
        found(folder / ("*a" * 60 + "b"))

    assert time.monotonic() - began < 1.0
