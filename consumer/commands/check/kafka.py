"""
Ask a cluster about topics and a group, and change nothing: no topic is created, no group joined, no offset committed.
"""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    KafkaError,
    NotCoordinatorForGroupError,
    SecurityDisabled,
)

from consumer.commands.check.findings import Finding, ok, refused, skipped, wrong
from consumer.commands.check.networks import clear_text, no_authorizer, writers
from consumer.commands.check.people import people, topics_of_people, writers_of_people
from consumer.commands.check.reading import last_records
from consumer.commands.check.sizing import partitions_and_calls, partitions_and_journal, partitions_and_quota
from consumer.commands.check.topics import Backlog, Topic, retention, topics
from consumer.commands.clients import reader
from consumer.config import Config
from consumer.config.kafka import KafkaSettings
from consumer.errors import Misconfigured
from consumer.kafka import acls
from consumer.kafka.admin import admin_client, topic_settings
from consumer.kafka.security import KafkaAccess
from consumer.records import seconds

DEADLINE = 20.0  # seconds, for all of it
LOOK_DEADLINE = 5.0  # seconds, to find the oldest messages that wait
COORDINATOR_ATTEMPTS = 20
COORDINATOR_DELAY = 0.25  # seconds
SETTINGS = ("max.message.bytes", "min.insync.replicas", "retention.ms", "retention.bytes", "cleanup.policy")


async def look_at_kafka(config: Config, outage: float, now: float) -> list[Finding]:
    """
    Look at the broker, the topics, and what waits in them; says so once where the cluster cannot be asked.

    `outage` is the longest to survive, in seconds, `now` unix seconds.
    """
    return [*clear_text(config.kafka), *await _asked(config, outage, now)]


async def _asked(config: Config, outage: float, now: float) -> list[Finding]:
    findings: list[Finding] = []
    servers = config.kafka.bootstrap_servers
    try:
        with _quiet():
            async with asyncio.timeout(DEADLINE):
                access = KafkaAccess(config.kafka)
                if refusal := await access.probe():
                    return [wrong("broker", refusal.reason), _nothing_more()]
                findings.append(ok("broker", f"{servers} answers"))
                async with admin_client(access) as admin:
                    tasks = config.tasks_topic
                    written = [*config.kafka.outputs.all, *([] if tasks is None else [tasks])]
                    of_people = topics_of_people(config)
                    described = await _describe(admin, {*config.kafka.topics, *written, *of_people})
                    found = {name: each for name, each in described.items() if name not in of_people}
                    findings += topics(config.kafka, found, tasks, config.scan.results_kept)
                    findings += people(config, described)
                    findings += await _writers(admin, config, [*written, *of_people], described)
                    findings += await _quota_and_backlog(access, admin, config, found, outage, now)
                    findings += await _records(access, config.kafka, found)
    except Misconfigured as error:
        return [*(refused("broker", problem) for problem in error.problems), _nothing_more()]
    except (KafkaError, OSError, TimeoutError) as error:
        if findings:
            findings.append(wrong("broker", f"{servers} stopped answering ({type(error).__name__}): try again"))
        else:
            why = "in time" if isinstance(error, TimeoutError) else f"({type(error).__name__})"
            findings.append(
                wrong("broker", f"{servers} does not answer {why}: check that it runs, and kafka.bootstrap_servers")
            )
        findings.append(_nothing_more())
    return findings


def _nothing_more() -> Finding:
    return skipped("Kafka", "topics, dead letters, quota and retention need the broker")


async def _describe(admin: Any, wanted: Collection[str]) -> dict[str, Topic]:
    # All topics: a broker may create one that is asked for by name.
    described = [each for each in await admin.describe_topics() if each["topic"] in wanted and not each["error_code"]]
    told = await topic_settings(admin, [each["topic"] for each in described], SETTINGS)
    return {
        each["topic"]: Topic(
            name=each["topic"],
            partitions=len(each["partitions"]),
            replicas=min(len(partition["replicas"]) for partition in each["partitions"]),
            leaderless=tuple(sorted(part["partition"] for part in each["partitions"] if part["leader"] < 0)),
            settings=told.get(each["topic"]),
        )
        for each in described
    }


async def _writers(admin: Any, config: Config, written: Sequence[str], found: Collection[str]) -> list[Finding]:
    """Who may write outcomes and decisions. That the cluster does not say so leaves nothing else out."""
    asked = [name for name in written if name in found]
    if not asked:
        return []
    try:
        told = await acls.writers(admin, asked)
    except SecurityDisabled:
        return [no_authorizer()]
    except ClusterAuthorizationFailedError:
        return [skipped("writers", "this user may not see who may write to the outputs: grant Describe on the cluster")]
    except KafkaError as error:
        return [skipped("writers", f"the cluster does not say who may write to the outputs ({type(error).__name__})")]
    of_people = {name: told[name] for name in topics_of_people(config) if name in told}
    outputs = {name: who for name, who in told.items() if name not in of_people}
    return [*writers(outputs), *writers_of_people(of_people, config)]


