"""
What a member of the group asks of Kafka, with aiokafka 0.14: starts and numbers of partitions, and commits.
"""

from collections.abc import Callable, Collection, Mapping

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, StaleMetadata
from aiokafka.structs import OffsetAndMetadata

from consumer.clock import Clock
from consumer.config.kafka import KafkaSettings
from consumer.intake.committer import Commit
from consumer.intake.starts import FindBases, Start, Starts, ends_of
from consumer.journal.commits import Commits
from consumer.kafka import internals
from consumer.records import Partition, beyond

log = structlog.get_logger()


class Member:
    """One generation of the group after the other, through one consumer."""

    def __init__(self, settings: KafkaSettings, commits: Commits, find_bases: FindBases, clock: Clock) -> None:
        self._settings = settings
        self._commits = commits
        self._starts = Starts(settings, commits, find_bases, clock)
        self._clock = clock
        self.consumer: AIOKafkaConsumer
        self.owner = commits.owner
        self.generation = -1
        self.assigned_at = 0.0  # by the clock's `now`

    def joined(self) -> None:
        """Note that the consumer has an assignment of another generation."""
        self.generation = internals.generation(self.consumer)
        self.assigned_at = self._clock.now()

    def missing_topics(self) -> list[str]:
        """The topics to read that the brokers do not know, or do not show to this user."""
        return internals.missing_topics(self.consumer, self._settings.topics)

    async def counts(self, assigned: Collection[Partition]) -> Mapping[str, int]:
        """How many partitions each topic has. `StaleMetadata` escapes where some are assigned that cannot be there."""
        counts = await internals.partition_counts(self.consumer, self._settings.topics)
        if contradictory := beyond(assigned, counts):
            log.warning("partitions.miscounted", partitions=named(contradictory), counted=counts)
            raise StaleMetadata(contradictory)
        return counts

    async def starts(
        self, new: Collection[Partition], assigned: Collection[Partition], remembered: Collection[Partition]
    ) -> Mapping[Partition, Start]:
        """Where new partitions start; see `Starts.find`. `KafkaError` escapes."""
        counts = {each.topic: 0 for each in new}
        if self._settings.auto_offset_reset == "latest":
            counts |= await self.counts(assigned)
        partitions = [TopicPartition(*each) for each in new]
        return await self._starts.find(self.consumer, partitions, remembered, counts, self.generation)

    async def ends(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """Where these partitions' logs end, without those whose leaders do not say so in time."""
        return await ends_of(self.consumer, partitions)

    def seek(self, partition: Partition, offset: int) -> None:
        """Read a partition from `offset` on."""
        self.consumer.seek(TopicPartition(*partition), offset)

    async def commit(self, commit: Commit, on_not_a_member: Callable[[], None]) -> None:
        """
        Commit in one attempt, as a member of this generation. `KafkaError` escapes.

        `on_not_a_member` is called where the group has gone on without this replica.
        """
        offsets = {
            TopicPartition(*partition): OffsetAndMetadata(offset, self._commits.sign(partition, offset, metadata))
            for partition, (offset, metadata) in commit.items()
        }
        generation = self.generation
        try:
            await internals.commit_once(self.consumer, offsets, generation)
        except CommitFailedError:
            if generation == self.generation:  # or it says nothing of the membership that has begun since
                on_not_a_member()
            raise


def named(partitions: Collection[tuple[str, int]]) -> list[str]:
    """Partitions as the log names them."""
    return sorted(f"{topic}/{number}" for topic, number in partitions)
