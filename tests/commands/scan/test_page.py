"""The page with the images: one file that loads nothing, and shows what strangers wrote as text."""

import asyncio
import contextlib
import re
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import zlib
from collections.abc import Iterable
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from consumer.commands.scan.finding import Found, find
from consumer.commands.scan.items import Item
from consumer.commands.scan.lines import Result
from consumer.commands.scan.page import page
from consumer.commands.scan.pictures import THREADS, Pictures
from consumer.commands.scan.tally import Tally
from consumer.commands.scan.thumbnails import SIDE, Thumbnails, data_uri
from consumer.vendor_facts.images import MOST_BYTES
from tests.commands.scan.account import account, painted
from tests.emulator.imagehost import serving
from tests.rig.pictures import picture
from tests.rig.replica import ROOT

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


def others() -> dict[str, bytes]:
    """An image of each format that Pillow writes with what is here, and the provider does not take."""
    Image.init()
    found = {}
    for kind in sorted(set(Image.SAVE) - {"PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "ICO", "MPO"}):
        file = BytesIO()
        with contextlib.suppress(OSError, ValueError, KeyError, AttributeError, TypeError, DeprecationWarning):
            Image.new("RGB", (64, 64)).save(file, kind)
            found[kind] = file.getvalue()
    return found


def test_what_is_not_judged_is_not_drawn() -> None:
    """
    Pillow would read many a format more, and have an EPS run by Ghostscript: it is not given them.
    """
    found = others()

    assert len(found) >= 8
    assert "EPS" in found
    assert [kind for kind, data in found.items() if data_uri(data)] == []


def png(width: int, height: int) -> bytes:
    """A PNG that says so of its size, and has not the pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + bytes(100)


def test_what_would_fill_the_memory_is_not_drawn() -> None:
    """
    Neither here nor by the browser, whatever it is packed into.
    """
    large = png(40_000, 40_000)
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(large), 22) + large
    jpeg = bytearray(picture("red", "JPEG", (64, 64)))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", 40_000, 40_000)

    tracemalloc.start()
    assert [data_uri(each) for each in (large, icon, bytes(jpeg))] == ["", "", ""]
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_there_are_so_many_pictures_and_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    By their number and their bytes: the strictest have them.
    """
    results = [result(f"{number:02}.png") for number in range(10)]
    for name, most in (("MOST_PICTURES", 4), ("MOST_PICTURE_BYTES", 100)):
        with monkeypatch.context() as bounds:
            bounds.setattr(f"consumer.commands.scan.page.{name}", most)
            text = made(results, uri="data:image/png;base64,AAAA")
        assert len(Elements(text).named("img")) == 4
        assert text.count("left out</div>") == 6
        assert "6 of these images, the last ones" in text
    assert "left out" not in made(results)


def test_no_room_for_pictures_is_no_error_of_an_image(tmp_path: Path) -> None:
    """
    What is in the folder for temporary files may fill its disk: then pictures are missing, and it is said why.
    """
    limited = """
import asyncio, resource, signal
from consumer.commands.scan.finding import Found, find
from consumer.commands.scan.pictures import Pictures
from tests.rig.pictures import picture
from tests.rig.replica import ROOT

async def main():
    with Pictures(Found(), wanted=True) as pictures:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        await pictures.seen("https://example.com/a.png", picture("red"))
        print(pictures.problem)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", limited], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "temporary files: File too large\n"), done.stderr


async def test_so_many_pictures_are_made_at_once() -> None:
    """
    Of files no more: they are read again for the page. Of what was fetched each one waits for its turn.
    """
    image = picture("red", "PNG", (2_000, 2_000))
    with Pictures(Found(), wanted=True) as pictures:
        before = threading.active_count()
        made = [asyncio.create_task(pictures.seen(f"https://example.com/{number}", image)) for number in range(8)]
        await asyncio.sleep(0)
        began = time.monotonic()
        await pictures.seen("file:///a.png", image)
        assert time.monotonic() - began < 0.01
        assert threading.active_count() - before <= THREADS
        await asyncio.gather(*made)
        sources = [Item(name="", source=f"https://example.com/{number}") for number in range(8)]
        assert all(pictures.of(Result(each, {})) for each in sources)
    assert THREADS <= 2


def test_so_many_bytes_of_pictures_are_kept() -> None:
    """
    A scan of a million URLs fills no disk.
    """
    thumbnails = Thumbnails(most_kept=2_500)
    for number in range(10):
        thumbnails.add(str(number), picture("red"))

    kept = [uri for number in range(10) if (uri := thumbnails.find(str(number))) is not None]
    thumbnails.close()
    assert 1 <= len(kept) < 10
    assert all(uri == data_uri(picture("red")) for uri in kept)
    assert sum(map(len, kept)) <= 2_500


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


def test_a_file_that_was_made_smaller_has_its_picture_too(tmp_path: Path) -> None:
    """
    Also where an earlier scan has paid for it: it is larger than the provider takes, and read again for the page.
    """
    file = tmp_path / "large.bmp"
    file.write_bytes(picture("red", "BMP", (2_700, 2_700)))
    assert file.stat().st_size > MOST_BYTES

    found = find([str(file)], None, BytesIO())
    with Pictures(found, wanted=True) as pictures:
        shown = pictures.of(replace(result("large.bmp"), item=found.items[0]))

    assert shown.startswith("data:image/jpeg;base64,")
