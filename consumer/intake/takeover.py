"""
Taking partitions over: read the journal, and commit, before the first of their records is started.

    assigned ──► where does it start? ──► read back what is published from there on ──► commit ──► owned
                                                     │
                           more than fits: up to a limit, and the rest once this is passed

Partitions whose commit is not this service's come last: `foreign_commits.py` says where they start, if they may.

Tried until all partitions are owned, and again for those of which the journal has more than fits, and for those whose
log began anew, for as long as the assignment lasts.
"""

import asyncio
from collections.abc import Collection, Mapping
from math import inf

import structlog
from aiokafka.errors import KafkaError

from consumer import background
from consumer.clock import Clock
from consumer.intake import Lease
from consumer.intake.committer import Committer
from consumer.intake.foreign_commits import ForeignCommits
from consumer.intake.member import Member, named
from consumer.intake.partitions import AssignedPartition, Partitions
from consumer.intake.readback import ReadBack
from consumer.intake.starts import Start
from consumer.intake.windows import turn
from consumer.journal.commit_metadata import BEGINNING
from consumer.records import Partition

log = structlog.get_logger()

RETRY_DELAY = 1.0  # seconds
STOP_DEADLINE = 2.0  # seconds
UNDER_WAY = "kafka: the partitions are being taken over"


