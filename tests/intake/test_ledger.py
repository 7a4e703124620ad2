import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.intake.ledger import PartitionLedger


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int]]:
    """Offsets that open in rising order, with gaps, and settle in any order."""
    offsets = sorted(draw(st.sets(st.integers(0, 10_000), min_size=1, max_size=40)))
    history: list[tuple[str, int]] = []
    open_now: list[int] = []
    while offsets or open_now:
        if offsets and (not open_now or draw(st.booleans())):
            open_now.append(offsets.pop(0))
            history.append(("open", open_now[-1]))
        elif draw(st.booleans()) or offsets:
            settled = open_now.pop(draw(st.integers(0, len(open_now) - 1)))
            history.append(("settle", settled))
        else:
            break
    return history


@given(histories())
def test_the_watermark_never_passes_an_open_offset(history: list[tuple[str, int]]) -> None:
    """
    Whatever order records settle in, committing the watermark loses none and never goes back.
    """
    ledger = PartitionLedger()
    open_now: set[int] = set()
    last = -1
    for step, offset in history:
        if step == "open":
            ledger.open(offset, 0.0)
            open_now.add(offset)
        else:
            ledger.settle(offset)
            open_now.remove(offset)

        watermark = ledger.watermark

        assert watermark is not None
        assert watermark == min(open_now, default=watermark)
        assert all(watermark <= each for each in open_now)
        assert watermark >= last
        assert len(ledger) == len(open_now)
        last = watermark


def test_with_nothing_open_all_that_was_read_may_be_committed() -> None:
    """
    The offset behind the last record is committed once every record has settled.
    """
    ledger = PartitionLedger()
    assert ledger.watermark is None

    for offset in (5, 9):
        ledger.open(offset, 0.0)
    ledger.settle(9)
    ledger.settle(5)

    assert ledger.watermark == 10


def test_an_offset_settles_once() -> None:
    """
    A record that settles twice is a bug and says so.
    """
    ledger = PartitionLedger()
    ledger.open(1, 0.0)
    ledger.settle(1)

    with pytest.raises(KeyError):
        ledger.settle(1)


def test_offsets_must_rise() -> None:
    """
    A record that was read before cannot open again behind later ones.
    """
    ledger = PartitionLedger()
    ledger.open(7, 0.0)

    with pytest.raises(ValueError, match="offset 7 was delivered where 8 was due"):
        ledger.open(7, 0.0)


def test_the_beginning_of_an_assignment_may_be_committed() -> None:
    """
    Before the first record comes, the offset at which reading begins is the one to commit.
    """
    ledger = PartitionLedger()

    ledger.begin(40)

    assert ledger.watermark == 40


def test_a_marker_behind_the_last_record_is_committed_too() -> None:
    """
    What lies before the next read and is no record leaves no lag; an open record is never passed.
    """
    ledger = PartitionLedger()
    ledger.begin(0)
    ledger.open(0, 0.0)
    ledger.skip_to(2)
    open_still = ledger.watermark

    ledger.settle(0)

    assert open_still == 0
    assert ledger.watermark == 2


def test_a_log_that_was_begun_anew_is_noticed() -> None:
    """
    An offset below the next one is none of this log's.
    """
    ledger = PartitionLedger()
    ledger.begin(500)

    assert ledger.is_behind(0)
    assert not ledger.is_behind(500)


def test_outcomes_can_be_as_old_as_the_lowest_open_record() -> None:
    """
    Records behind it in the log were admitted later; with nothing open, only what comes can have an outcome.
    """
    ledger = PartitionLedger()
    ledger.begin(0)
    nothing_open = ledger.earliest_output(50.0)
    for offset, admitted in ((0, 100.0), (1, 101.0), (2, 102.0)):
        ledger.open(offset, admitted)
    ledger.settle(1)
    lowest = ledger.earliest_output(200.0)
    ledger.settle(0)

    assert (nothing_open, lowest) == (50.0, 100.0)
    assert ledger.earliest_output(200.0) == 102.0
