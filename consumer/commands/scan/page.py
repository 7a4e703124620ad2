"""
A page of what was found, in one file that loads nothing: to be looked at, sorted and searched in a browser.

Names come from strangers: each is escaped, and the page's own policy lets nothing be loaded or sent. Images are blurred
until they are clicked, unless `--show`; they are in the file all the same.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from consumer.commands.pages import template
from consumer.commands.scan.items import printable
from consumer.commands.scan.lines import Result
from consumer.commands.scan.progress import STYLES
from consumer.commands.scan.table import labelled
from consumer.commands.scan.tally import Tally
from consumer.vendor_facts.aliyun import NOTHING_FOUND

MOST_CARDS = 5_000
MOST_PICTURES = 2_000
MOST_PICTURE_BYTES = 100_000_000  # of all pictures as they stand in the page

NOT_JUDGED = {
    "fetch": "it could not be fetched",
    "image": "its size or format is refused",
    "input": "what was said of it is refused",
    "malformed": "the answer cannot be trusted",
    "provider": "the provider always fails for it",
    "account": "it is always refused to the account",
    "clock": "this machine's clock is wrong",
    "internal": "a fault of this program",
}
"""What the classes of errors mean."""

PictureOf = Callable[[Result], str]
"""A picture as a `data:` URI, or nothing."""


def write_page(path: Path, tally: Tally, told: str, picture: PictureOf, *, show: bool) -> None:
    """Write the page. `OSError` escapes."""
    results = tally.strictest[:MOST_CARDS]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(page(tally, results, told, picture, show=show))


def page(tally: Tally, results: Sequence[Result], told: str, picture: PictureOf, *, show: bool) -> Iterator[str]:
    """Make the page, piece by piece."""
    before, after = template("consumer.commands.scan", "page.html").split("<!-- cards -->")
    more = tally.told_of - len(results)
    filled = {
        "{told}": escape(told),
        "{more}": f"{more:,} more images are not shown here; --json has all." if more else "",
        "{blur}": "" if show else "blurred",
        "{hint}": "" if show else "Pictures are blurred: click one to see it.",
        "{decisions}": "".join(_choices(tally)),
        "{labels}": "".join(f"<option>{escape(each)}</option>" for each in _labels(results)),
    }
    for name, text in filled.items():
        before = before.replace(name, text)
    yield before
    size = left_out = 0
    for number, result in enumerate(results):
        has_room = number < MOST_PICTURES and size < MOST_PICTURE_BYTES
        uri = picture(result) if has_room else ""
        size, left_out = size + len(uri), left_out + (not has_room)
        yield card(result, number, uri, _why_none(result) if has_room else "left out")
    yield after.replace("{left_out}", _left_out(left_out))


def _why_none(result: Result) -> str:
    item = result.item
    return "no picture: the provider downloaded it" if item.is_web and not item.by_upload else "no picture can be drawn"


def _not_judged(result: Result) -> str:
    """Why, and behind it class and code, which the runbook has."""
    error = result.line["error"]
    why = NOT_JUDGED.get(error["class"])
    return f"not judged: {why} ({result.error})" if why else f"not judged: {result.error}"


def _left_out(count: int) -> str:
    if not count:
        return ""
    return (
        f"{count:,} of these images, the last ones where the strictest come first, have no picture here, so that the "
        f"page stays small."
    )


def _choices(tally: Tally) -> Iterator[str]:
    for each in STYLES:
        yield (
            f'<label class="choice {each}"><input type="checkbox" value="{each}" checked> '
            f"{each} <b>{tally.decisions[each]:,}</b></label>"
        )


def _labels(results: Iterable[Result]) -> list[str]:
    return sorted({label for result in results for label, _ in _found(result)})


def _found(result: Result) -> Iterator[tuple[str, str]]:
    for finding in result.line["findings"]:
        if finding["label"] != NOTHING_FOUND:
            yield printable(finding["label"]), labelled(finding)


def card(result: Result, number: int, picture: str, instead: str = "no picture") -> str:
    """One image, and what stands `instead` of a picture that there is not."""
    line, found = result.line, list(_found(result))
    name = printable(line["image"])
    finding = result.finding
    confidence = (finding["confidence"] or 0) if finding else 0
    rules = ", ".join(dict.fromkeys(printable(reason["rule"]) for reason in line["reasons"]))
    about = [
        ("level", printable(line["risk_level"] or "–")),
        ("rule", rules or ("not judged" if result.error else "–")),
        *((each, printable(str(line[each]))) for each in ("id", "tenant", "purpose") if line.get(each)),
        ("SHA-256", printable(str(line["sha256"] or "–"))),
        ("request", printable(line["provider"]["request_id"] or "–")),
    ]
    return "".join(
        [
            f'<article class="card {result.decision}" data-decision="{result.decision}" data-number="{number}" ',
            f'data-confidence="{confidence:g}" data-name="{escape(name)}" ',
            f'data-labels="{escape(chr(10).join(label for label, _ in found))}">',
            _picture(picture, name, instead),
            f'<div class="text"><p class="decision">{result.decision}</p>',
            f'<p class="name">{escape(name)}</p>',
            f'<p class="error">{escape(_not_judged(result))}</p>' if result.error else "",
            "".join(f'<span class="label">{escape(each)}</span>' for _, each in found),
            "<details><summary>more</summary><dl>",
            "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in about),
            "</dl></details></div></article>\n",
        ]
    )


def _picture(uri: str, name: str, instead: str) -> str:
    if not uri:
        return f'<div class="picture none">{instead}</div>'
    return (
        f'<button class="picture" type="button" aria-label="show or blur {escape(name)}">'
        f'<img loading="lazy" alt="" src="{escape(uri)}"></button>'
    )
