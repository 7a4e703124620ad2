"""What the demo shows."""

from io import StringIO

import orjson
import pytest
from rich.console import Console, RenderableType

from consumer.demo.comparison import Fact, Row
from consumer.demo.outcomes import Outcome, Place
from consumer.demo.report import print_tables, shortened
from consumer.demo.uploads import KINDS, SECTIONS
from consumer.demo.view import Snapshot, line, picture, showing

EMPTY = Snapshot(doing="the service starts", elapsed=0.0, uploads=10_000, qps=100)
FULL = Snapshot(
    doing="images are judged, within the quota", elapsed=123.4, uploads=10_000, qps=200, published=10_000,
    settled=9_999, calls_last_second=200, calls_refused=1_234, calls_in_flight=120, images_uploaded=421,
    places={Place.BLOCK: 5_000, Place.REVIEW: 2_500, Place.PASS: 2_499, Place.DEAD_LETTER: 1, Place.IGNORED: 0},
    verdict_p50=41.25, verdict_p99=104.5, provider_p50=0.23,
)  # fmt: skip


def terminal(width: int = 80) -> Console:
    return Console(file=StringIO(), width=width, force_terminal=False, highlight=False)


def text_of(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def drawn(renderable: RenderableType) -> list[str]:
    console = terminal(width=200)
    console.print(renderable)
    return [row.rstrip() for row in text_of(console).splitlines()]


def test_the_picture_fits_a_terminal() -> None:
    """
    Eighty columns are enough, and the picture keeps its height from the beginning to the end.
    """
    empty, full = drawn(picture(EMPTY)), drawn(picture(FULL))

    assert max(map(len, full)) <= 80
    assert len(empty) == len(full) <= 20


def test_the_picture_holds_every_figure() -> None:
    """
    All that a snapshot holds can be read in the picture and in the line.
    """
    shown, told = "\n".join(drawn(picture(FULL))), line(FULL)

    for figure in (
        "123.4 s",
        "9999",
        "200 of 200",
        "120",
        "1234",
        "5000",
        "2500",
        "2499",
        "421",
        "41.25 s",
        "104.50 s",
    ):
        assert figure in shown
        assert figure in told


def test_without_a_terminal_there_is_a_line_a_second() -> None:
    """
    Where nobody can see a picture, lines come once a second at most, and the last in any case.
    """
    console = terminal()

    with showing(console) as view:
        for elapsed in (0.0, 0.4, 0.8, 1.2, 1.6):
            view.show(Snapshot(doing="waits", elapsed=elapsed, uploads=20, qps=100))
        view.show(Snapshot(doing="done", elapsed=1.7, uploads=20, qps=100), last=True)

    assert text_of(console).splitlines() == ["  0.0 s  waits", "  1.2 s  waits", "  1.7 s  done"]


def test_a_row_that_differs_is_marked() -> None:
    """
    The tables mark what is right and what is not, in eighty columns.
    """
    console = terminal()
    right = Row("red PNG", Outcome(Place.BLOCK, "high"), wanted=5, right=5)
    wrong = Row("S3, an unbound bucket", Outcome(Place.DEAD_LETTER, "unbound_bucket"), wanted=2, right=1, missing=1)
    facts = [Fact("messages left uncommitted", 0, 0), Fact("calls over the quota", 0, 3)]

    print_tables(console, [right, wrong], facts, {"red PNG": "native"})

    marks = {row[:12]: row.split()[-3:] for row in text_of(console).splitlines() if row.endswith(("✓", "✗"))}
    assert marks == {
        "  red PNG   ": ["5", "5", "✓"],
        "  S3, an unb": ["2", "1", "✗"],
        "messages lef": ["0", "0", "✓"],
        "calls over t": ["0", "3", "✗"],
    }


def test_a_figure_that_is_excused_refers_to_the_excuse() -> None:
    """
    A figure within its slack is right, but not as it should be: the table says where to read why.
    """
    console = terminal()

    print_tables(console, [], [Fact("calls over the quota", 0, 1, slack=2, reason="busy")], {})

    assert "0     1  ✓ see below" in text_of(console)


def test_kinds_stand_under_their_titles() -> None:
    """
    Every section of the table of uploads begins with its title, and all of it fits eighty columns.
    """
    console = terminal()
    rows = [Row(kind.name, outcome, wanted=1, right=1) for kind in KINDS for outcome in kind.outcomes]

    print_tables(console, rows, [], {kinds[0].name: title for title, kinds in SECTIONS.items()})

    shown = text_of(console)
    assert [line.rstrip() for line in shown.splitlines() if line.rstrip() in SECTIONS] == list(SECTIONS)
    assert all(f"  {kind.name}  " in shown for kind in KINDS)
    assert "…" not in shown


@pytest.mark.parametrize(("frame", "told"), [(None, {}), (2, {"frame": 2})], ids=["one picture", "many frames"])
def test_a_shortened_verdict_is_json(frame: int | None, told: dict[str, int]) -> None:
    """
    What is shown of a verdict can be copied as JSON; it names the object where the image has no URL, and the frame that
    a reason is about.
    """
    ref = {"store": "oss", "bucket": "ugc", "key": "a b.jpg", "region": None}
    verdict = {
        "verdict_id": "1f", "subject": {"id": "u_1", "revision": 3}, "image": {"id": "0", "url": None, "ref": ref},
        "decision": "block", "decided_by": "policy", "error": None, "engine": "left out",
        "coverage": {"frames": [5, 5], "scaled": False},
        "reasons": [{"rule": "default:high", "label": "violent", "confidence": 97.2, "level": "high", "frame": frame}],
        "timing": {"received": "left out", "queued_ms": 3, "provider_ms": 380},
    }  # fmt: skip

    shown = orjson.loads(shortened(verdict))

    assert shown["image"] == {"ref": {"bucket": "ugc", "key": "a b.jpg"}}
    assert shown["reasons"] == [{"rule": "default:high", "label": "violent", "confidence": 97.2, **told}]
    assert "engine" not in shown
