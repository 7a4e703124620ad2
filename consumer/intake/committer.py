"""
When commits go out. What they say is the caller's, how they are sent is the client's.

- One at a time: a caller that wants a commit during another waits for that one, and then for its own.
- Every second, whether anything has moved or not: an acknowledged commit is the proof that this replica is still a
  member, and that no other replica owns its partitions for a session timeout from the moment at which it was sent.
- Never backwards: a broker takes what it is given, so a lower offset than before is held back here.
- None without an assignment: what is due is asked for as the commit is sent, and is nothing then.
- Revocation and the end wait for the commit under way and for one more, but not for ever.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from math import inf

import structlog
from aiokafka.errors import ConsumerStoppedError, KafkaError

from consumer.clock import Clock
from consumer.intake.ledger import PartitionLedger
from consumer.journal.commit_metadata import CommitMetadata
from consumer.journal.journal import Journal
from consumer.observability import metrics
from consumer.observability.heartbeat import Heartbeat
from consumer.records import Partition

log = structlog.get_logger()

LAST_COMMIT_DEADLINE = 5.0  # seconds that a revocation or the end waits

Commit = Mapping[Partition, tuple[int, str]]
"""Offset and metadata by partition."""


def commit_of(
    partition: Partition,
    ledger: PartitionLedger,
    journal: Journal,
    owner: str,
    now: float,
    unknown_since: float = inf,
    behind: float = 0.0,
) -> tuple[int, str]:
    """
    The offset and the metadata to commit of a partition at `now` (unix seconds), once its reading has begun.

    Known outcomes of records from that offset on may be older than all that is open: those that a predecessor
    published. The next owner must find them too, and those that are not known yet, none of which is older than
    `unknown_since`. Outputs may be dated by brokers whose clock is `behind` by so many seconds.
    """
    offset = ledger.watermark
    assert offset is not None, f"nothing is known of {partition.topic}/{partition.number} yet"
    earliest = min(ledger.earliest_output(now), journal.earliest(partition, offset), unknown_since)
    return offset, str(CommitMetadata(max(0.0, earliest - behind), owner))


class Committer:
    """Commits what is due, for one consumer."""

    def __init__(
        self,
        due: Callable[[], Commit],
        send: Callable[[Commit], Awaitable[None]],
        proven: Callable[[float], None],
        interval: float,
        clock: Clock,
    ) -> None:
        """
        `due` returns what may be committed now; `send` returns once that is acknowledged, or raises `KafkaError`;
        `proven` is called with the time (the clock's `now`) at which an acknowledged commit was sent.
        """
        self._due = due
        self._send = send
        self._proven = proven
        self._interval = interval
        self._clock = clock
        self._committed: dict[Partition, int] = {}
        self._under_way: asyncio.Task[bool] | None = None
        self._acknowledged_at = clock.now()
        self.heartbeat = Heartbeat("the commit loop", clock, interval)
        """Of `run`. Whoever waits inside `send` for Kafka to come back lets it rest."""
        metrics.COMMIT_AGE.set_function(lambda: clock.now() - self._acknowledged_at)

    def begin_anew(self, partition: Partition, offset: int) -> None:
        """Note where the reading of a partition begins: no commit goes below."""
        self._committed[partition] = offset

    def committed(self, partition: Partition) -> int | None:
        """The offset that is committed of a partition, as far as this replica knows."""
        return self._committed.get(partition)

    async def run(self) -> None:
        """Commit every `interval` until cancelled."""
        while True:
            self.heartbeat.beat()
            await self._clock.sleep(self._interval)
            await self.commit()

    async def commit(self) -> bool:
        """Commit what is due now, after the commit under way; say whether it was acknowledged, or nothing was due."""
        while self._under_way is not None:
            await asyncio.shield(self._under_way)
        self._under_way = asyncio.create_task(self._attempt(), name="commit")
        return await asyncio.shield(self._under_way)

    async def last(self) -> None:
        """Commit what is due now, but wait for it no longer than is useful."""
        commit = asyncio.create_task(self.commit(), name="last commit")
        deadline = asyncio.create_task(self._clock.sleep(LAST_COMMIT_DEADLINE), name="deadline")
        try:
            await asyncio.wait([commit, deadline], return_when=asyncio.FIRST_COMPLETED)
        finally:
            commit.cancel()  # not the attempt that it waits for
            deadline.cancel()

    def abandon(self) -> None:
        """Wait for no commit any more."""
        if self._under_way is not None:
            self._under_way.cancel()

    async def _attempt(self) -> bool:
        sent_at = self._clock.now()
        floors = dict(self._committed)
        try:
            due = {
                partition: each
                for partition, each in self._due().items()
                if each[0] >= self._committed.get(partition, 0)
            }
            if not due:
                return True
            await self._send(due)
        except (KafkaError, ConsumerStoppedError) as error:
            # What is lost by it is read again: the next assignment begins at what was committed before.
            metrics.COMMIT_FAILURES.inc()
            log.warning("commit.failed", error=type(error).__name__)
            return False
        except Exception:
            metrics.COMMIT_FAILURES.inc()
            log.exception("commit.unexpected_error")  # the next second's commit must be tried all the same
            return False
        else:
            self._acknowledged_at = self._clock.now()
            self._proven(sent_at)
            for partition, (offset, _) in due.items():
                if self._committed.get(partition) == floors.get(partition):  # or it began anew meanwhile, and lower
                    self._committed[partition] = offset
            return True
        finally:
            self._under_way = None
