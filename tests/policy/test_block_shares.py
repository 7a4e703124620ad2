"""The breaker of blocks as a value: when it opens and closes, and what it holds."""

from collections import Counter, defaultdict
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.policy.block_shares import BOUNDS, CLOSES_AT, BlockLimits, BlockShares, Bounds, Change

LIMITS = BlockLimits(window=600.0, least=20, share=0.15)


def noted(shares: BlockShares, blocks: int, images: int, *, at: float = 0.0, tenant: str = "t") -> list[Change]:
    """Note so many images of as many subjects, the blocks first."""
    return [
        change
        for n in range(images)
        for change in shares.note(tenant, f"{at}/{n}", at, is_block=n < blocks)
    ]  # fmt: skip


def test_it_opens_above_the_share_once_there_are_enough() -> None:
    """
    With the image that makes it too many, and not before `least` are counted, however many of those are blocked.
    """
    shares = BlockShares(LIMITS)

    few = noted(shares, 19, 19)
    enough = shares.note("t", "another", 0.0, is_block=True)

    assert few == []
    assert enough == [Change("t", is_open=True, blocks=20, images=20)]
    assert shares.is_open("t")


def test_just_the_share_is_not_above_it() -> None:
    """
    3 of 20 are 15 %.
    """
    shares = BlockShares(LIMITS)

    assert noted(shares, 3, 20) == []
    assert not shares.is_open("t")
    assert shares.note("t", "another", 0.0, is_block=True) == [Change("t", is_open=True, blocks=4, images=21)]


def test_it_closes_once_the_share_is_back() -> None:
    """
    Well below the limit: at 12 % where that is 15 %, by what the policy passes, however few images there are by then;
    or once the window has passed, without any.
    """
    by_passes, by_time = BlockShares(LIMITS), BlockShares(LIMITS)
    for each in (by_passes, by_time):
        assert len(noted(each, 10, 20)) == 1

    closed = [shares for n in range(80) if (shares := by_passes.note("t", f"p{n}", 1.0, is_block=False))]

    assert closed == [[Change("t", is_open=False, blocks=10, images=84)]]
    assert by_time.look(599.0) == []
    assert by_time.look(600.0) == [Change("t", is_open=False, blocks=0, images=0)]
    assert not by_passes.is_open("t")
    assert not by_time.is_open("t")


@pytest.mark.parametrize("seed", range(5))
def test_a_share_just_at_the_limit_does_not_flap(seed: int) -> None:
    """
    Twenty windows in which each image is a block with the very chance that is the limit: it opens and closes once a
    window at the most. Without the distance between both it does so many times as often.
    """
    dice, changes = Random(seed), Counter[bool]()
    shares = BlockShares(LIMITS._replace(least=200))

    for n in range(12_000):
        for change in shares.note("t", str(n), float(n), is_block=dice.random() < LIMITS.share):
            changes[change.is_open] += 1

    assert changes[True] <= 12_000 / LIMITS.window
    assert changes[False] <= changes[True]


def test_one_subject_alone_decides_nothing() -> None:
    """
    Five of its images count in a window, whatever it sends; once they are out of it, five others do.
    """
    shares = BlockShares(LIMITS._replace(least=6))

    changes = [shares.note("t", "one", float(n), is_block=True) for n in range(1_000)]
    others = shares.note("t", "another", 1_000.0, is_block=True)

    assert not any(changes)
    assert others == [Change("t", is_open=True, blocks=6, images=6)]


def test_tenants_are_told_apart() -> None:
    """
    What one's uploads are like opens no breaker of another's; the same subject of two tenants is two.
    """
    shares = BlockShares(LIMITS)

    noted(shares, 20, 20, tenant="bad")
    noted(shares, 0, 20, tenant="good")

    assert shares.open == ["bad"]
    assert (shares.is_open("bad"), shares.is_open("good"), shares.is_open("unknown")) == (True, False, False)


def test_tenants_beyond_the_most_share_a_count() -> None:
    """
    And have places of their own again once others' images are out of the window.
    """
    shares = BlockShares(LIMITS._replace(least=2), Bounds(tenants=3))
    for n in range(3):
        shares.note(f"t{n}", "s", 0.0, is_block=False)

    changes = [*shares.note("a", "s", 1.0, is_block=True), *shares.note("b", "s", 1.0, is_block=True)]
    shared = (shares.is_open("a"), shares.is_open("b"), shares.is_open("c"), shares.is_open("t0"))
    shares.look(601.0)
    noted(shares, 0, 2, at=700.0, tenant="a")

    assert changes == [Change(None, is_open=True, blocks=2, images=2)]
    assert shared == (True, True, True, False)
    assert (shares.open, shares.is_open("a")) == ([], False)


class Seen(NamedTuple):
    """An image, so many seconds after the one before."""

    after: float
    tenant: str
    subject: str
    is_block: bool


SEEN = st.lists(
    st.builds(
        Seen, st.sampled_from([0.0, 1.0, 3.0, 30.0]), st.sampled_from("ab"), st.sampled_from("123456"), st.booleans()
    ),
    max_size=60,
)


@given(SEEN, st.integers(1, 6), st.sampled_from([0.1, 0.25, 0.5]), st.sampled_from([5.0, 40.0]))
def test_it_is_what_counting_anew_says(seen: list[Seen], least: int, share: float, window: float) -> None:
    """
    After each image: by all that are in the window, counted from the beginning. A change is told exactly when there is
    one, and nothing is held of what is out of the window.
    """
    shares = BlockShares(BlockLimits(window, least, share))
    counted: list[tuple[float, Seen]] = []
    is_open: dict[str, bool] = defaultdict(bool)
    now = 0.0
    for each in seen:
        now += each.after
        counted = [(at, old) for at, old in counted if at > now - window]
        per_subject = Counter((old.tenant, old.subject) for _, old in counted)
        if per_subject[each.tenant, each.subject] < BOUNDS.of_subject:
            counted.append((now, each))
        expected = dict(is_open)
        for tenant in "ab":
            images = [old for _, old in counted if old.tenant == tenant]
            blocks = sum(old.is_block for old in images)
            expected[tenant] = (
                blocks > CLOSES_AT * (share * len(images))
                if is_open[tenant]
                else blocks > share * len(images) and len(images) >= least
            )

        changes = shares.note(each.tenant, each.subject, now, is_block=each.is_block)

        assert {tenant: shares.is_open(tenant) for tenant in "ab"} == expected
        assert sorted((change.tenant or "", change.is_open) for change in changes) == sorted(
            (tenant, after) for tenant, after in expected.items() if after is not is_open[tenant]
        )
        is_open.update(expected)
    shares.look(now + window)
    assert shares.open == []
    assert shares.is_empty


def test_what_it_holds_is_bounded() -> None:
    """
    Where more images come within a window than are counted, the oldest are let go of: the window is shorter.
    """
    shares = BlockShares(LIMITS._replace(least=1), Bounds(images=100))
    for n in range(100):
        shares.note("old", f"{n}", 0.0, is_block=True)

    first = shares.note("new", "x", 1.0, is_block=False)
    noted(shares, 0, 100, at=2.0, tenant="new")

    assert (first, shares.counted) == ([], 100)
    assert shares.open == []
