"""
What becomes of a partition whose commit is not this service's: somebody joined the group, or reset its offsets.

The offset of such a commit says nothing about what was judged. By `kafka.foreign_commits`

    rejudge   the partition starts at its base, the last genuine word about it (`bases.py`): what has an outcome from
              there on is neither paid nor published again. Without a base, or with more than `kafka.rejudge_at_most`
              records between base and commit, as `hold`
    hold      it is not read until an operator accepts the commit (`moderation-consumer offsets accept`)
    accept    it starts where the commit says: what is before it may never be judged

Only where commits are signed: without a key nothing tells a stranger's commit from ours.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from math import inf
from typing import Literal, NamedTuple

import structlog

from consumer.clock import Clock
from consumer.config.kafka import KafkaSettings
from consumer.intake.bases import FIRST_SPAN, Base, bases_since, find_bases, later
from consumer.intake.partitions import Partitions
from consumer.intake.starts import Start
from consumer.journal.commit_metadata import BEGINNING
from consumer.journal.reader import OutputReader
from consumer.observability import metrics
from consumer.records import Partition

log = structlog.get_logger()

LOOK_INTERVAL = 5.0  # seconds between two looks for an operator's acceptance

Policy = Literal["rejudge", "hold", "accept"]


class Held(NamedTuple):
    """Why a partition is not read, and what ends that besides an acceptance."""

    reason: str
    way_on: str


def decide(policy: Policy, at_most: int, committed: int, end: int, base: Base | None) -> Start | Held:
    """
    Where a partition starts of which a stranger committed an offset; `end` is its log's, and `base` what is known to be
    settled of it.
    """
    if policy == "accept" or (base is not None and base.is_acceptance and base.committed.offset == committed):
        return Start(committed, BEGINNING, others=True)
    if policy == "hold":
        return Held("kafka.foreign_commits is hold", "rejudge looks at what lies between once more")
    if base is None:
        return Held("nothing says where this service was", "with the group stopped it may be set elsewhere first")
    between = min(committed, end) - base.committed.offset
    if between > at_most:
        return Held(f"{between} records lie in between", f"kafka.rejudge_at_most ({at_most}) may be raised")
    return Start(base.committed.offset, base.committed.journal_from, others=True, moved=True)


class ForeignCommits:
    """Decides about them, and says which partitions are held."""

    def __init__(
        self, settings: KafkaSettings, partitions: Partitions, outputs: OutputReader, most: int, clock: Clock
    ) -> None:
        """At most so many outcomes are read to find a base, or a few more."""
        self._policy: Policy = settings.foreign_commits
        self._at_most = settings.rejudge_at_most
        self._partitions = partitions
        self._outputs = outputs
        self._most = most
        self._clock = clock
        self._bases: dict[Partition, Base] = {}
        self._looked: dict[Partition, float] = {}  # up to when the outputs were read for a base, unix seconds
        self._held: dict[Partition, tuple[int, Held]] = {}  # with the offset of the commit

    async def starts(
        self, commits: Mapping[Partition, Start], ends: Mapping[Partition, int], goes_on: Callable[[], bool]
    ) -> Mapping[Partition, Start]:
        """
        Where partitions with such commits start, without those that are held, and those of which it is not known where
        their logs end. `KafkaError` escapes.
        """
        self._held = {each: held for each, held in self._held.items() if each in commits}
        if commits and self._policy != "accept":
            await self._look_for_bases(commits, goes_on)
        if not goes_on():
            return {}
        decided = {each: self._decide(each, commits[each].offset, end) for each, end in ends.items()}
        # Wherever that is, the client is sent there: it may have been told another offset than the one decided about.
        return {each: start._replace(moved=True) for each, start in decided.items() if isinstance(start, Start)}

    def holds(self, partition: Partition) -> bool:
        """Whether it was decided that a partition is not read."""
        return partition in self._held

    def reasons(self) -> Iterator[str]:
        """Say which partitions are held, and how they go on."""
        for partition, (committed, held) in sorted(self._held.items()):
            if partition in self._partitions and not self._partitions.is_owned(partition):
                topic, number = partition
                base = self._base(partition)
                proven = f"offset {base.committed.offset}" if base else "no offset"
                yield (
                    f"kafka: {topic}/{number} is held: offset {committed} was not committed by this service; proven by "
                    f"signed outcomes is {proven}, and {held.reason}. `moderation-consumer offsets accept "
                    f"{topic}/{number}` starts at {committed}; {held.way_on}"
                )

    def _decide(self, partition: Partition, committed: int, end: int) -> Start | Held:
        base = self._base(partition)
        decided = decide(self._policy, self._at_most, committed, end, base)
        action = "held" if isinstance(decided, Held) else "rejudged" if decided.moved else "accepted"
        was_held = self._held.pop(partition, None)
        if action != "held" or was_held is None or was_held[0] != committed:
            metrics.FOREIGN_COMMITS.labels(action).inc()
            log.error(
                "commit.foreign", topic=partition.topic, partition=partition.number, committed=committed, action=action,
                judged_up_to=base.committed.offset if base else None,
            )  # fmt: skip
        if isinstance(decided, Held):
            self._held[partition] = committed, decided
        return decided

    def _base(self, partition: Partition) -> Base | None:
        """What is known to be settled: of the outputs, and of this process's own commits."""
        return later(self._bases.get(partition), self._partitions.last_commit(partition))

    async def _look_for_bases(self, commits: Collection[Partition], goes_on: Callable[[], bool]) -> None:
        """Read the outputs backwards, or what was published since the last look."""
        now = self._clock.wall()
        since = {each: self._looked.get(each, -inf) for each in commits}
        if new := [each for each in commits if now - since[each] > FIRST_SPAN]:
            self._note(new, await find_bases(self._outputs, new, now, self._most, goes_on), now, goes_on)
        again = [each for each in commits if LOOK_INTERVAL <= now - since[each] <= FIRST_SPAN]
        if again:
            found, _ = await bases_since(self._outputs, again, min(since[each] for each in again), inf, goes_on)
            self._note(again, found, now, goes_on)

    def _note(
        self, looked: Collection[Partition], found: Mapping[Partition, Base], now: float, goes_on: Callable[[], bool]
    ) -> None:
        if not goes_on():
            return  # what was read is not all of it
        for partition in looked:
            self._looked[partition] = now
            if base := later(self._bases.get(partition), found.get(partition)):
                self._bases[partition] = base
