from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.demo.comparison import (
    Charges,
    Row,
    all_ok,
    billed_again,
    calls_over_quota,
    compare,
    differences,
    excuses,
    facts,
    held_up,
    of_private_images,
    overtakings,
    percentile,
    strays,
)
from consumer.demo.outcomes import WHOLE, Fetched, Outcome, Place, Published, Seen, Source, Tally, Upload

BLOCK = Outcome(Place.BLOCK, "high")
PASS = Outcome(Place.PASS, "none")
DEAD = Outcome(Place.DEAD_LETTER, "not_json")
IGNORED = Outcome(Place.IGNORED, "no_value")

WITHIN_QUOTA = calls_over_quota(0, qps=100, jitter=0.05, held_up=0.0)


def upload(*expected: Outcome, kind: str = "red PNG", key: bytes | None = None) -> Upload:
    whole = expected[0].place in (Place.DEAD_LETTER, Place.IGNORED)
    by_image = {WHOLE: expected[0]} if whole else {str(n): outcome for n, outcome in enumerate(expected)}
    return Upload(kind=kind, key=key, value=b"{}", expected=by_image)


def seen(offset: int, outcome: Outcome, image: str = "0", at: float = 1.0) -> Seen:
    return Seen(source=Source(0, offset), image=image, outcome=outcome, at=at)


def tally_of(sent: Iterable[Upload], came: Iterable[Seen], ignored: dict[str, int] | None = None) -> Tally:
    tally = Tally()
    for offset, each in enumerate(sent):
        tally.publish(Published(each, Source(0, offset), 0.0))
    for each_seen in came:
        tally.see(each_seen)
    tally.ignored = Counter(ignored or {})
    return tally


def only_row(tally: Tally) -> Row:
    (row,) = compare(tally, ["red PNG"])
    return row


def charged(billed: int = 0, uploaded: int = 0) -> Charges:
    return Charges(
        calls=billed,
        last_second=0,
        busiest_second=0,
        refused=0,
        billed=billed,
        uploaded=uploaded,
    )


def test_what_came_as_expected_is_right() -> None:
    """
    Every image with its expected outcome once: nothing differs, and all is settled.
    """
    tally = tally_of(
        [upload(BLOCK, PASS), upload(DEAD, kind="text"), upload(IGNORED, kind="tombstone")],
        [seen(0, BLOCK), seen(0, PASS, "1"), seen(1, DEAD, WHOLE)],
        {"no_value": 1},
    )

    rows = compare(tally, ["tombstone", "text", "red PNG"])
    held = facts(tally, charged(billed=2), WITHIN_QUOTA, again=0, uncommitted=0, exit_code=0)

    assert [(row.kind, row.expected, row.wanted, row.right) for row in rows] == [
        ("tombstone", IGNORED, 1, 1),
        ("text", DEAD, 1, 1),
        ("red PNG", BLOCK, 1, 1),
        ("red PNG", PASS, 1, 1),
    ]
    assert list(differences(rows, held)) == []
    assert all_ok(rows, held)
    assert tally.settled == 3


@pytest.mark.parametrize(
    ("came", "problem"),
    [
        ([], "1 missing"),
        ([seen(0, BLOCK), seen(0, BLOCK)], "1 more than once"),
        ([seen(0, PASS)], "1 × pass (none) instead"),
        ([seen(0, Outcome(Place.BLOCK, "medium"))], "1 × block (medium) instead"),
        ([seen(0, BLOCK), seen(0, PASS)], "1 × pass (none) instead"),
        ([seen(0, BLOCK, "1")], "1 missing"),
        ([seen(1, BLOCK)], "1 missing"),
    ],
    ids=["none", "twice", "wrong topic", "wrong reason", "right and wrong", "another image", "another upload"],
)
def test_what_did_not_come_as_expected_is_told(came: list[Seen], problem: str) -> None:
    """
    A missing, a repeated or a wrong outcome is not right, and the row says which it is.
    """
    row = only_row(tally_of([upload(BLOCK)], came))

    assert not row.ok
    assert row.right == 0
    assert list(row.problems()) == [problem]
    assert list(differences([row], [])) == [f"red PNG, expected block (high): {problem}"]


@pytest.mark.parametrize(("counted", "problem"), [(1, "1 missing"), (3, "1 more than once")])
def test_ignored_messages_are_counted(counted: int, problem: str) -> None:
    """
    What is to be ignored leaves no message, so the service's own count must be as high, and no higher.
    """
    row = only_row(tally_of([upload(IGNORED), upload(IGNORED)], [], {"no_value": counted}))

    assert not row.ok
    assert list(row.problems()) == [problem]


