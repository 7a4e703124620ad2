"""Lists of images: what a line may be."""

import os
import time

import pytest

from consumer.commands.scan.manifest import Listed, listed

MEGABYTE = 1_000_000


def test_a_line_is_a_path_a_url_or_an_object() -> None:
    """
    An object says whose the image is, and what it is called; empty lines and the end of Windows' lines do not matter.
    """
    data = (
        b"a b.jpg\r\n\n"
        b"https://example.com/1.png\n"
        b'{"image": "c.png", "tenant": "shop", "purpose": "avatar", "id": "7"}\n'
        b'{"image": "d.png", "tenant": null}'
    )

    found, problems = listed(data, "list")

    assert problems == []
    assert found == [
        Listed("a b.jpg", "list:1"),
        Listed("https://example.com/1.png", "list:3"),
        Listed("c.png", "list:4", "7", "shop", "avatar"),
        Listed("d.png", "list:5"),
    ]


def test_a_name_that_is_no_utf_8_names_its_file() -> None:
    """
    As the system has it.
    """
    [found], _ = listed(b"\xff\xfe.png", "list")

    assert os.fsencode(found.image) == b"\xff\xfe.png"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", "begins with a brace and is no JSON object"),
        (b'{"image": ""}', "image must be a path or a URL"),
        (b'{"image": 7}', "image must be a path or a URL"),
        (b'{"tenant": "a"}', "image must be a path or a URL"),
        (b'{"image": "a", "id": 7, "tenant": []}', "id, tenant must be a text"),
        (b'{"image": "a", "size": 7}', "size is no member; there are image, id, tenant, purpose"),
        (b'{"image": "a\\u0000"}', "image must be a path or a URL"),
        (b"a\0b", "is neither a path nor a URL: it holds a null byte"),
    ],
)
def test_a_wrong_line_is_named_and_the_others_are_read(line: bytes, problem: str) -> None:
    """
    By its file and number, so that all of them can be corrected at once.
    """
    found, problems = listed(b"first\n" + line + b"\nlast", "list")

    assert problems == [f"list:2: {problem}"]
    assert [each.image for each in found] == ["first", "last"]


@pytest.mark.parametrize(
    "line",
    [
        b"{" * MEGABYTE,
        b'{"image":' + b"[" * MEGABYTE,
        b'{"image":' + b"9" * MEGABYTE + b"}",
        b'{"' + b"a" * MEGABYTE + b'":1}',
        b'{"image":1e999}',
        b'{"image":"\\ud800"}',
        b"\xff{" * MEGABYTE + b"\0",
        b'{"\\u001b[31m":1}',
    ],
    ids=range(8),
)
def test_a_hostile_line_is_a_wrong_line(line: bytes) -> None:
    """
    Lists are made by programs, of what strangers wrote: none takes long, and none writes on the terminal.
    """
    began = time.monotonic()
    found, problems = listed(line, "list")

    assert time.monotonic() - began < 1.0
    assert found == []
    assert len(problems) == 1
    assert problems[0].isprintable()
    assert len(problems[0]) < 300
