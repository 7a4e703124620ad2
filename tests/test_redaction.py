from functools import partial
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.redaction import LONGEST, MOST_URLS, cut, presentable, redacted
from tests.rig.speed import is_quick, repeated

MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://img.example.com/a.jpg?sig=canary&x=1", "https://img.example.com/a.jpg?…"),
        ("https://img.example.com/a.jpg#canary", "https://img.example.com/a.jpg#…"),
        ("https://user:canary@img.example.com/a.jpg", "https://…@img.example.com/a.jpg"),
        ("https://canary@img.example.com:8443/@a/b@2x.png", "https://…@img.example.com:8443/@a/b@2x.png"),
        ("https://cdn.example.com/b@2x.png", "https://cdn.example.com/b@2x.png"),
        ("https://[::1]:8443/b@2x.png", "https://[::1]:8443/b@2x.png"),
        ("http://user:canary／x@img.example/a.jpg", "http://…@img.example/a.jpg"),
        ("http://canary＠img.example/a.jpg", "http://…@img.example/a.jpg"),
        ("http://user:can/ary@img.example/a.jpg", "http://…@img.example/a.jpg"),
        ("http://user\\:canary@img.example/a.jpg", "http://…@img.example/a.jpg"),
        ("s3://b/k？canary", "s3://b/k？…"),
        ("http://a,https://u:canary@b/c and more", "http://a,https://…@b/c and more"),
        ("Cannot connect to 'https://a/b?canary' because", "Cannot connect to 'https://a/b?…' because"),
        ("https://img.example.com/a.jpg;sig=canary", "https://img.example.com/a.jpg;…"),
        ("https://img.example.com/a;v=1/b.jpg;sig=canary?x=canary", "https://img.example.com/a;…"),
        ("https://img.example.com/a.jpg；sig=canary", "https://img.example.com/a.jpg；…"),
        ("'https://img.example.com/a.jpg;sig=canary' because", "'https://img.example.com/a.jpg;…' because"),
        ("it was https://img.example.com/a.jpg; so", "it was https://img.example.com/a.jpg; so"),
        ("https://user:can;ary@img.example/a.jpg", "https://…@img.example/a.jpg"),
        ("http://user:can#ary@img.example/a.jpg", "http://…#…"),
        ("http://user:can?ary@img.example/a.jpg", "http://…?…"),
        ("http://user:can/a?ry@img.example/a.jpg", "http://…?…"),
        ("http://user:x://y/canary@img.example/a.jpg", "http://…@img.example/a.jpg"),
        ("http://img.example/a.jpg?to=ada@img.example", "http://img.example/a.jpg?…"),
        ("is it? so: a@b.example", "is it? so: a@b.example"),
    ],
)
def test_a_url_is_shown_without_what_may_be_a_credential(text: str, shown: str) -> None:
    """
    User parts, queries, parameters and fragments go, in their odd spellings too; the rest of the text stays.
    """
    assert redacted(text) == shown


@given(st.text("ab.é"), st.text("/?#;:", max_size=6))
@example("", "#")
@example("", "/;")
@example("", "///")
@example("a", "://;/")
def test_no_password_is_shown_whatever_it_is_made_of(name: str, inner: str) -> None:
    """
    Nor where nobody escaped the slash, the `?`, the `#` or the `;` in it.
    """
    assert "can" not in redacted(f"https://{name}:{inner}canary@host/path")


@given(st.text(), st.text("/?#@:.[]\\'\" ab＠", max_size=12), st.text())
@example("", ":", "")
def test_no_user_part_is_shown_whatever_surrounds_it(before: str, path: str, after: str) -> None:
    """
    What stands between a scheme and the `@` of its authority is never shown.
    """
    assert "canary" not in redacted(f"{before} https://user:canary@host/{path}{after}")


REPEATED = [
    "://",
    "a://b@",
    "?",
    "w",
    "a://",
    "a:// ",
    "://:",
    "://x:y/",
    "http://a@",
    "@",
    "://?#",
    "\\",
    ";",
    "://;",
    "://a;b=c ",
    "://u:p@h;s=/",
    "://u:p?@ ",
    "＠",
    "\ud800",
]


@pytest.mark.parametrize("piece", REPEATED)
def test_a_hostile_megabyte_is_redacted_in_20_milliseconds(piece: str) -> None:
    """
    Whatever it repeats, uncut.
    """
    assert is_quick(redacted, partial(repeated, piece), 0.02)


def test_a_text_of_nothing_but_urls_ends_with_the_thousandth() -> None:
    """
    The work of each is bounded by leaving out the others; none of them is shown unredacted.
    """
    shown = redacted("https://u:canary@h/a " * (MOST_URLS + 5))

    assert shown == "https://…@h/a " * (MOST_URLS - 1) + "https://…"
    assert redacted("https://u:canary@h/a " * MOST_URLS) == "https://…@h/a " * MOST_URLS


@pytest.mark.parametrize("piece", REPEATED)
def test_a_long_text_costs_as_little_as_a_short_one(piece: str) -> None:
    """
    It is cut before it is looked at.
    """
    assert is_quick(presentable, partial(repeated, piece), 0.02)


def test_a_text_is_cut_without_showing_half_a_url() -> None:
    """
    Of a URL that the cut goes through, the user part may not be recognisable any more.
    """
    text = "x" * (LONGEST - 25) + " https://user:canary-canary-canary@host/"

    assert presentable(text) == "x" * (LONGEST - 25) + f" https://… ({len(text):,} in all)"
    assert cut("short", 5) == "short"


class Hostile:
    """Fails at whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError("canary")

    __str__ = __repr__
    __hash__ = None  # type: ignore[assignment]


def circle() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else "bottom"


@pytest.mark.parametrize(
    "value",
    [
        Hostile(), circle(), {"a": Hostile()}, b"\xff" * MEGABYTE, "\ud800", 10**5000, -(2**64), float("nan"), {1: 2},
        {"\ud800": "\udfff"}, nested(500), ["x"] * MEGABYTE, {n: n for n in range(1000)}, {(1, 2): {3, 4}}, object,
        memoryview(b"abc"), ValueError("\ud800" * 3000),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_any_value_becomes_one_that_json_can_hold(value: Any) -> None:
    """
    Whatever its methods raise, however deep, wide or large it is: a small JSON text.
    """
    assert len(orjson.dumps(presentable(value))) < 250_000


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(), st.lists))
def test_generated_values_become_json(value: Any) -> None:
    """
    None of them raises.
    """
    orjson.dumps(presentable(value))
