"""
What aiokafka 0.14 does and its public methods do not show. `tests/contract/test_internals.py` would notice if
another version did otherwise.
"""

import asyncio
from collections.abc import Collection, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

import aiokafka.client
import aiokafka.consumer.subscription_state
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.subscription_state import TopicPartitionState
from aiokafka.errors import CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.structs import OffsetAndMetadata


def generation(consumer: AIOKafkaConsumer) -> int:
    """The group's generation that the consumer belongs to; −1 while it belongs to none."""
    found: int = consumer._coordinator.generation
    return found


async def committed(
    consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]
) -> Mapping[TopicPartition, OffsetAndMetadata]:
    """What is committed of the partitions, with metadata; those without a commit are left out. Waits for a broker."""
    found: Mapping[TopicPartition, OffsetAndMetadata] = await consumer._coordinator.fetch_committed_offsets(partitions)
    return found


def leader(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
    """The broker that leads a partition, as far as the client knows one."""
    found: int | None = consumer._client.cluster.leader_for_partition(partition)
    return None if found == -1 else found


def is_reassigning(consumer: AIOKafkaConsumer) -> bool:
    """Whether the group is dividing its partitions anew, or is to be joined: `getmany` then ignores its timeout."""
    found: bool = consumer._subscription.reassignment_in_progress
    return found


async def coordinator(consumer: AIOKafkaConsumer) -> None:
    """Wait until the group's coordinator is known, for as long as no broker can name it. `KafkaError` escapes."""
    await consumer._coordinator.ensure_coordinator_known()


async def commit_once(
    consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, OffsetAndMetadata], generation: int
) -> None:
    """
    Commit as a member of `generation` and no other, in one attempt, which ends within the client's request timeout once
    the coordinator is known.

    The public `commit` tries for ever, with whatever generation the consumer belongs to by then, −1 included, which a
    broker accepts while the group is empty.

    Raises:
        CommitFailedError: the consumer does not belong to that generation any more.
        KafkaError: the attempt failed; whether it was written is unknown.
    """
    await coordinator(consumer)
    group = consumer._coordinator
    if group.generation != generation:
        raise CommitFailedError(f"generation {generation} is over")
    try:
        await group._do_commit_offsets(None, offsets)  # takes the generation before it waits for anything
    except (UnknownMemberIdError, IllegalGenerationError, RebalanceInProgressError) as error:
        raise CommitFailedError(f"generation {generation} is over") from error


async def partition_counts(consumer: AIOKafkaConsumer, topics: Collection[str]) -> Mapping[str, int]:
    """
    How many partitions the topics have, asked for now; a topic that does not exist is left out.

    Every broker that is known is asked, and the largest number counts: one that does not know new partitions yet
    would make a replica take too much of the quota, and another, which counted them, takes its part as well.
    """
    client = consumer._client
    await client.force_metadata_update()
    request = MetadataRequest(list(topics), False)
    asked = [client.send(broker.nodeId, request) for broker in client.cluster.brokers()]
    answers: list[Any] = await asyncio.gather(*asked, return_exceptions=True)
    counts = {topic: len(found) for topic in topics if (found := consumer.partitions_for_topic(topic))}
    for answer in answers:
        if isinstance(answer, BaseException):
            continue  # a broker that is away
        for error, topic, *_, partitions in answer.topics:
            if error == 0:
                counts[topic] = max(counts.get(topic, 0), len(partitions))
    return counts


def missing_topics(consumer: AIOKafkaConsumer, topics: Collection[str]) -> list[str]:
    """The topics that do not exist, or that this user may not see, as far as the latest answer of a broker shows."""
    return [topic for topic in topics if not consumer.partitions_for_topic(topic)]


def create_no_topics(consumer: AIOKafkaConsumer) -> None:
    """
    Let a consumer that has not started ask for topics without creating them, and start though some do not exist.

    By default a broker creates one that is asked for by name, so that a misspelt topic looks like one without
    uploads; and `start` fails where a topic stays away for longer than a request may take.
    """
    client = consumer._client
    update = client._metadata_update

    async def without_creating(*arguments: Any) -> bool:
        before = _creates_topics.set(False)
        try:
            updated: bool = await update(*arguments)
            return updated
        finally:
            _creates_topics.reset(before)

    async def ask_once() -> None:
        client.set_topics(consumer._subscription.subscription.topics)
        await client.force_metadata_update()

    client._metadata_update = without_creating
    consumer._wait_topics = ask_once


_creates_topics: ContextVar[bool] = ContextVar("creates_topics", default=True)


class _MetadataRequest(MetadataRequest):  # type: ignore[misc]
    """The one that aiokafka's client makes: it has no way to say that topics must not be created."""

    def __init__(self, topics: list[str] | None = None) -> None:
        super().__init__(topics, _creates_topics.get())


aiokafka.client.MetadataRequest = _MetadataRequest


class Reset(NamedTuple):
    """A jump of a partition's next read, because the log does not have what was due."""

    due: int  # the offset that was due
    found: int  # the log's beginning, where reading goes on


class _State(TopicPartitionState):  # type: ignore[misc]
    """Of an assigned partition: notes what aiokafka does without any notification."""

    def __init__(self, assignment: object) -> None:
        super().__init__(assignment)
        self.reset: Reset | None = None
        self._due: int | None = None

    def await_reset(self, strategy: int) -> None:
        self._due = self._position
        super().await_reset(strategy)

    def reset_to(self, position: int) -> None:
        super().reset_to(position)
        if self._due is not None:
            self.reset, self._due = Reset(self._due, position), None


aiokafka.consumer.subscription_state.TopicPartitionState = _State


def resets(consumer: AIOKafkaConsumer) -> Mapping[TopicPartition, Reset]:
    """The partitions whose log did not have what was due since this was asked last, by retention or a new log."""
    subscription = consumer._subscription.subscription
    assignment = subscription.assignment if subscription is not None else None
    if assignment is None:
        return {}
    found = {each: state.reset for each in assignment.tps if (state := assignment.state_value(each)).reset is not None}
    for each in found:
        assignment.state_value(each).reset = None
    return found


def position(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
    """The next offset that will be read, None while that is being found out. The public method would wait."""
    subscription = consumer._subscription.subscription
    assignment = subscription.assignment if subscription is not None else None
    if assignment is None or partition not in assignment.tps:
        return None
    state = assignment.state_value(partition)
    found: int | None = state.position if state.has_valid_position else None
    return found
