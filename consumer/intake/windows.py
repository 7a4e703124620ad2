"""
How much of the journal is kept where it is more than fits. Values only.

The outputs have outcomes in the order in which they were published, which is nearly, but not quite, that of their
sources' offsets. So what is read is kept until the room is used up; then the partition with most of it keeps the lower
half of its offsets, and nothing from there on:

    offsets of a partition     begin ██████████████ limit ░░░░░░░░░░░░░░░░░
                                     all is known         must be read again, once the window has been passed

Every partition keeps its lowest record, so that each reading moves all of them on.
"""

from collections.abc import Mapping
from math import inf

from consumer.journal.journal import Journal
from consumer.records import Partition, SourceId

YOUNG = 60.0  # seconds of journal, which are read in moments
MIN_ROOM = 10_000  # outcomes: what others hold leaves a reading so much, lest it move on by single records


class Windows:
    """Puts what one reading of the outputs finds into the journal, as far as there is room."""

    def __init__(self, journal: Journal, spans: Mapping[Partition, range], most: int) -> None:
        """`spans` are the offsets of which outcomes are wanted; the journal holds at most `most`."""
        self._journal = journal
        self._spans = spans
        self._room = max(most, len(journal) + min(most, MIN_ROOM))
        self._size = len(journal)
        self.limits: dict[Partition, int] = {}
        """From which offset on outcomes were dropped, of partitions of which some were."""

    def wants(self, partition: Partition, offset: int) -> bool:
        """Whether outcomes of a record are kept: it is of these partitions, and inside its partition's window."""
        return offset in self._spans.get(partition, ()) and offset < self.limits.get(partition, inf)

    def note(self, partition: Partition, offset: int, outcome: SourceId, at: float) -> None:
        """Keep an outcome, where those of its record are wanted."""
        if self.wants(partition, offset) and self._journal.note(partition, offset, outcome, at):
            self._size += 1
            if self._size > self._room:
                self._shrink()

    def _shrink(self) -> None:
        """Halve the largest window."""
        sizes = {partition: self._journal.count(partition, span.start) for partition, span in self._spans.items()}
        largest = max(sizes, key=lambda partition: sizes[partition])
        if sizes[largest] > 1:
            before = self._journal.count(largest)
            begin = self._spans[largest].start
            self.limits[largest] = self._journal.keep_lowest(largest, begin, sizes[largest] // 2)
            self._size -= before - self._journal.count(largest)


def turn(since: Mapping[Partition, float], now: float) -> list[Partition]:
    """
    The partitions that one reading serves: those whose journal is youngest, and those not much older.

    One that goes back for days would hold the others for as long as all of that takes. `since` and `now` are unix
    seconds; with turns that go back four times further, all of them read at most a third more than one would.
    """
    youngest = max(since.values())
    return [partition for partition, each in since.items() if now - each <= 4 * max(now - youngest, YOUNG)]
