"""What of the outputs' records becomes known of the partitions that are taken over."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from consumer.config.kafka import JournalSettings
from consumer.intake.readback import ReadBack
from consumer.journal.broker_clock import BrokerClock
from consumer.journal.journal import Journal
from consumer.journal.reader import Outcome, Wants
from consumer.records import Partition, SourceId
from tests.rig.clock import ManualClock
from tests.rig.events import delivery

PLACE = Partition("uploads", 0)
MARK = 1_700_000_000.0  # unix seconds


@dataclass
class Outputs:
    """Output topics that hold these."""

    outcomes: Sequence[Outcome]
    brokers: BrokerClock = field(default_factory=BrokerClock)

    async def read(self, since: float, wants: Wants) -> AsyncGenerator[Sequence[Outcome]]:
        yield [each for each in self.outcomes if wants(each.id, each.partition, each.offset)]


async def read_back(*outcomes: Outcome, mark: float = MARK) -> Journal:
    """The journal after one reading, for the records from 5 to 9 of a partition."""
    journal = Journal()
    outputs = Outputs(outcomes)
    reading = ReadBack(outputs, journal, JournalSettings(), ManualClock())  # type: ignore[arg-type]
    await reading.read({PLACE: mark}, {PLACE: range(5, 10)}, lambda: True)
    return journal


async def test_nothing_is_believed_of_records_that_are_not_there_yet() -> None:
    """
    Whoever writes to the outputs could else say beforehand that what comes next is judged.
    """
    journal = await read_back(*(Outcome(SourceId(str(n)), PLACE, n, MARK + 1.0) for n in range(12)))

    assert [n for n in range(12) if journal.holds(delivery(offset=n), SourceId(str(n)))] == [5, 6, 7, 8, 9]


async def test_no_time_of_a_record_moves_the_mark_back() -> None:
    """
    No outcome of these records is older than the mark says. With a timestamp of 1970, which any writer can choose, each
    later take-over would read the outputs from their beginning.
    """
    journal = await read_back(Outcome(SourceId("5"), PLACE, 5, 0.0), Outcome(SourceId("6"), PLACE, 6, MARK + 9.0))

    assert journal.earliest(PLACE, 5) == MARK
    assert journal.earliest(PLACE, 6) == MARK + 9.0
