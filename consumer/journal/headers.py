"""
The headers by which an outcome names its source: written with every verdict and dead letter, and read back as journal.

A verdict names its message in `source_…`, a dead letter in `dlq_source_…`, because a dead letter keeps the headers of
its message, and those of a message that was once an output of ours look like a verdict's. A provisional verdict names
it in `provisional_source_…`: it is no outcome, and whoever reads outcomes must not take it for one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from consumer.records import Delivery, Partition, SourceId

GROUP = "source_group"
RESCAN = "rescan_id"
"""Of an upload event by which an image is asked about again, and of no outcome."""

LONGEST_TOPIC = 249  # characters, of Kafka


class Source(NamedTuple):
    """What an outcome is about."""

    id: SourceId
    partition: Partition
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHeaders:
    """The names of these headers in one kind of outcome."""

    kind: str
    id: str
    topic: str
    partition: str
    offset: str

    def journal_id(self, source_id: SourceId) -> SourceId:
        """Name an outcome in the journal: one of a kind never counts as one of another."""
        return source_id if self.kind == "verdict" else SourceId(f"{self.kind} {source_id}")

    def write(self, group: str, source_id: SourceId, delivery: Delivery) -> list[tuple[str, bytes]]:
        """Name the message that an outcome of `group` is about."""
        return self.write_source(group, Source(source_id, delivery.topic_partition, delivery.offset))

    def write_source(self, group: str, source: Source) -> list[tuple[str, bytes]]:
        """The same, where the message itself is not at hand."""
        return [
            (self.id, source.id.encode()),
            (self.topic, source.partition.topic.encode()),
            (self.partition, str(source.partition.number).encode()),
            (self.offset, str(source.offset).encode()),
            (GROUP, group.encode()),
        ]

    def read(self, group: str, headers: Mapping[str, bytes | None]) -> Source | None:
        """Return what an outcome is about; None where it is another group's or not written by us."""
        if headers.get(GROUP) != group.encode():
            return None
        name, topic = headers.get(self.id), headers.get(self.topic)
        partition, offset = headers.get(self.partition), headers.get(self.offset)
        if name is None or topic is None or partition is None or offset is None or len(topic) > LONGEST_TOPIC:
            return None
        try:
            return Source(SourceId(name.decode()), Partition(topic.decode(), int(partition)), int(offset))
        except ValueError:
            return None


OF_VERDICT = SourceHeaders(
    kind="verdict", id="ce_id", topic="source_topic", partition="source_partition", offset="source_offset"
)  # CloudEvents: `ce_id` is the event's id
OF_DEAD_LETTER = SourceHeaders(
    kind="dead_letter",
    id="dlq_id",
    topic="dlq_source_topic",
    partition="dlq_source_partition",
    offset="dlq_source_offset",
)
OF_PROVISIONAL = SourceHeaders(
    kind="provisional",
    id="ce_id",
    topic="provisional_source_topic",
    partition="provisional_source_partition",
    offset="provisional_source_offset",
)
"""
No outcome: a verdict that another one follows. Its message is named apart from `source_…`, so that releases that do not
know of it pass it over.
"""
OF_ACCEPTANCE = SourceHeaders(
    kind="acceptance",
    id="acceptance_id",
    topic="acceptance_topic",
    partition="acceptance_partition",
    offset="acceptance_offset",
)
"""No outcome: an operator's word, among the dead letters, that the group may start at that offset of a partition."""
OF_TASK = SourceHeaders(kind="task", id="task_id", topic="task_topic", partition="task_partition", offset="task_offset")
"""No outcome: a task at the provider that is paid for and has no result yet; see `tasks.py`."""
