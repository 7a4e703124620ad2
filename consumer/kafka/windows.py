"""
What was published to partitions from a moment on, until now.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition


@dataclass(frozen=True, slots=True)
class Window:
    """Where reading begins and ends, by partition."""

    starts: Mapping[TopicPartition, int]
    ends: Mapping[TopicPartition, int]

    @property
    def size(self) -> int:
        """Offsets in it; records are as many, or fewer."""
        return sum(end - self.starts[each] for each, end in self.ends.items())


async def window_of(consumer: Any, since: float) -> Window:
    """
    What was published from a moment (unix seconds) on to the partitions that a consumer is assigned; those that have
    nothing of it are left out. `KafkaError` escapes.
    """
    partitions = sorted(consumer.assignment())
    ends: Mapping[TopicPartition, int] = await consumer.end_offsets(partitions)
    begins: Mapping[TopicPartition, int] = await consumer.beginning_offsets(partitions)
    filled = [each for each in partitions if begins[each] < ends[each]]
    found = await consumer.offsets_for_times(dict.fromkeys(filled, round(max(0.0, since) * 1000)))
    # None: all are older; or the broker knows no times, as librdkafka's mock cluster.
    unsure = [each for each in filled if found[each] is None]
    dated = await consumer.offsets_for_times(dict.fromkeys(unsure, 0)) if unsure else {}
    starts = {
        each: found[each].offset if found[each] is not None else begins[each]
        for each in filled
        if found[each] is not None or dated[each] is None
    }
    return Window(starts, {each: ends[each] for each in starts})


def seek(consumer: Any, window: Window) -> None:
    """Have a consumer read a window from its beginning, and nothing of other partitions."""
    for partition in consumer.assignment():
        if partition in window.starts:
            consumer.seek(partition, window.starts[partition])
        else:
            consumer.pause(partition)
