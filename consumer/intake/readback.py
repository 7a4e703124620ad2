"""
Reading the outputs back into the journal, for partitions that are taken over: in turns, and as much as fits.
"""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping

import structlog

from consumer.clock import Clock
from consumer.config.kafka import JournalSettings
from consumer.intake.bases import Base, find_bases
from consumer.intake.windows import Windows
from consumer.journal.commit_metadata import BEGINNING
from consumer.journal.journal import Journal
from consumer.journal.reader import Outcome, OutputReader
from consumer.journal.tasks import KnownTasks
from consumer.observability import metrics
from consumer.records import Partition, SourceId

log = structlog.get_logger()


class ReadBack:
    """Fills the journal, and says how far it is with that."""

    def __init__(self, outputs: OutputReader, journal: Journal, limits: JournalSettings, clock: Clock) -> None:
        self.outputs = outputs
        self._journal = journal
        self.limits = limits
        self._clock = clock
        self.tasks = KnownTasks()
        """What predecessors have paid for, and not learned the result of."""
        self._read = 0
        self._began: float | None = None

    async def find_bases(self, wanted: Collection[Partition], goes_on: Callable[[], bool]) -> Mapping[Partition, Base]:
        """The last genuine word about each of these partitions, where there is one. `KafkaError` escapes."""
        return await find_bases(self.outputs, wanted, self._clock.wall(), self.limits.max_outcomes, goes_on)

    async def read(
        self, since: Mapping[Partition, float], spans: Mapping[Partition, range], goes_on: Callable[[], bool]
    ) -> Mapping[Partition, int]:
        """
        Note what was published of these partitions' records, of those with offsets in `spans`, since these moments
        (unix seconds).

        Return from which offset on outcomes are not known, of partitions of which more were there than fits. Ends
        early, with nothing of worth, once `goes_on` says no. `KafkaError` escapes.
        """
        if unmarked := [partition for partition, mark in since.items() if mark == BEGINNING]:
            log.warning("journal.unmarked", partitions=_named(unmarked), reading="from the outputs' beginning")
        start = min(since.values())
        self._read, self._began = 0, self._clock.now()
        pays = self.limits.on_limit == "pay"
        windows = Windows(self._journal, spans, 2**63 if pays else self.limits.max_outcomes)

        def wants(_: SourceId, partition: Partition, offset: int) -> bool:
            self._read += 1
            return windows.wants(partition, offset)

        counted = 0
        try:
            async with contextlib.aclosing(self.outputs.read(start, wants)) as batches:
                async for outcomes in batches:
                    metrics.JOURNAL_READ.inc(self._read - counted)
                    counted = self._read
                    for outcome in outcomes:
                        if outcome.is_acceptance:
                            continue
                        # None of a record that counts is older than its partition's mark, whatever its time says.
                        at = max(outcome.at, since.get(outcome.partition, BEGINNING))
                        windows.note(outcome.partition, outcome.offset, outcome.id, at)
                        self._remember(outcome, windows)
                    if not goes_on() or (pays and self._gives_up()):
                        return {}
            self.tasks.forget_judged(lambda place, verdict: self._journal.knows(*place, verdict))
            log.info(
                "journal.read",
                partitions=_named(since), since=start, read=self._read, known=len(self._journal), tasks=len(self.tasks),
                seconds=round(self._clock.now() - self._began, 3), windows=_named(windows.limits),
            )  # fmt: skip
        finally:
            self._began = None
        return windows.limits

    @property
    def behind(self) -> float:
        """Seconds by which outcomes may be dated too early, because the brokers' clock is behind."""
        return self.outputs.brokers.behind

    def acknowledged(self, sent_at: float, timestamp: int, timestamp_type: int) -> None:
        """Note how an outcome that Kafka has taken is dated; see `BrokerClock`."""
        behind = self.outputs.brokers.notice(sent_at, timestamp, timestamp_type)
        if behind is not None and behind > self.limits.clock_skew:
            log.error("outputs.clock_behind", seconds=round(behind, 3), clock_skew=self.limits.clock_skew)

    def degraded(self) -> Iterator[str]:
        """Say how far the brokers' clock is behind, where that is more than is allowed for."""
        if self.behind > self.limits.clock_skew:
            yield (
                f"kafka: the brokers' clock is {self.behind:.1f} s behind this machine's, and the outputs have "
                "LogAppendTime: the journal is read from so much earlier"
            )

    def _remember(self, outcome: Outcome, windows: Windows) -> None:
        """Keep what was paid for and not judged: a request with the same question looks for its result."""
        if outcome.task is not None and windows.wants(outcome.partition, outcome.offset):
            self.tasks.note(outcome.task, outcome.partition, outcome.offset)

    def is_half_empty(self) -> bool:
        """Whether at least half as many outcomes as may be known could be read."""
        return len(self._journal) <= self.limits.max_outcomes // 2

    def progress(self) -> str:
        """Say how much was read, and what would end it sooner; nothing while nothing is read."""
        if self._began is None:
            return ""
        seconds = self._clock.now() - self._began
        return (
            f": {self._read} outcomes are read back in {seconds:.0f} s; it goes on by itself; journal.on_limit: pay "
            f"would end it after {self.limits.max_seconds:.0f} s and may pay and publish twice"
        )

    def _gives_up(self) -> bool:
        """Whether the journal is read no further, by choice: what is not known may be paid and published again."""
        assert self._began is not None
        if self._clock.now() - self._began > self.limits.max_seconds:
            reason = f"journal.max_seconds: {self.limits.max_seconds}"
        elif len(self._journal) > self.limits.max_outcomes:
            reason = f"journal.max_outcomes: {self.limits.max_outcomes}"
        else:
            return False
        metrics.JOURNAL_GIVEN_UP.inc()
        log.error("journal.given_up", reason=reason, read=self._read, known=len(self._journal))
        return True


def _named(partitions: Mapping[Partition, object] | list[Partition]) -> list[str]:
    return sorted(f"{topic}/{partition}" for topic, partition in partitions)
