"""
Writing down tasks that are paid for, before their results are looked for. See `journal/tasks.py`.

A task whose topic does not take it is looked for all the same: only a crash would pay for it again.
"""

from dataclasses import dataclass, field
from typing import Protocol

import structlog

from consumer.clock import Clock
from consumer.errors import OutcomeRefused
from consumer.journal.headers import OF_TASK
from consumer.journal.tasks import Task
from consumer.records import Partition
from consumer.verdicts import Sink
from consumer.verdicts.encode import Encoded
from consumer.verdicts.outcomes import Outcome
from consumer.verdicts.publisher import Journal

log = structlog.get_logger()


class Message(Protocol):
    """The message that a task is about."""

    partition: Partition
    offset: int
    key: bytes | None


@dataclass(slots=True)
class TaskRecords:
    """Those of one group."""

    topic: str
    group: str
    sink: Sink
    journal: Journal
    clock: Clock
    _refused: str | None = field(default=None)

    async def write(self, task: Task, about: Message) -> None:
        """Return once the record is durable, or its topic has refused it."""
        source, began = task.source(about.partition, about.offset), self.clock.wall()
        headers = OF_TASK.write_source(self.group, source)
        record = Encoded(about.key, task.encode(), [("content-type", b"application/json"), *headers])
        try:
            await self.sink.publish(Outcome(source=source, names=OF_TASK, topic=self.topic, record=record))
        except OutcomeRefused as refused:
            if self._refused is None:
                log.warning("task.refused", topic=self.topic, reason=refused.word, meaning="a crash pays for it again")
            self._refused = refused.word
        else:
            self._refused = None
            self.journal.note(about.partition, about.offset, task.journal_id, began)

    def degraded(self) -> list[str]:
        """Say that tasks are not written down."""
        if self._refused is None:
            return []
        return [f"kafka: {self.topic} refuses tasks: {self._refused}; if this replica crashes, they are paid for again"]
