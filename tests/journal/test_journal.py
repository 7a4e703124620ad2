from math import inf

from consumer.journal.journal import Journal
from consumer.records import Partition, SourceId
from tests.rig.events import delivery

PLACE = Partition("uploads", 0)


def test_it_knows_what_was_published_of_a_record() -> None:
    """
    One outcome an image: what one has does not speak for another.
    """
    journal = Journal()

    journal.note(PLACE, 7, SourceId("a"), 10.0)

    assert journal.holds(delivery(offset=7), SourceId("a"))
    assert not journal.holds(delivery(offset=7), SourceId("b"))
    assert not journal.holds(delivery(offset=8), SourceId("a"))
    assert not journal.holds(delivery(offset=7, partition=1), SourceId("a"))


def test_it_forgets_what_will_not_be_read_again() -> None:
    """
    What lies behind the committed offset, and partitions that another replica has got, take no memory.
    """
    journal = Journal()
    for offset in range(4):
        journal.note(PLACE, offset, SourceId("a"), 10.0)
        journal.note(PLACE, offset, SourceId("b"), 10.0)
    journal.note(Partition("uploads", 1), 0, SourceId("c"), 10.0)

    journal.forget(PLACE, 3)
    after_commit = len(journal)
    journal.keep_only([Partition("uploads", 1)])

    assert after_commit == 3
    assert len(journal) == 1
    assert not journal.holds(delivery(offset=3), SourceId("a"))


def test_the_same_outcome_counts_once() -> None:
    """
    Read back and published, read twice: it is one.
    """
    journal = Journal()

    for at in (12.0, 10.0, 11.0):
        journal.note(PLACE, 7, SourceId("a"), at)

    assert len(journal) == 1
    assert journal.earliest(PLACE, 0) == 10.0


def test_the_earliest_outcome_counts_from_an_offset_on() -> None:
    """
    What lies behind the offset will not be read again, so it need not be found.
    """
    journal = Journal()
    journal.note(PLACE, 1, SourceId("a"), 10.0)
    journal.note(PLACE, 5, SourceId("a"), 20.0)

    assert journal.earliest(PLACE, 0) == 10.0
    assert journal.earliest(PLACE, 2) == 20.0
    assert journal.earliest(PLACE, 6) == inf
