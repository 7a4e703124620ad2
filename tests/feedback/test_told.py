"""What is sent, and why not."""

import pytest

from consumer.config.bindings import Binding
from consumer.feedback import REASONS, Feedback
from consumer.feedback.quorum import Agreed
from consumer.feedback.told import Telling, may_be_credential
from consumer.intake.decode.bindings import Bindings
from consumer.locations import ObjectRef
from tests.feedback.building import vote

SCENES = {"porn": ("pornographic_*", "!pornographic_cartoon"), "terrorism": ("violent_*", "v1:terrorism:*")}
VERSIONED = "https://cdn.example.com/{key}?versionId={version}"


def telling(**binding: object) -> Telling:
    bound = {"bucket": "ugc", "via": "url", "url": VERSIONED} | binding
    return Telling(Bindings([Binding.model_validate(bound)]), SCENES, 2)  # type: ignore[arg-type]


def told(of: Telling, suggestion: str = "block", **more: object) -> Feedback | str:
    votes = (vote("a", **more), vote("b", **more))  # type: ignore[arg-type]
    return of.of(Agreed(suggestion, votes))  # type: ignore[arg-type]


def test_says_scenes_and_url() -> None:
    """The URL is the binding's, percent-encoded; the scenes are those that the configuration has the labels in."""
    found = told(telling())

    assert isinstance(found, Feedback)
    assert found.url == "https://cdn.example.com/a/b%20c.jpg?versionId=v1"
    assert (found.suggestion, found.scenes, found.reviewers) == ("block", ("porn",), ("a", "b"))


@pytest.mark.parametrize(
    "binding, more, reason",
    [
        ({}, {"judged": None}, "no_object"),
        ({}, {"judged": ObjectRef(store="oss", bucket="other", key="k")}, "no_binding"),
        ({"via": "oss", "url": None}, {}, "no_url"),
        ({"via": "upload"}, {}, "no_url"),
        ({"url": "https://cdn.example.com/{key}?auth=s3cret"}, {}, "query"),
        ({"url": "https://user:pw@cdn.example.com/{key}"}, {}, "query"),
        ({"url": "https://cdn.example.com/{key}"}, {}, "no_version"),
        ({}, {"judged": ObjectRef(store="oss", bucket="ugc", key="a/../b", version="1")}, "no_url"),
        ({}, {"labels": ("spam",)}, "no_scene"),
        ({}, {"labels": ("pornographic_cartoon",)}, "no_scene"),
        ({}, {"labels": ()}, "no_scene"),
    ],
)
def test_says_why_nothing_is_sent(binding: dict[str, object], more: dict[str, object], reason: str) -> None:
    """Each way in which there is nothing to send has its word, and each word its sentence."""
    assert told(telling(**binding), **more) == reason  # type: ignore[arg-type]
    assert reason in REASONS


def test_harmless_is_said_of_a_version_only() -> None:
    """
    An approval is of what the reviewer saw. By a URL that names no version the provider would fetch what is there by
    then, and take all that looks like it for harmless.
    """
    latest = telling(url="https://cdn.example.com/{key}", versions="latest")

    assert told(latest, "pass") == "no_version"
    assert isinstance(told(latest, "block"), Feedback)
    assert isinstance(told(telling(), "pass"), Feedback)


@pytest.mark.parametrize(
    "template, may_be",
    [
        ("https://h/{key}", False),
        ("https://h/{key}?versionId={version}", False),
        ("https://h/{key}?versionId={version}&b={bucket}", False),
        ("https://h/{key}?versions={version}&sig=abc", True),
        ("https://h/{key}?token", True),
        ("https://h/x?k={key}-secret", True),
        ("https://u@h/{key}", True),
    ],
)
def test_a_query_of_its_own_may_be_a_credential(template: str, may_be: bool) -> None:
    """Only bucket, key and version may stand in a query that is kept in the ledger and at the provider."""
    assert may_be_credential(template) is may_be
