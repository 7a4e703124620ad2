"""By which policy the newest verdict was decided. The ends of the output topics are read, and nothing is committed."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumer.commands.clients import reader
from consumer.config.kafka import KafkaSettings
from consumer.errors import ConsumerError
from consumer.kafka.admin import admin_client
from consumer.kafka.security import KafkaAccess
from consumer.records import PolicyName

LAST = 10  # offsets of each partition that are looked at: some are markers of transactions, or people's decisions
DEADLINE = 30.0  # seconds, for all of it


class NotAnswered(ConsumerError):
    """The brokers did not answer."""


class Decided(NamedTuple):
    """A verdict's policy, and the moment of its record in milliseconds."""

    moment: int
    policy: PolicyName


async def newest_policy(settings: KafkaSettings) -> PolicyName | None:
    """
    Name the policy of the newest verdict that no person decided; None where there is none yet.

    Raises:
        NotAnswered: no broker answers in time, or lets this client in.
        Misconfigured: a file of `kafka.security` cannot be read.
    """
    access = KafkaAccess(settings)
    if refusal := await access.probe():
        raise NotAnswered(f"kafka.bootstrap_servers: {refusal.reason}")
    try:
        async with (
            asyncio.timeout(DEADLINE),
            admin_client(access) as admin,
            reader(access, isolation_level="read_committed") as consumer,
        ):
            records = await _ends(consumer, await _partitions(admin, settings))
    except (KafkaError, TimeoutError) as error:
        servers = settings.bootstrap_servers
        raise NotAnswered(f"kafka.bootstrap_servers: {servers} does not answer: {type(error).__name__}") from error
    found = [each for record in records for each in decided(record.timestamp, record.value)]
    return max(found, key=lambda each: each.moment).policy if found else None


def decided(moment: int, value: bytes | None) -> Iterator[Decided]:
    """Take the policy from a record that is a verdict which no person decided; nothing from any other."""
    try:
        verdict = orjson.loads(value or b"null")
        if not str(verdict["schema"]).startswith("moderation.verdict.v1") or verdict["decided_by"] == "human":
            return
        policy = verdict["policy"]
        yield Decided(
            moment, PolicyName(id=str(policy["id"]), version=int(policy["version"]), sha256=str(policy["sha256"]))
        )
    except (ValueError, TypeError, KeyError):
        return


async def _partitions(admin: Any, settings: KafkaSettings) -> list[TopicPartition]:
    outputs = settings.outputs.by_decision.values()
    # All topics: a broker may create one that is asked for by name.
    found = [each for each in await admin.describe_topics() if each["topic"] in outputs and not each["error_code"]]
    return [TopicPartition(each["topic"], part["partition"]) for each in found for part in each["partitions"]]


async def _ends(consumer: Any, partitions: Sequence[TopicPartition]) -> list[Any]:
    begins = await consumer.beginning_offsets(partitions)
    ends = await consumer.end_offsets(partitions)
    left = [each for each in partitions if begins[each] < ends[each]]
    if not left:
        return []
    consumer.assign(left)
    for partition in left:
        consumer.seek(partition, max(begins[partition], ends[partition] - LAST))
    found: list[Any] = []
    while left:
        for records in (await consumer.getmany(*left, timeout_ms=200)).values():
            found += records
        left = [each for each in left if await consumer.position(each) < ends[each]]
    return found