class TakeOver:
    """Takes the partitions of one assignment after the other over."""

    def __init__(
        self,
        partitions: Partitions,
        member: Member,
        read_back: ReadBack,
        committer: Committer,
        foreign: ForeignCommits,
        lease: Lease,
        clock: Clock,
    ) -> None:
        self._partitions = partitions
        self._member = member
        self._read_back = read_back
        self._committer = committer
        self._foreign = foreign
        self._lease = lease
        self._clock = clock
        self._partly_known: set[Partition] = set()  # of which not all that this process has published is in the journal
        self._restarted: set[Partition] = set()  # since starts were looked for: what was found is of the old log
        self._assignment = 0  # the number of the one that lasts; of none after `end`
        self._task: asyncio.Task[None] | None = None
        self._why = UNDER_WAY
        self.moved = asyncio.Event()
        """Set, and replaced, when whose a partition is may have become certain."""

    def start(self) -> None:
        """Take over what is assigned now, in the background."""
        self._assignment += 1
        self._task = background.started(self._run(self._assignment), "take over")

    def end(self) -> None:
        """Note that the assignment is over: nothing more is taken over of it."""
        self._assignment += 1

    async def stop(self) -> None:
        """End, and wait for that."""
        self.end()
        if self._task is not None:
            self._task.cancel()
            if not (await asyncio.wait([self._task], timeout=STOP_DEADLINE))[0]:
                log.warning("take_over.not_stopped", seconds=STOP_DEADLINE)
            self._task = None

    def reason(self, waiting: Collection[Partition] = ()) -> str:
        """Say why partitions are not taken over yet, which ones where that is not all of them, and how far that is."""
        which = f", {', '.join(named(waiting))}" if waiting else ""
        return self._why + which + self._read_back.progress()

    def restarted(self, partition: Partition, offset: int) -> None:
        """Note that the log of a partition began anew at `offset`."""
        self._committer.begin_anew(partition, offset)
        self._partly_known.add(partition)
        self._restarted.add(partition)

    def wake(self) -> None:
        """Wake the tasks that wait to know which replica owns a partition."""
        self.moved.set()
        self.moved = asyncio.Event()

    async def _run(self, assignment: int) -> None:
        # The number is compared, and not only the task cancelled: aiokafka 0.14 may swallow a cancellation.
        self._why = UNDER_WAY
        leased = False
        while assignment == self._assignment:
            try:
                if not leased:
                    counts = await self._member.counts(self._partitions.names)
                    if assignment != self._assignment:
                        return
                    member = self._member
                    self._lease.assigned(self._partitions.names, counts, member.assigned_at, member.generation)
                    leased = True
                self._why = UNDER_WAY
                await self._take_over(assignment)
            except KafkaError as error:
                self._why = f"kafka: the partitions cannot be taken over: {type(error).__name__}"
                log.warning("partitions.not_taken_over", error=type(error).__name__, retry_in=RETRY_DELAY)
            except Exception:
                self._why = "kafka: the partitions cannot be taken over: see the log"
                log.exception("partitions.not_taken_over", retry_in=RETRY_DELAY)
            await self._clock.sleep(RETRY_DELAY)

    async def _take_over(self, assignment: int) -> None:
        """Look once at every partition that waits; a reading of the journal serves those that need it, in turns."""
        began = self._clock.now()
        found = await self._find_starts()
        foreign = {partition: start for partition, start in found.items() if start.foreign}
        ours = {partition: start for partition, start in found.items() if not start.foreign}
        if await self._read_and_own(assignment, ours, began):
            ends = await self._member.ends(foreign)
            starts = await self._foreign.starts(foreign, ends, lambda: assignment == self._assignment)
            await self._read_and_own(assignment, starts, began)

    async def _read_and_own(self, assignment: int, starts: Mapping[Partition, Start], began: float) -> bool:
        """Take over what needs no reading, and then the rest in turns; say whether the assignment lasts."""
        ready = {partition: start for partition, start in starts.items() if start.since is None}
        if not await self._own(assignment, ready, {}, began):
            return False
        since = {partition: start.since for partition, start in starts.items() if start.since is not None}
        while since:
            served = {partition: since.pop(partition) for partition in turn(since, self._clock.wall())}
            # Nobody can have published an outcome of a record that is not there yet, whatever the outputs say.
            ends = await self._member.ends(served)
            served = {partition: served[partition] for partition in ends}
            if not served:
                continue
            spans = {partition: range(starts[partition].offset, end) for partition, end in ends.items()}
            limits = await self._read_back.read(served, spans, lambda: assignment == self._assignment)
            if not await self._own(assignment, {each: starts[each] for each in served}, limits, began):
                return False
        return True

    async def _find_starts(self) -> Mapping[Partition, Start]:
        """Where those partitions start that wait to be taken over, or for more of their journal."""
        self._restarted.clear()
        starts: dict[Partition, Start] = {}
        waiting = [each for each in self._partitions if not self._partitions.is_owned(each.partition)]
        if new := [each.partition for each in waiting if not each.restarted]:
            remembered = set(self._partitions.ownership.remembered) - self._partly_known
            starts |= await self._member.starts(new, self._partitions.names, remembered)
        for each in waiting:
            if each.restarted:
                assert each.ledger.watermark is not None
                # Where that was before it was known whose the partition had been, others may have had it.
                starts[each.partition] = Start(each.ledger.watermark, BEGINNING, others=True)
        for each in self._partitions:
            if self._partitions.is_owned(each.partition) and each.at_limit and self._has_room_for_more(each):
                starts[each.partition] = Start(int(each.limit), each.unknown_since)
        return starts

    def _has_room_for_more(self, each: AssignedPartition) -> bool:
        """Whether another reading of the journal is worth its time: what it found before has mostly been passed."""
        watermark = each.ledger.watermark
        passed = watermark is not None and watermark >= each.limit
        return passed or self._read_back.is_half_empty()

    async def _own(
        self, assignment: int, starts: Mapping[Partition, Start], limits: Mapping[Partition, int], began: float
    ) -> bool:
        """Take these partitions over, up to their limits; say whether that worked, and the assignment lasts."""
        if assignment != self._assignment:
            return False
        starts = {partition: start for partition, start in starts.items() if partition not in self._restarted}
        for partition, start in starts.items():
            self._prepare(partition, start, limits.get(partition))
        taken = [partition for partition in starts if not self._partitions.is_owned(partition)]
        if not taken:
            return True
        while not await self._committer.commit():
            if assignment != self._assignment:
                return False
            self._why = "kafka: the partitions cannot be taken over: the commit fails"
            await self._clock.sleep(RETRY_DELAY)
        if assignment != self._assignment:
            return False
        # A log that began anew while the commit was under way waits for its own journal.
        taken = [partition for partition in taken if partition not in self._restarted]
        for partition in taken:
            self._partitions.ownership.own(partition)
        self._lease.committed(self._partitions.ownership.proven)
        self.wake()
        log.info(
            "partitions.taken_over", partitions=named(taken), seconds=round(self._clock.now() - began, 3),
            outcomes_known=len(self._partitions.journal),
        )  # fmt: skip
        return True

    def _prepare(self, partition: Partition, start: Start, limit: int | None) -> None:
        """Note where a partition starts, and how far its outcomes are known."""
        if start.moved:
            self._partitions.start_elsewhere(partition)
            self._member.seek(partition, start.offset)
        each = self._partitions[partition]
        each.limit, each.unknown_since = inf, inf
        self._partly_known.discard(partition)
        if limit is not None:
            assert start.since is not None
            each.limit, each.unknown_since = limit, start.since
            self._partly_known.add(partition)
            log.info("journal.window", topic=partition.topic, partition=partition.number, begin=start.offset, end=limit)
        if not self._partitions.is_owned(partition):
            lowest = self._partitions.start(partition, start.offset, had_by_others=start.others)
            self._committer.begin_anew(partition, lowest)
