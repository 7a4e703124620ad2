"""
A list of images, one a line: a path or a URL, or a JSON object that says more of one. Pure.

    photos/1.jpg
    {"image": "https://example.com/2.png", "tenant": "shop-eu", "purpose": "avatar", "id": "upload-2"}
"""

from os import fsdecode
from typing import NamedTuple

import orjson

from consumer.commands.lists import written_lines
from consumer.commands.scan.items import printable

_TEXTS = ("id", "tenant", "purpose")
_MEMBERS = ("image", *_TEXTS)


class Listed(NamedTuple):
    """What a line names; `where` is its file and number."""

    image: str
    where: str
    id: str | None = None
    tenant: str = ""
    purpose: str = ""


def listed(data: bytes, file: str) -> tuple[list[Listed], list[str]]:
    """
    Read a list: what it names, and a problem for each wrong line, with `file` and its number from 1.

    Empty lines are passed over. A path that begins with a brace must be written as JSON. Nothing escapes.
    """
    found: list[Listed] = []
    problems: list[str] = []
    for number, text in written_lines(data.split(b"\n")):
        where = f"{file}:{number}"
        try:
            found.append(_line(text, where))
        except ValueError as error:
            problems.append(f"{where}: {error}")
    return found, problems


def _line(text: bytes, where: str) -> Listed:
    if text.lstrip().startswith(b"{"):
        return _object(text, where)
    if b"\0" in text:
        raise ValueError("is neither a path nor a URL: it holds a null byte")
    return Listed(fsdecode(text), where)


def _object(text: bytes, where: str) -> Listed:
    try:
        members = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ValueError("begins with a brace and is no JSON object") from None
    if wrong := sorted(members.keys() - set(_MEMBERS)):
        raise ValueError(f"{printable(', '.join(wrong)[:100])} is no member; there are {', '.join(_MEMBERS)}")
    image = members.get("image")
    if not isinstance(image, str) or not image or "\0" in image:
        raise ValueError("image must be a path or a URL")
    given = {name: members[name] for name in _TEXTS if members.get(name) is not None}
    if wrong := [name for name, value in given.items() if not isinstance(value, str)]:
        raise ValueError(f"{', '.join(wrong)} must be a text")
    return Listed(image, where, **given)
