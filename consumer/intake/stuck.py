"""
Partitions that are paused because too many outcomes are published beyond their lowest open record.
"""

from collections.abc import Iterator

import structlog

from consumer.clock import Clock, utc
from consumer.intake.partitions import AssignedPartition, Partitions
from consumer.observability import metrics
from consumer.records import Partition

log = structlog.get_logger()

DELAY = 5.0  # seconds that a record is open before the partition is reported


class StuckPartitions:
    """Notices those that stay so for longer than their records usually take: for log, metric and readiness."""

    def __init__(self, partitions: Partitions, clock: Clock) -> None:
        self._partitions = partitions
        self._clock = clock
        self._stuck: set[Partition] = set()

    def look(self) -> None:
        """Log which partitions are stuck now, and which go on."""
        for each in self._partitions:
            self._look_at(each)
        metrics.PARTITIONS_STUCK.set(len(self._stuck & self._partitions.names))

    def clear(self) -> None:
        """Begin another assignment."""
        self._stuck.clear()

    def degraded(self) -> Iterator[str]:
        """Say which partitions are stuck, and behind what."""
        for partition in sorted(self._stuck & self._partitions.names):
            each = self._partitions[partition]
            for offset, since in each.ledger.oldest(1):
                yield (
                    f"kafka: {partition.topic}/{partition.number} is paused: offset {offset} has had no outcome since "
                    f"{utc(since)}, and {self._partitions.outcomes_behind(each)} later outcomes are published"
                )

    def _look_at(self, each: AssignedPartition) -> None:
        partition, oldest = each.partition, each.ledger.oldest(1)
        if not oldest or not self._partitions.is_stuck(each):
            if partition in self._stuck:
                self._stuck.discard(partition)
                log.info("partition.goes_on", topic=partition.topic, partition=partition.number)
        elif partition not in self._stuck and self._clock.wall() - oldest[0][1] >= DELAY:
            self._stuck.add(partition)
            log.warning(
                "partition.stuck", topic=partition.topic, partition=partition.number, offset=oldest[0][0],
                open_since=utc(oldest[0][1]), outcomes_behind=self._partitions.outcomes_behind(each),
            )  # fmt: skip
