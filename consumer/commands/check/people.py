"""
Whether `moderation-consumer feedback` finds the topics that it needs, and who may write there. Facts in, findings out.
"""

from collections.abc import Iterator, Mapping

from consumer.commands.check.findings import Finding, lasting, ok, skipped, warning, wrong
from consumer.commands.check.topics import (
    Topic,
    alter,
    fits_dead_letters,
    for_how_long,
    kept_by,
    missing,
    remarks_on,
)
from consumer.config import Config
from consumer.config.reviews import ReviewSettings
from consumer.kafka.acls import EVERYBODY

DAY = 86_400.0  # seconds


def topics_of_people(config: Config) -> tuple[str, ...]:
    """Those of `feedback`: decisions, what is remembered of them, and the ledger where the provider is told."""
    return (config.reviews.topic, config.reviews.people, *([config.feedback.topic] if config.feedback.enabled else []))


def is_used(config: Config, found: Mapping[str, Topic]) -> bool:
    """Whether `feedback` is to run: the configuration says something of it, or there are decisions' topics already."""
    is_said = config.reviews != ReviewSettings() or config.feedback.enabled
    return is_said or not found.keys().isdisjoint(topics_of_people(config))


def people(config: Config, found: Mapping[str, Topic]) -> Iterator[Finding]:
    """Look at every topic of `feedback`, where that is to run."""
    if not is_used(config, found):
        yield skipped(
            "people's decisions",
            f"reviews is as it ships, and there is no topic {config.reviews.topic}: nothing else is looked at of "
            "`feedback`",
        )
        return
    reviews = config.reviews
    needed = {reviews.people: f" --config cleanup.policy=compact,delete --config retention.ms={_keep_ms(reviews)}"}
    if config.feedback.enabled:
        needed[config.feedback.topic] = " --config retention.ms=-1"
    for name in topics_of_people(config):
        topic = found.get(name)
        if topic is None:
            yield missing(config.kafka, name, needed.get(name, ""))
            continue
        remarks = [*remarks_on(topic, is_input=name == reviews.topic), *_own(topic, config, found)]
        yield from remarks
        if not remarks:
            yield ok(f"topic {name}", f"{topic.partitions} partitions, {topic.replicas} replicas")


def _keep_ms(reviews: ReviewSettings) -> int:
    return round(reviews.keep_days * DAY * 1000)


def _own(topic: Topic, config: Config, found: Mapping[str, Topic]) -> Iterator[Finding]:
    if topic.settings is None:
        return
    if topic.name == config.reviews.topic:
        yield from fits_dead_letters(topic, config.kafka)
        yield from _outlived(topic, config, found)
    elif topic.name == config.reviews.people:
        yield from _remembers(topic, config)
    else:
        yield from _keeps_the_ledger(topic, config)


def _outlived(decisions: Topic, config: Config, found: Mapping[str, Topic]) -> Iterator[Finding]:
    """A decision that is read again is known by the verdict that it made."""
    for name in config.kafka.outputs.by_decision.values():
        verdicts = found.get(name)
        if verdicts is None or verdicts.settings is None or kept_by(verdicts) >= kept_by(decisions):
            continue
        kept = decisions.settings["retention.ms"] if decisions.settings else ""
        yield wrong(
            f"topic {name}",
            f"keeps verdicts for {for_how_long(kept_by(verdicts))}, but {decisions.name} keeps decisions for "
            f"{for_how_long(kept_by(decisions))}: a decision about a verdict that is gone is a dead letter, and one "
            f"that is read again is published again: {alter(config.kafka, name, f'retention.ms={kept}')}",
        )


def _remembers(topic: Topic, config: Config) -> Iterator[Finding]:
    """What is remembered must last for reviews.keep_days, and no longer than people's ids may be kept."""
    assert topic.settings is not None
    about, needed = f"topic {topic.name}", config.reviews.keep_days * DAY
    policy = topic.settings["cleanup.policy"]
    if "compact" not in policy:
        yield warning(
            about,
            f"is not compacted: every decision is read at each start, and not the newest of each image: "
            f"{alter(config.kafka, topic.name, 'cleanup.policy=[compact,delete]')}",
        )
    if kept_by(topic) < needed:
        yield wrong(
            about,
            f"keeps decisions for {for_how_long(kept_by(topic))}, but reviews.keep_days is {config.reviews.keep_days}: "
            f"older ones hold no longer after a restart: "
            f"{alter(config.kafka, topic.name, f'retention.ms={_keep_ms(config.reviews)}')}",
        )
    elif "delete" not in policy:
        yield warning(
            about,
            f"is never deleted, though a decision holds for {lasting(needed)}: reviewers' ids stay there for good: "
            f"{alter(config.kafka, topic.name, 'cleanup.policy=[compact,delete]')}",
        )


def _keeps_the_ledger(topic: Topic, config: Config) -> Iterator[Finding]:
    assert topic.settings is not None
    about = f"topic {topic.name}"
    if "compact" in topic.settings["cleanup.policy"]:
        yield wrong(
            about,
            "is compacted: all lines about an image have one key, so that all votes but the last are lost: "
            f"{alter(config.kafka, topic.name, 'cleanup.policy=delete')}",
        )
    elif kept_by(topic) < float("inf"):
        yield wrong(
            about,
            f"keeps lines for {for_how_long(kept_by(topic))}: older votes count no longer, and what the provider was "
            f"told is forgotten, though it cannot be taken back: {alter(config.kafka, topic.name, 'retention.ms=-1')}",
        )


def writers_of_people(by_topic: Mapping[str, frozenset[str]], config: Config) -> Iterator[Finding]:
    """Say who may write to the topics of `feedback`: whoever may write decisions, decides."""
    about = "writers of people's decisions"
    for name, principals in by_topic.items():
        named = ", ".join(sorted(principals))
        alone = "the review tool" if name == config.reviews.topic else "`feedback`"
        if not principals:
            yield warning(about, f"no ACL lets anybody write to {name}: grant Write to {alone}")
        elif len(principals) == 1 and EVERYBODY not in principals:
            yield ok(about, f"{named} alone may write to {name}, beside super users")
        else:
            yield warning(
                about, f"{named} may write to {name}: {_at_worst(name, config)}; leave Write to {alone} alone"
            )


def _at_worst(name: str, config: Config) -> str:
    if name == config.reviews.topic:
        return "each of them decides what is passed and blocked, under any reviewer's id"
    if config.identity.sign is not None:
        return "what `feedback` did not seal there counts nowhere, and is counted"
    return "an approval, or a vote, that is forged there counts, as identity.sign names no key"
