"""What `check` says of the topics of `feedback`, and of who may write there."""

from typing import Any

import pytest

from consumer.commands.check.findings import Level
from consumer.commands.check.people import people, writers_of_people
from consumer.commands.check.topics import Topic
from consumer.config import Config

DECISIONS, PEOPLE, LEDGER = "moderation.review-decisions", "moderation.people-decided", "moderation.feedback"
DAY = 86_400_000  # milliseconds
TELLS = {"feedback": {"enabled": True, "scenes": {"porn": ["porn"]}}}


def config(**sections: Any) -> Config:
    return Config.model_validate({"kafka": {"topics": ["uploads"]}, **sections})


def topic(name: str, **changes: str) -> Topic:
    own = {
        PEOPLE: {"cleanup.policy": "compact,delete", "retention.ms": str(90 * DAY)},
        LEDGER: {"retention.ms": "-1"},
    }
    settings = {
        "cleanup.policy": "delete", "retention.ms": str(14 * DAY), "retention.bytes": "-1", "min.insync.replicas": "2",
        "max.message.bytes": "1048588", **own.get(name, {}), **changes,
    }  # fmt: skip
    return Topic(name=name, partitions=3, replicas=3, settings=settings)


def told(settings: Config, *topics: Topic) -> list[tuple[str, str, str]]:
    """Level, subject and text of all that is not well."""
    found = people(settings, {each.name: each for each in topics})
    return [(each.level, each.about, each.text) for each in found if each.level is not Level.OK]


def test_where_nobody_decides_nothing_is_asked_for() -> None:
    """
    With the section as it ships and no topic of its, one line says that nothing else is looked at.
    """
    [(level, about, text)] = told(config())

    assert (level, about) == ("skipped", "people's decisions")
    assert "nothing else is looked at of `feedback`" in text


@pytest.mark.parametrize(
    ("sections", "topics"),
    [
        ({}, [topic(DECISIONS), topic(PEOPLE)]),
        ({"reviews": {"leads": ["r-1"]}}, [topic(DECISIONS), topic(PEOPLE)]),
        (TELLS, [topic(DECISIONS), topic(PEOPLE), topic(LEDGER)]),
    ],
)
def test_topics_as_they_should_be_are_well(sections: dict[str, Any], topics: list[Topic]) -> None:
    """
    The ledger is looked at only where the provider is told.
    """
    assert told(config(**sections), *topics) == []


def test_topics_that_are_missing_are_named_with_what_they_need() -> None:
    """
    Once the configuration says anything of people's decisions, or one of the topics is there.
    """
    missing = told(config(**TELLS))
    one = told(config(), topic(DECISIONS))

    assert [(level, about) for level, about, _ in missing] == [
        ("wrong", f"topic {each}") for each in (DECISIONS, PEOPLE, LEDGER)
    ]
    assert "--config cleanup.policy=compact,delete --config retention.ms=7776000000" in missing[1][2]
    assert "--config retention.ms=-1" in missing[2][2]
    assert [about for _, about, _ in one] == [f"topic {PEOPLE}"]


@pytest.mark.parametrize(
    ("changed", "level", "said"),
    [
        (topic(DECISIONS, **{"cleanup.policy": "compact"}), "warning", "of several events with one key only the last"),
        (topic(DECISIONS, **{"max.message.bytes": "2000000"}), "wrong", "set kafka.max_message_bytes to"),
        (topic(PEOPLE, **{"retention.ms": str(7 * DAY)}), "wrong", "keeps decisions for 7 d, but reviews.keep_days"),
        (topic(PEOPLE, **{"cleanup.policy": "delete"}), "warning", "is not compacted"),
        (topic(PEOPLE, **{"cleanup.policy": "compact"}), "warning", "reviewers' ids stay there for good"),
        (topic(LEDGER, **{"retention.ms": str(7 * DAY)}), "wrong", "what the provider was told is forgotten"),
        (topic(LEDGER, **{"cleanup.policy": "compact"}), "wrong", "all votes but the last are lost"),
    ],
)
def test_a_topic_that_would_forget_is_told(changed: Topic, level: str, said: str) -> None:
    """
    With how to change it.
    """
    others = [topic(each) for each in (DECISIONS, PEOPLE, LEDGER) if each != changed.name]

    [found] = told(config(**TELLS), changed, *others)

    assert found[:2] == (level, f"topic {changed.name}")
    assert said in found[2]
    assert len(found[2]) < 600


def test_verdicts_that_are_deleted_before_decisions_about_them_are_told() -> None:
    """
    Such a decision is a dead letter; and one that is read again would be published again.
    """
    short = topic("moderation.block", **{"retention.ms": str(DAY)})

    [(level, about, text)] = told(config(), topic(DECISIONS), topic(PEOPLE), short, topic("moderation.review"))

    assert (level, about) == ("wrong", "topic moderation.block")
    assert "keeps verdicts for 24 h, but moderation.review-decisions keeps decisions for 14 d" in text
    assert f"retention.ms={14 * DAY}" in text


@pytest.mark.parametrize(
    ("name", "principals", "level", "said"),
    [
        (DECISIONS, {"User:desk"}, "ok", "User:desk alone may write to moderation.review-decisions"),
        (DECISIONS, set(), "warning", "grant Write to the review tool"),
        (DECISIONS, {"User:desk", "User:x"}, "warning", "each of them decides what is passed and blocked"),
        (DECISIONS, {"User:*"}, "warning", "leave Write to the review tool alone"),
        (PEOPLE, {"User:f", "User:x"}, "warning", "an approval, or a vote, that is forged there counts"),
        (LEDGER, {"User:f", "User:x"}, "warning", "leave Write to `feedback` alone"),
    ],
)
def test_who_may_write_decisions_is_said(name: str, principals: set[str], level: str, said: str) -> None:
    """
    Whoever may, decides; of what `feedback` writes itself, nobody else needs to.
    """
    [found] = writers_of_people({name: frozenset(principals)}, config(**TELLS))

    assert (found.level, found.about) == (level, "writers of people's decisions")
    assert said in found.text
