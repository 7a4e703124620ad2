"""
What becomes of a batch that cannot be read, for the uploads and for the outputs.

    uploads   damaged     fetched again three times, then its partition is held and fetched again every minute
                          `kafka.skip_damaged` names it: a dead letter, and the partition goes on behind it
              too large   a dead letter
    outputs   either      passed over and counted: what it held of outcomes is not known
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog
from aiokafka import TopicPartition

from consumer.clock import Clock
from consumer.kafka.unreadable import TOO_LARGE, Damage, Skip
from consumer.observability import metrics

log = structlog.get_logger()

ATTEMPTS = 3  # fetches after the first
RETRY_DELAY = 1.0  # seconds between them
HELD_DELAY = 60.0  # seconds between fetches, and reminders, of a partition that is held


class Named(NamedTuple):
    """A damaged batch as `kafka.skip_damaged` names it."""

    partition: TopicPartition
    first: int
    last: int | None

    @classmethod
    def read(cls, text: str) -> "Named":
        """Read `topic/partition@offset` or `topic/partition@first-last`, which the configuration has looked at."""
        place, _, offsets = text.rpartition("@")
        topic, _, number = place.rpartition("/")
        first, _, last = offsets.partition("-")
        return cls(TopicPartition(topic, int(number)), int(first), int(last) if last else None)


@dataclass(slots=True)
class _Held:
    """A damaged batch that is the next of its partition."""

    damage: Damage
    fetched_at: float
    fetches: int = 1

    @property
    def is_final(self) -> bool:
        return self.fetches > ATTEMPTS


class DamagedUploads:
    """Which partitions of the uploads wait behind a damaged batch."""

    def __init__(self, skipped: Collection[str], clock: Clock) -> None:
        """`skipped` is `kafka.skip_damaged`."""
        self._skipped = {(each.partition, each.first): each for each in map(Named.read, skipped)}
        self._clock = clock
        self._held: dict[TopicPartition, _Held] = {}

    def decide(self, damage: Damage) -> Skip | None:
        """Decide about a batch of the uploads. See `kafka.unreadable.Decide`."""
        topic, partition = damage.partition
        if damage.why == TOO_LARGE:
            metrics.BATCHES_UNREADABLE.labels(topic, damage.why).inc()
            to = damage.next_offset or damage.offset + 1
            log.warning("batch.too_large", topic=topic, partition=partition, offset=damage.offset, next_offset=to)
            return Skip(to, deliver=True)
        if skip := self._named(damage):
            metrics.BATCHES_UNREADABLE.labels(topic, damage.why).inc()
            log.error(
                "batch.skipped", topic=topic, partition=partition, offset=damage.offset, next_offset=skip.to,
                detail=damage.detail,
            )  # fmt: skip
            return skip
        self._note(damage)
        return None

    def waits(self, partition: TopicPartition) -> bool:
        """Whether the partition is not to be fetched at the moment."""
        held = self._held.get(partition)
        return held is not None and self._clock.now() < held.fetched_at + (HELD_DELAY if held.is_final else RETRY_DELAY)

    def follow(self, position: Callable[[TopicPartition], int | None]) -> None:
        """Forget what is read by now, or is another replica's; `position` is None of what is not assigned."""
        for partition, held in list(self._held.items()):
            offset = position(partition)
            if offset != held.damage.offset:
                del self._held[partition]
                if offset is not None:
                    log.info("partition.released", topic=partition.topic, partition=partition.partition, offset=offset)
                self._count()

    def reasons(self) -> Sequence[str]:
        """Say which partitions are held, and what to do."""
        return [_reason(held.damage) for _, held in sorted(self._held.items()) if held.is_final]

    def _named(self, damage: Damage) -> Skip | None:
        named = self._skipped.get((damage.partition, damage.offset))
        if named is None:
            return None
        to = named.last + 1 if named.last is not None else damage.next_offset
        return Skip(to, deliver=True) if to is not None and to > damage.offset else None

    def _note(self, damage: Damage) -> None:
        now = self._clock.now()
        held = self._held.get(damage.partition)
        if held is None or held.damage.offset != damage.offset:
            self._held[damage.partition] = held = _Held(damage, now)
        elif self.waits(damage.partition):
            return  # fetched before it was asked for again
        else:
            held.damage, held.fetched_at, held.fetches = damage, now, held.fetches + 1
        topic, partition = damage.partition
        if held.is_final:
            log.error(
                "partition.held", topic=topic, partition=partition, offset=damage.offset, detail=damage.detail,
                next_offset=damage.next_offset, way_on=_way_on(damage),
            )  # fmt: skip
        else:
            log.warning(
                "batch.damaged", topic=topic, partition=partition, offset=damage.offset, detail=damage.detail,
                fetched=held.fetches, retry_in=RETRY_DELAY,
            )  # fmt: skip
        self._count()

    def _count(self) -> None:
        metrics.PARTITIONS_HELD.set(sum(held.is_final for held in self._held.values()))


def pass_over(damage: Damage) -> Skip:
    """Decide about a batch of the outputs. See `kafka.unreadable.Decide`."""
    topic, partition = damage.partition
    to = damage.next_offset or damage.offset + 1
    metrics.BATCHES_UNREADABLE.labels(topic, damage.why).inc()
    log.error(
        "journal.batch_passed_over", topic=topic, partition=partition, offset=damage.offset, next_offset=to,
        detail=damage.detail,
    )  # fmt: skip
    return Skip(to, deliver=False)


def _reason(damage: Damage) -> str:
    topic, partition = damage.partition
    return (
        f"kafka: {topic}/{partition} is held at offset {damage.offset}: its batch is damaged ({damage.detail}): "
        f"{_way_on(damage)}"
    )


def _way_on(damage: Damage) -> str:
    topic, partition = damage.partition
    last = "" if damage.next_offset is not None else "-LAST"
    return f"repair it on the brokers, or set kafka.skip_damaged to [{topic}/{partition}@{damage.offset}{last}]"
