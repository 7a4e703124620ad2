"""What `check` says of the topic of tasks."""

import pytest

from consumer.commands.check.findings import Level
from consumer.commands.check.topics import Topic, topics
from consumer.config.kafka import KafkaSettings

SETTINGS = KafkaSettings(topics=("uploads",))
TASKS = "moderation.scan-tasks"
HOUR = 3600.0


def told(found: Topic | None) -> list[str]:
    """What is wrong with it."""
    known = {} if found is None else {found.name: found}
    findings = topics(SETTINGS, known, TASKS, HOUR)
    return [each.text for each in findings if each.about == f"topic {TASKS}" and each.level is Level.WRONG]


def topic(**changes: str) -> Topic:
    settings = {
        "cleanup.policy": "delete", "retention.ms": "7200000", "retention.bytes": "-1", "min.insync.replicas": "2",
        "max.message.bytes": "1048588", **changes,
    }  # fmt: skip
    return Topic(name=TASKS, partitions=3, replicas=3, settings=settings)


def test_a_topic_that_keeps_tasks_longer_than_results_is_well() -> None:
    """Two hours, where the provider keeps results for one."""
    assert told(topic()) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "does not exist"),
        (topic(**{"retention.ms": "600000"}), "keeps tasks for 10 min"),
        (topic(**{"cleanup.policy": "compact"}), "is compacted: of several tasks of one key only the last is known"),
    ],
)
def test_a_topic_that_would_forget_tasks_is_told(found: Topic | None, said: str) -> None:
    """A crash would pay for those again, and without the topic no partition is taken over."""
    (problem,) = told(found)
    assert said in problem
