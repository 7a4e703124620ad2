"""The page with the images: one file that loads nothing, and shows what strangers wrote as text."""

import re
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from consumer.commands.scan.items import Item
from consumer.commands.scan.lines import Result
from consumer.commands.scan.page import page
from consumer.commands.scan.tally import Tally
from consumer.commands.scan.thumbnails import SIDE, data_uri
from tests.commands.scan.account import account, painted
from tests.emulator.imagehost import serving
from tests.rig.pictures import picture

HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a\nb", "' onclick='alert(1)", "</main>", "\x1b[31m",
    "\u202egnp.exe", "&lt;b&gt;", "<!-- cards -->", "{labels}",
)  # fmt: skip


def result(name: str, label: str = "violent_explosion", **more: Any) -> Result:
    finding = {"service": "s", "label": label, "confidence": 97.4, "level": "high"}
    line = {
        "image": name, "decision": "block", "risk_level": "high", "findings": [finding],
        "reasons": [{"rule": "default:high", **finding}], "error": None, "sha256": None,
        "provider": {"billed_calls": 1, "request_id": "r"}, **more,
    }  # fmt: skip
    return Result(Item(name=name, source="https://example.com/"), line)


def made(results: Iterable[Result], *, show: bool = False, uri: str = "data:image/png;base64,AA==") -> str:
    tally = Tally(100, 100)
    for each in results:
        tally.told(each)
    return "".join(page(tally, tally.strictest, "told", lambda _: uri, show=show))


class Elements(HTMLParser):
    """The elements of a page, with their attributes, and its texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_strangers_write_is_text(text: str) -> None:
    """
    Whether it is a name, a label, a rule, an error or a tenant: the page has the same elements as for a harmless one.
    """

    def skeleton(word: str) -> list[tuple[str, list[str]]]:
        rule = [{"rule": word, "service": "s", "label": word, "confidence": None, "level": "high"}]
        error = {"class": word, "code": word}
        one = result(word, word, tenant=word, id=word, purpose=word, risk_level=word, reasons=rule, error=error)
        return [(tag, sorted(attributes)) for tag, attributes in Elements(made([one])).found]

    assert skeleton(text) == skeleton("harmless")


def test_nothing_is_loaded_or_sent() -> None:
    """
    The page's own policy forbids it, and nothing in it would: no address but pictures that are in the page.
    """
    text = made([result("https://example.com/a.png")])
    elements = Elements(text)

    [policy] = [each["content"] for each in elements.named("meta") if "http-equiv" in each]
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'")
    addresses = [
        value for _, each in elements.found for name, value in each.items() if name in ("src", "href", "action")
    ]
    assert all(address and address.startswith("data:") for address in addresses)
    assert not re.search(r"@import|url\(|fetch\(|XMLHttp|<link|<iframe", text)


def test_images_are_blurred_unless_they_are_to_be_shown() -> None:
    """
    Whoever opens a page is not to meet what is in it unasked.
    """
    assert Elements(made([result("a.png")])).named("body") == [{"class": "blurred"}]
    assert Elements(made([result("a.png")], show=True)).named("body") == [{"class": ""}]


def test_the_strictest_comes_first_and_the_rest_is_counted() -> None:
    """
    By decision, then by level and confidence.
    """
    tally = Tally(10, 3)
    for name, decision, level in (
        ("d", "pass", "none"),
        ("c", "review", "low"),
        ("a", "block", "high"),
        ("b", "block", "low"),
    ):
        finding = {"service": "s", "label": "l", "confidence": 50.0, "level": level}
        tally.told(result(name, decision=decision, findings=[finding]))

    assert [each.line["image"] for each in tally.strictest] == ["a", "b", "c"]
    assert "1 more images are not shown here" in "".join(page(tally, tally.strictest, "", lambda _: "", show=False))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "ICO"])
def test_a_picture_is_a_small_jpeg(kind: str) -> None:
    """
    Whatever its format, and however large it is.
    """
    uri = data_uri(picture("red", kind, (SIDE, SIDE) if kind == "ICO" else (3_000, 2_000)))

    assert uri.startswith("data:image/jpeg;base64,/9j/")
    assert len(uri) < 6_000


def test_what_cannot_be_drawn_is_shown_as_it_is_where_browsers_can() -> None:
    """
    If it is small; else there is no picture.
    """
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"/>'

    assert data_uri(svg).startswith("data:image/svg+xml;base64,")
    assert data_uri(svg + bytes(200_000)) == ""
    assert data_uri(b"no image") == ""


async def test_a_page_has_pictures_of_what_was_fetched_and_of_files(tmp_path: Path) -> None:
    """
    Also of files that an earlier scan has paid for, and none of what the provider downloaded.
    """
    async with serving({"/a.png": picture("red")}) as host, account(tmp_path) as provider:
        painted(provider.images, fire="red", sky="blue")
        path, state = tmp_path / "page.html", tmp_path / "state"
        counts = []
        for more in ((), (), ("--upload", "--set", "images.allow.networks=[127.0.0.1]", "--policy", tmp_path / "p")):
            (tmp_path / "p").write_text("policy: another\nversion: 1\n")
            arguments = (provider.images, f"{host.url}/a.png", "--alone", "--state", state, "--html", path)
            ended, _ = await provider.scan(*arguments, *more)
            assert ended.status == 0, ended.errors
            elements = Elements(path.read_text("utf-8"))
            counts.append((len(elements.named("article")), len(elements.named("img"))))

    assert counts == [(3, 2), (3, 2), (3, 3)]
    assert elements.named("article")[0]["data-decision"] == "block"
