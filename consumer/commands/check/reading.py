"""Whether what lies in the topics can be read: the last record of each, input and output. Nothing is committed."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from consumer.commands.check.findings import Finding, ok, skipped, warning, wrong
from consumer.kafka.unreadable import TOO_LARGE, UnreadableRecord

LOOK_DEADLINE = 3.0  # seconds, for one topic


async def last_records(reader: Any, partitions: Mapping[str, int], inputs: Collection[str]) -> list[Finding]:
    """Read the last record of each partition of each topic, and say what could not be read and why."""
    read: list[str] = []
    findings: list[Finding] = []
    for topic, count in partitions.items():
        try:
            records = await _last(reader, [TopicPartition(topic, number) for number in range(count)])
        except TopicAuthorizationFailedError:
            findings.append(wrong("records", f"{topic}: this user may not read it: grant Read"))
            continue
        except (KafkaError, TimeoutError) as error:
            findings.append(skipped("records", f"{topic}: could not be read ({type(error).__name__})"))
            continue
        bad = [_unreadable(each, topic in inputs) for each in records if isinstance(each, UnreadableRecord)]
        findings += bad
        if records and not bad:
            read.append(topic)
    return [*findings, ok("records", f"the last ones of {', '.join(read)} can be read")] if read else findings


async def _last(reader: Any, partitions: list[TopicPartition]) -> list[Any]:
    begins = await reader.beginning_offsets(partitions)
    ends = await reader.end_offsets(partitions)
    left = {each for each in partitions if begins[each] < ends[each]}
    if not left:
        return []
    reader.assign(list(left))
    for partition in left:
        reader.seek(partition, ends[partition] - 1)
    found: list[Any] = []
    deadline = asyncio.get_running_loop().time() + LOOK_DEADLINE
    while left and asyncio.get_running_loop().time() < deadline:
        for partition, records in (await reader.getmany(*left, timeout_ms=200)).items():
            found.append(records[-1])
            left.discard(partition)
            reader.pause(partition)
        # What ends with a transaction's marker has no record there.
        left = {each for each in left if await reader.position(each) < ends[each]}
    if left and not found:
        raise TimeoutError
    return found


def _unreadable(record: UnreadableRecord, is_input: bool) -> Finding:
    told = record.unreadable
    assert told is not None
    where = f"{record.topic}/{record.partition} at offset {told.first_offset}"
    if told.reason == TOO_LARGE:
        becomes = "it becomes one dead letter" if is_input else "its outcomes will not be found when partitions "
        "change their owner"
        return warning("records", f"{where}: a batch of {told.detail} unpacked ({told.codec}): {becomes}")
    way_on = (
        f"its partition will be held: repair it on the brokers, or set kafka.skip_damaged to "
        f"[{record.topic}/{record.partition}@{told.first_offset}]"
        if is_input
        else "it will be skipped, and its images paid for again: repair it on the brokers"
    )
    return wrong("records", f"{where}: its batch is damaged ({told.detail}): {way_on}")
