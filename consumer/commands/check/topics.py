"""Whether topics can carry what the service reads and writes. Facts in, findings out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from consumer.commands.check.findings import Finding, lasting, ok, skipped, warning, wrong
from consumer.config.kafka import KafkaSettings
from consumer.intake.retention import kept
from consumer.verdicts.producers import DEAD_LETTER_HEADROOM

BATCH_OVERHEAD = 61  # Kafka: bytes of a record batch's own header, which max.message.bytes includes
FOR_EVER = -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic as its cluster describes it; `settings` is None if the cluster does not show them."""

    name: str
    partitions: int
    replicas: int  # of the partition that has fewest
    leaderless: tuple[int, ...] = ()
    settings: Mapping[str, str] | None = None

    def number(self, setting: str) -> int:
        """Return one of the `settings`. Kafka writes numbers as texts."""
        assert self.settings is not None
        return int(self.settings[setting])


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What the group has before it in one partition."""

    partition: str  # such as `uploads/3`
    committed: int | None  # offset; None where the group has committed nothing
    begin: int  # the lowest offset that is still kept
    end: int
    oldest: float | None = None  # unix seconds of the first message that is not judged yet

    @property
    def lost(self) -> int:
        """Messages that were deleted before they were judged."""
        return 0 if self.committed is None else max(0, self.begin - self.committed)

    @property
    def lag(self) -> int:
        """Messages that wait."""
        return self.end - max(self.begin, self.committed or 0)


def topics(
    settings: KafkaSettings, found: Mapping[str, Topic], tasks: str | None = None, results_kept: float = 0.0
) -> Iterator[Finding]:
    """
    Look at every topic that is read or written; `tasks` is that of tasks, whose results are kept for so many seconds.
    """
    for name in dict.fromkeys((*settings.topics, *settings.outputs.all, *([] if tasks is None else [tasks]))):
        about = f"topic {name}"
        topic = found.get(name)
        if topic is None:
            yield missing(settings, name)
            continue
        remarks = [*remarks_on(topic, is_input=name in settings.topics)]
        if name in settings.topics:
            remarks += fits_dead_letters(topic, settings)
        if name == tasks:
            remarks += _keeps_tasks(topic, settings, results_kept)
        yield from remarks
        if not remarks:
            yield ok(about, f"{topic.partitions} partitions, {topic.replicas} replicas")
    yield from _dead_letters(settings, found)
    yield from _journal(settings, found)


def missing(settings: KafkaSettings, name: str, config: str = "") -> Finding:
    """Say that a topic is not there, and how to create it; `config` is what it needs beside the defaults."""
    return wrong(
        f"topic {name}",
        "does not exist, or this user may not see it: create it, such as with kafka-topics.sh "
        f"--bootstrap-server {first_of(settings)} --create --topic {name} --partitions 12 "
        f"--replication-factor 3{config}",
    )


def first_of(settings: KafkaSettings) -> str:
    """The broker to name in commands."""
    return settings.bootstrap_servers.partition(",")[0]


def remarks_on(topic: Topic, *, is_input: bool) -> Iterator[Finding]:
    """Say what is to be said of any topic."""
    about = f"topic {topic.name}"
    if topic.leaderless:
        named = ", ".join(map(str, topic.leaderless))
        yield wrong(about, f"no broker leads partition {named}: start the brokers that hold it")
    if topic.replicas == 1:
        yield warning(
            about, "has 1 replica: the topic is unavailable while its broker is away, and lost if the disk is lost"
        )
    if topic.settings is None:
        yield skipped(about, "the cluster does not show its settings: grant this user DescribeConfigs on the topic")
        return
    in_sync = topic.number("min.insync.replicas")
    if in_sync > topic.replicas:
        yield wrong(
            about, f"min.insync.replicas is {in_sync} of {topic.replicas} replicas: nothing can be published; lower it"
        )
    elif topic.replicas > 1 and in_sync == topic.replicas:
        yield warning(
            about, f"min.insync.replicas is {in_sync}, all of its replicas: if one broker is away, publishing stops"
        )
    elif topic.replicas > 1 and in_sync == 1:
        yield warning(about, "min.insync.replicas is 1: a record that only one broker has can be lost; set it to 2")
    if is_input and "compact" in topic.settings["cleanup.policy"]:
        yield warning(about, "is compacted: of several events with one key only the last may be judged")


def _keeps_tasks(topic: Topic, settings: KafkaSettings, results_kept: float) -> Iterator[Finding]:
    """A task that is deleted before its result is known is paid for again after a crash."""
    if topic.settings is None:
        return
    if "compact" in topic.settings["cleanup.policy"]:
        yield wrong(
            f"topic {topic.name}",
            "is compacted: of several tasks of one key only the last is known after a crash, and the others are paid "
            f"for again: {alter(settings, topic.name, 'cleanup.policy=delete')}",
        )
    if kept_by(topic) < results_kept:
        yield wrong(
            f"topic {topic.name}",
            f"keeps tasks for {for_how_long(kept_by(topic))}, but scan.results_kept is {lasting(results_kept)}: after "
            f"a crash older tasks are paid for again: {alter(settings, topic.name, 'retention.ms=7200000')}",
        )


def fits_dead_letters(topic: Topic, settings: KafkaSettings) -> Iterator[Finding]:
    """Say whether each message of an input could become a dead letter."""
    if topic.settings is None:
        return
    largest = topic.number("max.message.bytes") - BATCH_OVERHEAD
    if largest > settings.max_message_bytes:
        yield wrong(
            f"topic {topic.name}",
            f"accepts messages of {largest} bytes, but one over {settings.max_message_bytes} could not become a dead "
            f"letter and would hold up its partition: set kafka.max_message_bytes to {largest} or more",
        )


def _dead_letters(settings: KafkaSettings, found: Mapping[str, Topic]) -> Iterator[Finding]:
    target = found.get(settings.outputs.dead_letter)
    sources = [topic for name in settings.topics if (topic := found.get(name)) and topic.settings is not None]
    if target is None or target.settings is None or not sources:
        yield skipped("dead letters", "the settings of the input topics and of the dead-letter topic are not known")
        return
    largest = max(source.number("max.message.bytes") for source in sources)
    needed, allowed = largest + DEAD_LETTER_HEADROOM, target.number("max.message.bytes")
    if allowed < needed:
        yield wrong(
            "dead letters",
            f"{target.name} accepts {allowed} bytes and must accept {needed}, the largest input message and 16 KiB of "
            f"headers: kafka-configs.sh --bootstrap-server {first_of(settings)} --alter --entity-type topics "
            f"--entity-name {target.name} --add-config max.message.bytes={needed}",
        )
    else:
        yield ok("dead letters", f"{target.name} accepts {allowed} bytes, the inputs at most {largest}")


def _journal(settings: KafkaSettings, found: Mapping[str, Topic]) -> Iterator[Finding]:
    """Outputs record what is published already: they must keep it for as long as inputs can be read again."""
    inputs = [topic for name in settings.topics if (topic := found.get(name)) and topic.settings is not None]
    deleting = [each for each in inputs if each.settings and "delete" in each.settings["cleanup.policy"]]
    longest = max(deleting, key=kept_by, default=None)  # what is compacted keeps the last of each key, which is said
    for name in settings.outputs.all:
        topic = found.get(name)
        if topic is None or topic.settings is None:
            continue
        if "compact" in topic.settings["cleanup.policy"]:
            yield wrong(
                f"topic {name}",
                "is compacted: verdicts are lost, and what was published is forgotten, then paid for and published "
                f"again: {alter(settings, name, 'cleanup.policy=delete')}",
            )
        if longest is not None and kept_by(topic) < kept_by(longest):
            yield wrong(
                f"topic {name}",
                f"keeps outcomes for {for_how_long(kept_by(topic))}, but input {longest.name} keeps messages for "
                f"{for_how_long(kept_by(longest))}: messages that are read again after that are paid for and published "
                f"again: "
                f"{alter(settings, name, 'retention.ms=' + _milliseconds(longest))}",
            )


def kept_by(topic: Topic) -> float:
    """Seconds that a topic keeps a message; infinity where no age deletes it."""
    assert topic.settings is not None
    return kept(topic.settings)


def for_how_long(seconds: float) -> str:
    """Seconds, in words."""
    return "an unlimited time" if seconds == inf else lasting(seconds)


def _milliseconds(topic: Topic) -> str:
    return "-1" if kept_by(topic) == inf else str(topic.number("retention.ms"))


def alter(settings: KafkaSettings, topic: str, setting: str) -> str:
    """The command that changes a topic's setting."""
    return (
        f"kafka-configs.sh --bootstrap-server {first_of(settings)} --alter --entity-type topics "
        f"--entity-name {topic} --add-config {setting}"
    )