async def _quota_and_backlog(
    access: KafkaAccess, admin: Any, config: Config, found: Mapping[str, Topic], outage: float, now: float
) -> list[Finding]:
    inputs = [found[name] for name in config.kafka.topics if name in found]
    if not inputs:
        return [skipped("quota, retention", "needs a topic to read from")]
    findings = [
        partitions_and_quota(name, sum(found[topic].partitions for topic in lane.topics if topic in found), calls)
        for name, lane in config.all_lanes.items()
        for calls in [config.calls_by_lane[name]]
    ]
    journal = config.journal
    partitions = sum(topic.partitions for topic in inputs)
    findings += partitions_and_journal(partitions, journal.max_outcomes_per_partition, journal.max_outcomes)
    per_partition = config.admission.max_records_per_partition
    findings += partitions_and_calls(partitions, per_partition, config.provider.max_in_flight)
    try:
        backlog = await _backlog(access, admin, config.kafka, inputs)
    except KafkaError as error:
        return [
            *findings,
            skipped("retention", f"the cluster does not show the group's offsets ({type(error).__name__})"),
        ]
    for topic in inputs:
        findings += retention(topic, backlog[topic.name], outage, now)
    return findings


async def _records(access: KafkaAccess, settings: KafkaSettings, found: Mapping[str, Topic]) -> list[Finding]:
    counts = {name: topic.partitions for name, topic in found.items()}
    if not counts:
        return []
    async with reader(
        access, max_batch_bytes=settings.max_batch_bytes, isolation_level="read_committed", fetch_max_wait_ms=100
    ) as consumer:
        return await last_records(consumer, counts, settings.topics)


async def _backlog(
    access: KafkaAccess, admin: Any, settings: KafkaSettings, inputs: Sequence[Topic]
) -> dict[str, list[Backlog]]:
    """The smallest fetches: one batch of each partition is looked at."""
    partitions = [TopicPartition(topic.name, number) for topic in inputs for number in range(topic.partitions)]
    committed = await _committed(admin, settings.group_id, partitions)
    async with reader(access, max_partition_fetch_bytes=1, fetch_max_wait_ms=100) as consumer:
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        positions = {part: found.offset for part in partitions if (found := committed.get(part)) and found.offset >= 0}
        waiting = {
            part: start for part in partitions if (start := max(begins[part], positions.get(part, 0))) < ends[part]
        }
        oldest = await _oldest(consumer, waiting)
    backlog: dict[str, list[Backlog]] = {topic.name: [] for topic in inputs}
    for part in partitions:
        backlog[part.topic].append(
            Backlog(
                partition=f"{part.topic}/{part.partition}",
                committed=positions.get(part),
                begin=begins[part],
                end=ends[part],
                oldest=oldest.get(part),
            )
        )
    return backlog


async def _committed(admin: Any, group: str, partitions: list[TopicPartition]) -> dict[TopicPartition, Any]:
    """Return what the group has committed. A new cluster creates its coordinators when a client asks for one."""
    for _ in range(COORDINATOR_ATTEMPTS):
        with contextlib.suppress(GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError):
            committed: dict[TopicPartition, Any] = await admin.list_consumer_group_offsets(group, partitions=partitions)
            return committed
        await asyncio.sleep(COORDINATOR_DELAY)
    raise GroupCoordinatorNotAvailableError


async def _oldest(reader: Any, waiting: Mapping[TopicPartition, int]) -> dict[TopicPartition, float]:
    """Return the time, in unix seconds, of the first message in each partition from an offset on."""
    times: dict[TopicPartition, float] = {}
    if not waiting:
        return times
    reader.assign(list(waiting))
    for partition, offset in waiting.items():
        reader.seek(partition, offset)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LOOK_DEADLINE):
            while left := [partition for partition in waiting if partition not in times]:
                for partition, records in (await reader.getmany(*left, timeout_ms=500)).items():
                    times[partition] = seconds(records[0].timestamp)
                    reader.pause(partition)
    return times


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """aiokafka logs what it also raises, and every attempt at it. The last of those that are quiet at once restores."""
    log = logging.getLogger("aiokafka")
    _LEVELS.append(log.level)
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        level = _LEVELS.pop()
        if not _LEVELS:
            log.setLevel(level)


_LEVELS: list[int] = []  # before each of those that are quiet; the first is the level as it was
