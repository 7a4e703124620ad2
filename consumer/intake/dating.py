"""
How long Kafka keeps the records of a partition at least, whatever times their producers gave them. Values only.

Kafka deletes whole segments from the beginning of a log, each once its youngest record is older than `retention.ms`. So
a record is kept at least as long as the youngest of those before it, and a time in the past that its producer made up
says nothing:

    10:00   10:01   1970   10:02   2100   10:03
    10:00   10:01   10:01  10:02   now    10:03     kept from: the moment from which on `retention.ms` counts

A time later than the reading cannot be true: it counts as the moment of reading, and for no other record, unless it
could be a clock's that is ahead.
"""

from dataclasses import dataclass
from math import inf

AHEAD = 3_600.0  # seconds by which a producer's clock may be ahead: what Kafka 4 allows by default


@dataclass(slots=True)
class RecordDates:
    """The times of the records of one partition, in the order of their offsets, from where it was begun to be read."""

    _youngest: float = -inf

    def kept_from(self, timestamp: float, received: float) -> float:
        """From when on `retention.ms` counts for the next record at the earliest; all are unix seconds."""
        kept_from = max(self._youngest, min(timestamp, received))
        if timestamp <= received + AHEAD:
            self._youngest = kept_from
        return kept_from