def test_outcomes_swapped_between_uploads_are_noticed() -> None:
    """
    Totals that fit are not enough: each upload must have its own outcome.
    """
    tally = tally_of([upload(BLOCK, kind="a"), upload(PASS, kind="b")], [seen(0, PASS), seen(1, BLOCK)])

    assert [row.ok for row in compare(tally, ["a", "b"])] == [False, False]


def test_what_nothing_asked_for_is_a_stray() -> None:
    """
    Strays are outcomes of no upload, of no image of one, of an ignored one, and unknown reasons to ignore.
    """
    tally = tally_of(
        [upload(BLOCK), upload(IGNORED, kind="tombstone")],
        [seen(0, BLOCK), seen(0, BLOCK, "7"), seen(1, BLOCK), seen(9, BLOCK)],
        {"no_value": 1, "not_included": 2},
    )

    assert strays(tally) == 5


FETCHED = "private images fetched (their verdicts have their sha256)"
UPLOADED = "pictures of them uploaded to the provider (each frame is one)"
DECIDED = "animations that were decided by their third frame"
AS_PUT = Seen(
    source=Source(1, 0), image="0", outcome=BLOCK, at=1.0, sha256="a", frames=5, deciding=frozenset({2}),
    content={"verdict_id": "v"},
)  # fmt: skip


def animated() -> Tally:
    """A public image that is blocked, and one upload of an animation of five frames, of which the third decides."""
    tally = tally_of([upload(BLOCK)], [seen(0, BLOCK)])
    animation = replace(upload(BLOCK), fetched={"0": Fetched("a", frames=5, deciding=2)})
    tally.publish(Published(animation, Source(1, 0), 0.0))
    return tally


@pytest.mark.parametrize(
    ("came", "uploaded", "problems"),
    [
        (AS_PUT, 5, []),
        (replace(AS_PUT, sha256=None), 5, [f"{FETCHED}: 0 instead of 1"]),
        (replace(AS_PUT, sha256="b"), 5, [f"{FETCHED}: 0 instead of 1"]),
        (AS_PUT, 6, [f"{UPLOADED}: 6 instead of 5"]),
        (replace(AS_PUT, frames=4), 5, [f"{DECIDED}: 0 instead of 1"]),
        (replace(AS_PUT, deciding=frozenset({0})), 5, [f"{DECIDED}: 0 instead of 1"]),
        (replace(AS_PUT, deciding=frozenset({0, 2})), 5, [f"{DECIDED}: 0 instead of 1"]),
        (replace(AS_PUT, deciding=frozenset()), 5, [f"{DECIDED}: 0 instead of 1"]),
    ],
    ids=[
        "as it was put", "no digest", "another image", "uploaded again", "not every frame", "another frame",
        "two frames", "no frame",
    ],
)  # fmt: skip
def test_what_became_of_private_images_is_compared(came: Seen, uploaded: int, problems: list[str]) -> None:
    """
    The verdict has the digest of what is in the bucket, each frame was uploaded and judged once, and the right one
    decided.
    """
    tally = animated()
    tally.see(came)

    held = facts(tally, charged(6, uploaded), WITHIN_QUOTA, again=0, uncommitted=0, exit_code=0)

    assert list(differences([], held)) == problems


def test_private_images_are_told_of() -> None:
    """
    So many images, of which so many have frames.
    """
    tally = animated()
    tally.see(AS_PUT)

    assert list(of_private_images(tally)) == [
        "1 images from a private bucket: fetched, uploaded, judged.",
        "1 of them with 5 frames: each was judged, and the third decided.",
    ]


@pytest.mark.parametrize(
    ("billed", "expected"),
    [({"v": 5, "w": 1}, 0), ({"v": 6}, 1), ({"w": 2}, 1), ({"v": 4}, 0)],
    ids=["each frame once", "a frame twice", "an image twice", "not every frame"],
)
def test_a_frame_is_an_image_of_its_own_in_the_bill(billed: dict[str, int], expected: int) -> None:
    """
    All frames of an image have its verdict's id: it is billed again only where there are more calls than frames.
    """
    tally = animated()
    tally.see(AS_PUT)

    assert billed_again(tally, billed) == expected


def test_an_upload_settles_with_its_last_image() -> None:
    """
    An upload is settled when all its images have an outcome, whichever comes first, acknowledgement or outcomes.
    """
    tally = Tally()
    tally.see(seen(0, BLOCK))
    tally.publish(Published(upload(BLOCK, PASS), Source(0, 0), 0.0))
    before = tally.settled

    tally.see(seen(0, PASS, "1"))

    assert (before, tally.settled) == (0, 1)


