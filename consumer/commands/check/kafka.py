"""
Ask a cluster about topics and a group, and change nothing: no topic is created, no group joined, no offset committed.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError, NotCoordinatorForGroupError

from consumer.commands.check.findings import Finding, ok, skipped, wrong
from consumer.commands.check.sizing import partitions_and_quota
from consumer.commands.check.topics import Backlog, Topic, retention, topics
from consumer.config import Config, KafkaSettings

REQUEST_TIMEOUT = 5.0  # seconds
DEADLINE = 20.0  # seconds, for all of it
LOOK_DEADLINE = 5.0  # seconds, to find the oldest messages that wait
COORDINATOR_ATTEMPTS = 20
COORDINATOR_DELAY = 0.25  # seconds
SETTINGS = ("max.message.bytes", "min.insync.replicas", "retention.ms", "retention.bytes", "cleanup.policy")


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Say how the cluster is reached, for every aiokafka client here."""
    return {
        "bootstrap_servers": settings.bootstrap_servers,
        "client_id": settings.client_id,
        "request_timeout_ms": round(REQUEST_TIMEOUT * 1000),
    }


async def look_at_kafka(config: Config, outage: float, now: float) -> list[Finding]:
    """
    Look at the broker, the topics, and what waits in them; says so once where the cluster cannot be asked.

    `outage` is the longest to survive, in seconds, `now` unix seconds.
    """
    findings: list[Finding] = []
    servers = config.kafka.bootstrap_servers
    try:
        with _quiet():
            async with asyncio.timeout(DEADLINE), _admin(config.kafka) as admin:
                findings.append(ok("broker", f"{servers} answers"))
                found = await _describe(admin, config.kafka)
                findings += topics(config.kafka, found)
                findings += await _quota_and_backlog(admin, config, found, outage, now)
    except (KafkaError, OSError, TimeoutError) as error:
        if findings:
            findings.append(wrong("broker", f"{servers} stopped answering ({type(error).__name__}): try again"))
        else:
            why = "in time" if isinstance(error, TimeoutError) else f"({type(error).__name__})"
            findings.append(
                wrong("broker", f"{servers} does not answer {why}: see that it runs, and kafka.bootstrap_servers")
            )
        findings.append(skipped("Kafka", "what needs the broker: topics, dead letters, quota, retention"))
    return findings


@contextlib.asynccontextmanager
async def _admin(settings: KafkaSettings) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def _describe(admin: Any, settings: KafkaSettings) -> dict[str, Topic]:
    outputs = settings.outputs
    wanted = {*settings.topics, outputs.block, outputs.review, outputs.pass_, outputs.dead_letter}
    # All topics: a broker may create one that is asked for by name.
    described = [each for each in await admin.describe_topics() if each["topic"] in wanted and not each["error_code"]]
    told = await _settings(admin, [each["topic"] for each in described])
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


async def _settings(admin: Any, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the settings of each topic that the cluster tells them of."""
    if not names:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, configs=dict.fromkeys(SETTINGS)) for name in names]
    try:
        responses = await admin.describe_configs(asked)
    except KafkaError:  # the embedded broker cannot be asked
        return {}
    return {
        name: {entry[0]: entry[1] for entry in entries}
        for response in responses
        for code, _, _, name, entries in response.resources
        if code == 0
    }


async def _quota_and_backlog(
    admin: Any, config: Config, found: Mapping[str, Topic], outage: float, now: float
) -> list[Finding]:
    inputs = [found[name] for name in config.kafka.topics if name in found]
    if not inputs:
        return [skipped("quota, retention", "needs a topic to read from")]
    findings = [partitions_and_quota(sum(topic.partitions for topic in inputs), config.quota.qps)]
    try:
        backlog = await _backlog(admin, config.kafka, inputs)
    except KafkaError as error:
        return [
            *findings,
            skipped("retention", f"the cluster does not tell the group's offsets ({type(error).__name__})"),
        ]
    for topic in inputs:
        findings += retention(topic, backlog[topic.name], outage, now)
    return findings


async def _backlog(admin: Any, settings: KafkaSettings, inputs: Sequence[Topic]) -> dict[str, list[Backlog]]:
    partitions = [TopicPartition(topic.name, number) for topic in inputs for number in range(topic.partitions)]
    committed = await _committed(admin, settings.group_id, partitions)
    async with _reader(settings) as reader:
        begins = await reader.beginning_offsets(partitions)
        ends = await reader.end_offsets(partitions)
        positions = {part: found.offset for part in partitions if (found := committed.get(part)) and found.offset >= 0}
        waiting = {
            part: start for part in partitions if (start := max(begins[part], positions.get(part, 0))) < ends[part]
        }
        oldest = await _oldest(reader, waiting)
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
    """Return what the group has committed. A new cluster makes its coordinators when somebody asks for one."""
    for _ in range(COORDINATOR_ATTEMPTS):
        with contextlib.suppress(GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError):
            committed: dict[TopicPartition, Any] = await admin.list_consumer_group_offsets(group, partitions=partitions)
            return committed
        await asyncio.sleep(COORDINATOR_DELAY)
    raise GroupCoordinatorNotAvailableError


@contextlib.asynccontextmanager
async def _reader(settings: KafkaSettings) -> AsyncIterator[Any]:
    """A consumer without a group. The smallest fetches: one batch of each partition is looked at."""
    reader = AIOKafkaConsumer(
        **client_options(settings), enable_auto_commit=False, max_partition_fetch_bytes=1, fetch_max_wait_ms=100
    )
    try:
        await reader.start()
        yield reader
    finally:
        await reader.stop()


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
                    times[partition] = records[0].timestamp / 1000
                    reader.pause(partition)
    return times


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """aiokafka logs what it also raises, and every attempt at it."""
    log = logging.getLogger("aiokafka")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(level)
