"""What a decision says to the provider."""

from dataclasses import replace

import pytest

from consumer.feedback import Place, Said
from consumer.feedback.votes import vote_of
from tests.feedback.building import ABOUT, OBJECT, Decision, verdict

PLACE = Place("moderation.review-decisions", 0, 3)
FOUND = verdict(("porn", "high"), ("weapon", "medium"), ("nonLabel", "none"))


def test_names_submission_reviewer_and_object() -> None:
    """A vote is about the verdict's submission and object, and has the version that the verdict names."""
    made = vote_of(Decision(), PLACE, FOUND)

    assert (made.about, made.reviewer, made.place) == (ABOUT, "r1", PLACE)
    assert made.object is not None
    assert (made.object.bucket, made.object.key, made.object.version) == (OBJECT.bucket, OBJECT.key, "v1")


@pytest.mark.parametrize(
    "said, more, labels",
    [
        ("remove", {}, ("porn", "weapon")),
        ("approve", {}, ("porn", "weapon")),
        ("remove", {"labels_confirmed": ("porn",)}, ("porn",)),
        ("remove", {"labels_confirmed": ("spam",)}, ("spam",)),
        ("remove", {"labels_rejected": ("porn",)}, ("weapon",)),
        ("approve", {"labels_rejected": ("weapon",)}, ("weapon",)),
        ("approve", {"labels_confirmed": ("weapon",)}, ("porn",)),
        (
            "approve",
            {
                "labels_confirmed": (
                    "weapon",
                    "porn",
                )
            },
            (),
        ),
    ],
)
def test_a_removal_confirms_labels_and_an_approval_rejects_them(
    said: Said, more: dict[str, tuple[str, ...]], labels: tuple[str, ...]
) -> None:
    """What the reviewer names counts; else what was found with a risk, less what the reviewer says the other of."""
    made = vote_of(replace(Decision(decision=said), **more), PLACE, FOUND)  # type: ignore[arg-type]

    assert made.labels == labels


@pytest.mark.parametrize("wish, proposes", [("propose", True), ("none", False), ("", False), ("Propose", False)])
def test_only_a_proposal_proposes(wish: str, proposes: bool) -> None:
    """Nothing is proposed unless the decision says so in the word for it."""
    assert vote_of(Decision(feedback=wish), PLACE, FOUND).proposes is proposes


def test_an_image_without_an_object_has_none() -> None:
    """Of an event that named a URL nothing is kept by which the provider could fetch the image."""
    assert vote_of(Decision(), PLACE, verdict(("porn", "high"), ref=None)).object is None