@pytest.mark.parametrize(
    ("key", "moments", "expected"),
    [(b"k", (1.0, 2.0, 3.0), 0), (b"k", (2.0, 2.0, 2.0), 0), (b"k", (3.0, 1.0, 2.0), 2), (None, (3.0, 2.0, 1.0), 0)],
    ids=["in order", "at once", "the first came last", "no key"],
)
def test_overtaking_is_counted_by_key(key: bytes | None, moments: tuple[float, ...], expected: int) -> None:
    """
    An upload overtakes when it has an outcome before an earlier one of its key; without a key nobody can.
    """
    tally = tally_of(
        [upload(BLOCK, key=key) for _ in moments], [seen(offset, BLOCK, at=at) for offset, at in enumerate(moments)]
    )

    assert overtakings(tally) == expected


@pytest.mark.parametrize(
    ("later", "expected"),
    [({"tenant": "shop-eu"}, 1), ({"tenant": "shop-us"}, 0), ({}, 0)],
    ids=["its own", "another's", "nobody knows whose"],
)
def test_only_an_upload_of_the_same_tenant_can_be_overtaken(later: dict[str, str], expected: int) -> None:
    """
    Each tenant has an order of its own, and no dead letter overtakes a verdict.
    """
    outcome = BLOCK if later else DEAD
    first = replace(seen(0, BLOCK, at=2.0), content={"tenant": "shop-eu"})
    second = replace(seen(1, outcome, at=1.0), content=later)

    assert overtakings(tally_of([upload(BLOCK, key=b"k"), upload(outcome, key=b"k")], [first, second])) == expected


def test_dead_letters_of_a_key_have_an_order_too() -> None:
    """
    Nobody knows whose they are.
    """
    tally = tally_of([upload(DEAD, key=b"k")] * 2, [seen(0, DEAD, at=2.0), seen(1, DEAD, at=1.0)])

    assert overtakings(tally) == 1


def test_every_figure_that_does_not_hold_is_told() -> None:
    """
    Charges, commits and the exit code are held against what they must be.
    """
    tally = tally_of([upload(BLOCK)], [seen(0, BLOCK)])
    over_quota = calls_over_quota(3, qps=100, jitter=0.05, held_up=0.01)

    held = facts(tally, charged(billed=2), over_quota, again=1, uncommitted=4, exit_code=-9)

    assert not all_ok([], held)
    assert list(differences([], held)) == [
        "calls billed (images and frames judged): 2 instead of 1",
        "images and frames billed more than once: 1 instead of 0",
        "calls over the quota: 3 instead of 0",
        "messages left uncommitted: 4 instead of 0",
        "exit code of the service: -9 instead of 0",
    ]


def test_a_service_that_goes_on_has_no_exit_code() -> None:
    """
    While the service is left running there is no exit code to check.
    """
    held = facts(tally_of([], []), charged(), WITHIN_QUOTA, again=0, uncommitted=0, exit_code=None)

    assert "exit code of the service" not in [fact.name for fact in held]


@pytest.mark.parametrize(
    ("refused", "held_up_for", "ok", "excused"),
    [(0, 0.3, True, False), (1, 0.05, False, False), (3, 0.08, True, True), (4, 0.08, False, False)],
    ids=["none refused", "within the jitter", "as many as were bunched", "more than were bunched"],
)
def test_calls_that_the_machine_bunched_are_excused(refused: int, held_up_for: float, ok: bool, excused: bool) -> None:
    """
    A call held up beyond the jitter arrives among those of the next second: 30 ms at 100 a second excuse three.
    """
    fact = calls_over_quota(refused, qps=100, jitter=0.05, held_up=held_up_for)

    assert fact.ok is ok
    assert bool(list(excuses([fact]))) is excused


def test_calls_are_held_up_between_departure_and_arrival() -> None:
    """
    The longest way from the service to the provider counts, of the calls that both know.
    """
    verdicts = [
        replace(seen(0, BLOCK), called=10.0, content={"verdict_id": "a"}),
        replace(seen(1, BLOCK), called=11.0, content={"verdict_id": "b"}),
        replace(seen(2, BLOCK), called=12.0, content={"verdict_id": "unknown"}),
        seen(3, BLOCK),
    ]

    longest = held_up(tally_of([], verdicts), {"a": 10.25, "b": 11.5, "other": 99.0})

    assert longest == 0.5
    assert held_up(tally_of([], []), {}) == 0.0


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0.01, 1))
def test_a_percentile_covers_its_share(values: list[float], share: float) -> None:
    """
    At least that share of the values is no higher, and it is one of them.
    """
    rising = sorted(values)

    found = percentile(rising, share)

    assert found in rising
    assert sum(value <= found for value in rising) >= share * len(rising) - 1e-9


def test_nothing_has_no_percentile() -> None:
    """
    Before there are values there is no percentile.
    """
    assert percentile([], 0.5) is None
