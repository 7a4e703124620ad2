"""
Reading the end of the output topics, with aiokafka 0.14: what fills the journal.

Headers say what a record is about (`journal/headers.py`); whether it is believed, `journal/belief.py` decides.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from consumer.clock import ends_within
from consumer.config.kafka import KafkaSettings
from consumer.journal import headers
from consumer.journal.belief import Belief
from consumer.journal.broker_clock import BrokerClock
from consumer.journal.signatures import Claim, CommitMark, Signed
from consumer.journal.tasks import Task
from consumer.kafka import internals
from consumer.kafka.damage import pass_over
from consumer.kafka.reading import Consumer
from consumer.kafka.security import KafkaAccess
from consumer.kafka.windows import seek, window_of
from consumer.observability import metrics
from consumer.records import Partition, SourceId, seconds

POLL_TIMEOUT = 0.2  # seconds
EMPTY_POLLS = 5  # after which it is asked again where the topics end
STOP_DEADLINE = 2.0  # seconds
MAX_POLL_RECORDS = 200  # looked at between two turns of the event loop; the fewer, the less the garbage collector sees


class Outcome(NamedTuple):
    """
    A verdict or a dead letter that stands in an output topic; or what is no outcome of a message: a provisional
    verdict or a task, whose ids in the journal are no outcome's, or an acceptance.
    """

    id: SourceId
    partition: Partition  # of the message that it is about
    offset: int
    at: float  # when it was published, unix seconds: its signature's moment, or else the record's timestamp
    committed: CommitMark | None = None  # of that partition, as its signature says
    is_acceptance: bool = False
    task: Task | None = None  # what the record of a task says, where it can be read


Wants = Callable[[SourceId, Partition, int], bool]
"""Whether an outcome of this name, partition and offset of its message is looked for, whoever wrote it."""


@dataclass(frozen=True, slots=True)
class OutputReader:
    """The output topics of one group."""

    settings: KafkaSettings
    access: KafkaAccess
    clock_skew: float  # seconds by which the clocks of replicas and brokers may differ
    belief: Belief | None = None  # None believes every record that names this group
    brokers: BrokerClock = field(default_factory=BrokerClock)  # of outputs with LogAppendTime
    tasks_topic: str | None = None  # where tasks stand that are paid for and have no result yet; None: there are none

    @property
    def topics(self) -> tuple[str, ...]:
        """Every topic that is read back."""
        return self.settings.outputs.all if self.tasks_topic is None else (*self.settings.outputs.all, self.tasks_topic)

    def margin(self) -> float:
        """Seconds by which an outcome's timestamp may be earlier than the moment at which it was sent."""
        return self.clock_skew + self.brokers.behind

    async def find(self, wanted: Collection[SourceId], since: float) -> Collection[SourceId]:
        """Return those of the wanted outcomes that were published since then. `KafkaError` escapes."""
        found, names = set[SourceId](), set(wanted)
        async with contextlib.aclosing(self.read(since, lambda name, *_: name in names)) as batches:
            async for outcomes in batches:
                found |= {outcome.id for outcome in outcomes}
        return found

    async def read(self, since: float, wants: Wants) -> AsyncGenerator[Sequence[Outcome]]:
        """
        Yield what is wanted of what this group published from `since` on (unix seconds), less the clocks' skew, up to
        now.

        Batches may be empty: they are a chance to stop. `KafkaError` escapes, where a topic is missing too.
        """
        async with self._consumer() as consumer:
            ends = await self._seek(consumer, max(0.0, since - self.margin()))
            empty = 0
            while ends:
                polled = await consumer.getmany(
                    *ends, timeout_ms=round(POLL_TIMEOUT * 1000), max_records=MAX_POLL_RECORDS
                )
                yield [
                    outcome
                    for records in polled.values()
                    for record in records
                    if (outcome := self.outcome(record, wants)) is not None
                ]
                empty = 0 if polled else empty + 1
                if empty % EMPTY_POLLS == EMPTY_POLLS - 1:
                    # A topic that was made again meanwhile may never be as long as the old one was.
                    now: Mapping[TopicPartition, int] = await consumer.end_offsets(list(ends))
                    ends = {each: min(end, now[each]) for each, end in ends.items()}
                # The position, not the last record, shows the end: markers and compaction leave gaps.
                reached = {each: internals.position(consumer, each) for each in ends}
                ends = {each: end for each, end in ends.items() if (at := reached[each]) is None or at < end}

    @contextlib.asynccontextmanager
    async def _consumer(self) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = Consumer(
            *self.topics,
            max_batch_bytes=self.settings.max_batch_bytes,
            decide=pass_over,
            **self.access.options,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
        )
        self.access.register(consumer)
        starting = asyncio.create_task(consumer.start(), name="journal's consumer")
        try:
            await asyncio.shield(starting)
            yield consumer
        finally:
            # aiokafka 0.14 leaves connections open whose opening or closing is cancelled.
            try:
                await asyncio.wait([starting])
            finally:  # though this is cancelled once more
                await ends_within(STOP_DEADLINE, consumer.stop())

    async def _seek(self, consumer: AIOKafkaConsumer, since: float) -> dict[TopicPartition, int]:
        """Go to the first record that is as young as `since`, and return where partitions with such a record end."""
        window = await window_of(consumer, since)
        seek(consumer, window)
        return dict(window.ends)

    def outcome(self, record: ConsumerRecord[Any, Any], wants: Wants) -> Outcome | None:
        """
        What a record says of its source; None where it is another group's, not wanted, or not believed to be ours.

        A signature is verified last: it is most of the cost, and most records are of partitions of other replicas.
        """
        group, told = self.settings.group_id, dict(record.headers)
        names = self._names(record.topic, told)
        source = names.read(group, told)
        if source is None:
            return None
        name = names.journal_id(source.id)
        if not wants(name, source.partition, source.offset):
            return None
        timestamp = seconds(record.timestamp)
        believed: Signed | None = Signed(timestamp, None)
        if self.belief is not None:
            claim = Claim(group, names, source, record.topic, record.key, record.value)
            believed = self.belief.believed(claim, told, timestamp)
        if believed is None:
            return None
        task = Task.read(record.value) if names is headers.OF_TASK else None
        if names is headers.OF_TASK and task is None:
            metrics.SCAN_TASKS.labels("unreadable").inc()
        return Outcome(name, source.partition, source.offset, *believed, names is headers.OF_ACCEPTANCE, task)

    def _names(self, topic: str, told: Mapping[str, bytes | None]) -> headers.SourceHeaders:
        """By which headers a record names its source: a dead letter has those of its message as well."""
        if topic == self.tasks_topic:
            return headers.OF_TASK
        if topic != self.settings.outputs.dead_letter:
            of_provisional = headers.OF_PROVISIONAL.topic in told and headers.OF_VERDICT.topic not in told
            return headers.OF_PROVISIONAL if of_provisional else headers.OF_VERDICT
        of_acceptance = headers.OF_ACCEPTANCE.id in told and headers.OF_DEAD_LETTER.id not in told
        return headers.OF_ACCEPTANCE if of_acceptance else headers.OF_DEAD_LETTER
