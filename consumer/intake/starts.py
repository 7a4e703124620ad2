"""
Where the reading of a partition begins, and since when its journal must be read first.

    a commit of this very process ........... there; it remembers what it has published itself
    a commit of another ..................... there, and the journal since `journal_from` of its metadata
    a commit that is none of the service's .. there, and the journal from the outputs' beginning; where commits are
                                              signed it is not believed: see `foreign_commits.py`
    none, `earliest` ........................ the log's beginning; offsets that Kafka has forgotten look the same, so
                                              the journal from the outputs' beginning, unless the log is empty or
                                              no output exists
    none, `latest`, none of partition 0 ..... the topic is new to the group: the owner of partition 0 commits where all
                                              of its partitions end, in one request, and the others wait for theirs
    none, `latest`, one of partition 0 ...... the partition was added, or its offset forgotten: as `earliest`
    none, `latest`, a signed outcome ........ the topic is not new: Kafka has forgotten its offsets, or somebody deleted
                                              them, or the topic, and made it again: as `earliest`. What such an
                                              outcome says was settled may be of the log that there was before
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from consumer.clock import Clock
from consumer.config.kafka import KafkaSettings
from consumer.intake.bases import Base
from consumer.journal.commit_metadata import BEGINNING, CommitMetadata, must_be_read
from consumer.journal.commits import Commits
from consumer.kafka import internals
from consumer.records import Partition

log = structlog.get_logger()

BOUNDS_TIMEOUT = 5.0  # seconds until a partition whose leader does not answer is left for the next attempt


FindBases = Callable[[Collection[Partition], Callable[[], bool]], Awaitable[Mapping[Partition, Base]]]
"""Returns the bases of partitions that have one. Ends early once the second argument says that nobody waits for it."""


class Start(NamedTuple):
    """Where a partition begins."""

    offset: int
    since: float | None = None  # unix seconds from which on the journal must be read; None: nothing is to be known
    others: bool = False  # another process may have had it since this one
    moved: bool = False  # it is not where the client would begin by itself
    foreign: bool = False  # a stranger committed that offset: the partition does not start there without more ado


class Starts:
    """Finds where partitions begin, for one process."""

    def __init__(self, settings: KafkaSettings, commits: Commits, find_bases: FindBases, clock: Clock) -> None:
        self._latest = settings.auto_offset_reset == "latest"
        self._find_bases = find_bases
        self._outputs = settings.outputs.all
        self._commits = commits
        self._clock = clock

    async def find(
        self,
        consumer: AIOKafkaConsumer,
        partitions: Collection[TopicPartition],
        remembered: Collection[Partition],
        counts: Mapping[str, int],
        generation: int,
    ) -> Mapping[Partition, Start]:
        """
        Where these partitions begin, without those for which it is not known yet.

        `remembered` are those of which this process knows all that itself has published. `KafkaError` escapes.
        """
        asked = {*partitions, *(TopicPartition(each.topic, 0) for each in partitions)} if self._latest else partitions
        committed = await internals.committed(consumer, asked)
        starts = {}
        for each in partitions:
            if each in committed:
                partition = Partition(*each)
                starts[partition] = self._committed(partition, committed[each], partition in remembered)
        without = [each for each in partitions if each not in committed]
        # Every broker is asked: an output that one of them knows must be read.
        read = bool(without) and bool(await internals.partition_counts(consumer, self._outputs))
        if self._latest:
            uncommitted = {each.topic for each in without if TopicPartition(each.topic, 0) not in committed}
            if read and self._commits.are_signed:
                uncommitted -= await self._judged(consumer, uncommitted, counts, generation)
            new = [each for each in without if each.topic in uncommitted]
            without = [each for each in without if each not in new]
            ends = await self._end_of_topics(consumer, new, counts, generation)
            starts |= {Partition(*each): Start(ends[each], moved=True) for each in new if each in ends}
        begins = await asyncio.gather(*(self._beginning(consumer, each, read) for each in without))
        starts |= {Partition(*each): begin for each, begin in zip(without, begins, strict=True) if begin is not None}
        if not self._commits.are_signed:
            return starts
        # The client asks for itself where to begin, and may meet a stranger's commit that was not there a moment ago.
        return {partition: start._replace(moved=True) for partition, start in starts.items()}

    def _committed(self, partition: Partition, found: OffsetAndMetadata, remembered: bool) -> Start:
        owner = self._commits.owner
        metadata = self._commits.read(partition, found.offset, found.metadata or "")
        if metadata is None:
            return Start(found.offset, BEGINNING, others=True, foreign=self._commits.are_signed)
        since = must_be_read(metadata, owner if remembered else None)
        return Start(found.offset, since, others=metadata.owner != owner)

    async def _judged(
        self, consumer: AIOKafkaConsumer, topics: Collection[str], counts: Mapping[str, int], generation: int
    ) -> set[str]:
        """Of topics without a commit, those of which a signed outcome is there: this group has judged some of them."""
        wanted = [Partition(topic, number) for topic in topics for number in range(counts[topic])]
        bases = await self._find_bases(wanted, lambda: generation == internals.generation(consumer)) if wanted else {}
        judged = {each.topic for each in bases}
        for topic in sorted(judged):
            log.warning("commit.missing", topic=topic)
        return judged

    async def _beginning(self, consumer: AIOKafkaConsumer, partition: TopicPartition, read: bool) -> Start | None:
        """Of a partition without a commit; `read` where there are outputs that may know of it."""
        bounds = await _bounds(consumer, [partition])
        if bounds is None:
            return None
        begin, end = bounds[partition]
        return Start(begin, BEGINNING if read and begin < end else None)

    async def _end_of_topics(
        self,
        consumer: AIOKafkaConsumer,
        new: Collection[TopicPartition],
        counts: Mapping[str, int],
        generation: int,
    ) -> Mapping[TopicPartition, int]:
        """Commit the ends of topics of which this replica has partition 0, and return them."""
        ends: dict[TopicPartition, int] = {}
        for topic in sorted({each.topic for each in new if each.partition == 0}):
            partitions = [TopicPartition(topic, number) for number in range(counts[topic])]
            committed = await internals.committed(consumer, partitions)
            bounds = await _bounds(consumer, [each for each in partitions if each not in committed])
            if bounds is None:
                continue
            metadata = str(CommitMetadata(self._clock.wall(), self._commits.owner))
            found = {each: end for each, (_, end) in bounds.items()}
            commit = {
                each: OffsetAndMetadata(end, self._commits.sign(Partition(*each), end, metadata))
                for each, end in found.items()
            }
            await internals.commit_once(consumer, commit, generation)
            log.info(
                "topic.begun_at_its_end", topic=topic, offsets={each.partition: end for each, end in found.items()}
            )
            ends |= found
        return ends


async def _bounds(
    consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]
) -> Mapping[TopicPartition, tuple[int, int]] | None:
    """Where the partitions begin and end; None if a leader does not say."""
    try:
        async with asyncio.timeout(BOUNDS_TIMEOUT):
            begins = await consumer.beginning_offsets(partitions)
            ends = await consumer.end_offsets(partitions)
    except (KafkaError, TimeoutError) as error:
        log.warning("partitions.bounds_unknown", partitions=[*map(str, partitions)], error=type(error).__name__)
        return None
    return {each: (begins[each], ends[each]) for each in partitions}


async def ends_of(consumer: AIOKafkaConsumer, partitions: Collection[Partition]) -> Mapping[Partition, int]:
    """Where these partitions end, without those whose leaders do not say. Each leader is asked once, and by itself."""
    by_leader: dict[int | TopicPartition, list[TopicPartition]] = {}
    for each in [TopicPartition(*partition) for partition in partitions]:
        leader = internals.leader(consumer, each)
        by_leader.setdefault(each if leader is None else leader, []).append(each)
    asked = await asyncio.gather(*(_ends(consumer, each) for each in by_leader.values()))
    return {Partition(*partition): end for ends in asked for partition, end in ends.items()}


async def _ends(consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
    """Where the partitions of one leader end; none where it does not say."""
    try:
        async with asyncio.timeout(BOUNDS_TIMEOUT):
            ends: Mapping[TopicPartition, int] = await consumer.end_offsets(partitions)
    except (KafkaError, TimeoutError) as error:
        log.warning("partitions.bounds_unknown", partitions=[*map(str, partitions)], error=type(error).__name__)
        return {}
    return ends
