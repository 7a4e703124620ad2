from consumer.intake.committer import commit_of
from consumer.intake.ledger import PartitionLedger
from consumer.journal.broker_clock import BrokerClock
from consumer.journal.commit_metadata import CommitMetadata
from consumer.journal.journal import Journal
from consumer.records import Partition


def test_the_mark_goes_back_by_as_much_as_the_broker_is_behind() -> None:
    """
    With LogAppendTime an outcome is dated by the broker: the next owner must read from that much earlier.
    """
    brokers, ledger = BrokerClock(), PartitionLedger()
    ledger.begin(0)
    ledger.open(0, 1_000.0)

    told = [brokers.notice(1_000.5, 970_500, 1), brokers.notice(1_001.0, 990_000, 1)]
    _, metadata = commit_of(Partition("uploads", 0), ledger, Journal(), "0123abcd", 1_001.0, behind=brokers.behind)

    assert told == [30.0, None]
    assert CommitMetadata.read(metadata) == CommitMetadata(970.0, "0123abcd")


def test_the_producers_own_time_says_nothing_of_the_brokers_clock() -> None:
    """
    Nor does a broker that is ahead: what it dates later is found all the same.
    """
    brokers = BrokerClock()

    assert [brokers.notice(1_000.0, 5_000, 0), brokers.notice(1_000.0, 1_030_000, 1)] == [None, None]
    assert brokers.behind == 0.0


def test_an_acknowledgement_without_a_time_says_nothing_of_the_brokers_clock() -> None:
    """
    The embedded broker answers with 0 or 1234, by its release: no clock is decades behind.
    """
    clock = BrokerClock()

    noticed = [clock.notice(1_763_632_800.0, timestamp, 1) for timestamp in (0, -1, 1234)]

    assert (noticed, clock.behind) == ([None] * 3, 0.0)