def retention(topic: Topic, backlog: Sequence[Backlog], outage: float, now: float) -> Iterator[Finding]:
    """
    Compare how long messages are kept with the longest outage to survive, in seconds, and with what already waits.
    """
    about = f"retention of {topic.name}"
    if lost := sum(each.lost for each in backlog):
        named = ", ".join(each.partition for each in backlog if each.lost)
        yield wrong(
            about,
            f"{lost} messages were deleted before they were judged, of {named}: raise retention.ms, and upload again",
        )
    if topic.settings is None:
        yield skipped(about, "the topic's settings are not known")
        return
    kept = topic.number("retention.ms") / 1000
    waiting = [each for each in backlog if each.oldest is not None]
    age = max((now - each.oldest for each in waiting if each.oldest is not None), default=0.0)
    if topic.number("retention.bytes") != FOR_EVER:
        yield warning(
            about, "retention.bytes deletes by size: many uploads at once shorten the time that is left to judge them"
        )
    if "delete" not in topic.settings["cleanup.policy"] or kept < 0:
        yield ok(about, f"messages are kept forever{_waiting(backlog, age)}")
    elif kept - age < outage:
        yield wrong(
            about,
            f"messages are kept for {lasting(kept)}{_waiting(backlog, age)}, which leaves "
            f"{lasting(max(0.0, kept - age))} of the {lasting(outage)} that an outage may take: raise retention.ms, "
            "or set --outage",
        )
    else:
        yield ok(about, f"messages are kept for {lasting(kept)}{_waiting(backlog, age)}")


def _waiting(backlog: Sequence[Backlog], age: float) -> str:
    lag = sum(each.lag for each in backlog)
    return (
        f"; {lag} are waiting, the oldest for {lasting(age)}" if lag and age else f"; {lag} are waiting" if lag else ""
    )
