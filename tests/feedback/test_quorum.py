"""Who agrees with whom."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.feedback import REFUSED, About, NotSent, Said, Sent, Suggestion, Vote
from consumer.feedback.quorum import Quorum, agreed_scenes
from tests.feedback.building import ABOUT, vote


def counted(*votes: Vote, least: int = 2) -> Quorum:
    quorum = Quorum(least, most=1_000)
    for each in votes:
        quorum.take(each)
    return quorum


def sent(suggestion: Suggestion = "block") -> Sent:
    return Sent(
        about=ABOUT, tenant="t", suggestion=suggestion, scenes=("porn",), url="https://c/k",
        reviewers=("r1", "r2"), verdict_ids=("v",), sent_at="2026-11-20T10:00:00Z", request_id="R",
    )  # fmt: skip


@pytest.mark.parametrize(
    "votes, suggestion",
    [
        ((vote("a"),), None),
        ((vote("a"), vote("a", offset=1)), None),
        ((vote("a"), vote("b")), "block"),
        ((vote("a", "approve"), vote("b", "approve")), "pass"),
        ((vote("a"), vote("b"), vote("c", "approve")), None),
        ((vote("a"), vote("b"), vote("c", "approve", proposes=False)), None),
        ((vote("a"), vote("b", proposes=False)), None),
        ((vote("a"), vote("b"), vote("c", "escalate")), "block"),
        ((vote("a"), vote("b"), vote("b", "escalate", offset=1)), None),
        ((vote("a", "approve"), vote("b"), vote("a", offset=1)), "block"),
        ((vote("a", offset=5), vote("b"), vote("a", "approve", offset=1)), "block"),
    ],
)
def test_different_reviewers_must_say_the_same(votes: tuple[Vote, ...], suggestion: Suggestion | None) -> None:
    """
    A quorum is so many different reviewers who propose the same, while nobody says the opposite; the newest vote of
    each counts, and who escalates has taken the vote back.
    """
    found = counted(*votes).agreed(ABOUT)

    assert (found and found.suggestion) == suggestion


def test_nothing_is_sent_twice() -> None:
    """What the ledger has as sent, or as refused, is not due again, whatever is decided later."""
    for line in (sent(), NotSent(about=ABOUT, tenant="t", suggestion="block", reason=REFUSED, code="400")):
        quorum = counted(vote("a"), vote("b"))
        quorum.take(line)
        quorum.take(vote("c"))

        assert quorum.due() == []


def test_another_reason_is_looked_at_again() -> None:
    """What could not be sent by the configuration of then is due again."""
    quorum = counted(vote("a"), vote("b"))
    quorum.take(NotSent(about=ABOUT, tenant="t", suggestion="block", reason="no_scene"))

    assert [each.about for each in quorum.due()] == [ABOUT]
    assert quorum.noted(ABOUT) == "no_scene"


def test_a_contradiction_after_it_was_sent_is_seen() -> None:
    """A vote against what the provider was told is known as one: a person has to take the image out there."""
    quorum = counted(vote("a"), vote("b"))
    quorum.take(sent())

    assert quorum.contradicts(vote("c", "approve"))
    assert not quorum.contradicts(vote("c"))
    assert not quorum.contradicts(vote("c", "escalate"))


def test_memory_has_a_bound() -> None:
    """Of more submissions than the bound the oldest are forgotten, and counted."""
    quorum = Quorum(1, most=3)
    for offset in range(5):
        quorum.take(vote(about=About("uploads", 0, offset, "0")))

    assert (len(quorum), quorum.forgotten) == (3, 2)
    assert [each.about.offset for each in quorum.due()] == [2, 3, 4]


_votes = st.lists(
    st.builds(
        lambda reviewer, said, proposes, image: vote(
            reviewer, said, proposes=proposes, about=About("uploads", 0, 1, str(image))
        ),
        st.sampled_from("abcd"),
        st.sampled_from(["approve", "remove", "escalate"]),
        st.booleans(),
        st.integers(0, 2),
    ),
    max_size=30,
)


@given(_votes, st.integers(1, 3), st.randoms(use_true_random=False))
def test_counts_are_the_same_after_a_start(votes: list[Vote], least: int, chance: Random) -> None:
    """
    However often lines are repeated, and in whichever order they are read, the counts are those of an oracle that
    looks at the newest vote of each reviewer.
    """
    placed = [replace(each, place=each.place._replace(offset=at)) for at, each in enumerate(votes)]
    lines = placed + [chance.choice(placed) for _ in placed]
    chance.shuffle(lines)

    quorum = counted(*lines, least=least)

    assert {each.about: each.suggestion for each in quorum.due()} == oracle(placed, least)


def oracle(votes: list[Vote], least: int) -> dict[About, Suggestion]:
    newest: dict[tuple[About, str], Vote] = {(each.about, each.reviewer): each for each in votes}
    found: dict[About, Suggestion] = {}
    for about in {each.about for each in votes}:
        of_image = [each for (named, _), each in newest.items() if named == about]
        pairs: list[tuple[Said, Said, Suggestion]] = [("approve", "remove", "pass"), ("remove", "approve", "block")]
        for said, opposite, suggestion in pairs:
            proposed = sum(each.said == said and each.proposes for each in of_image)
            if proposed >= least and all(each.said != opposite for each in of_image):
                found[about] = suggestion
    return found


def test_a_scene_needs_a_quorum_of_its_own() -> None:
    """The provider is told of a scene that enough of those who agree have named, each counted once."""
    votes = [
        vote("a", labels=("porn", "nude")), vote("b", labels=("porn", "gun")), vote("c", labels=("spam",)),
    ]  # fmt: skip
    scenes = {"porn": ["porn"], "nude": ["porn"], "gun": ["terrorism"], "spam": ["ad"]}

    assert agreed_scenes(votes, 2, lambda label: scenes[label]) == ("porn",)  # type: ignore[arg-type, return-value]
