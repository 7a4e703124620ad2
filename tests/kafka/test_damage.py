"""What becomes of batches that cannot be read: by number, clock and setting."""

import pytest
from aiokafka import TopicPartition

from consumer.config.kafka import KafkaSettings
from consumer.kafka.damage import ATTEMPTS, HELD_DELAY, RETRY_DELAY, DamagedUploads, Named, pass_over
from consumer.kafka.unreadable import DAMAGED, TOO_LARGE, Damage, Skip
from tests.rig.clock import ManualClock

THIRD = TopicPartition("uploads", 3)


def damage(offset: int = 1234, why: str = DAMAGED, next_offset: int | None = 1240) -> Damage:
    return Damage(THIRD, offset, why, "its checksum is wrong", next_offset)


def fetch_until_held(uploads: DamagedUploads, clock: ManualClock, met: Damage) -> int:
    """Fetches until the partition is held, each once it no longer waits."""
    fetches = 0
    while not uploads.reasons():
        assert not uploads.waits(THIRD)
        assert uploads.decide(met) is None
        assert uploads.waits(THIRD)
        fetches += 1
        clock.time += RETRY_DELAY
    return fetches


def test_a_damaged_batch_is_fetched_again_three_times_and_then_its_partition_is_held() -> None:
    """
    A second apart; the reason names topic, partition, offset and the way on.
    """
    clock = ManualClock()
    uploads = DamagedUploads((), clock)

    assert fetch_until_held(uploads, clock, damage()) == 1 + ATTEMPTS

    (reason,) = uploads.reasons()
    assert reason.startswith("kafka: uploads/3 is held at offset 1234: its batch is damaged (its checksum is wrong)")
    assert reason.endswith("or set kafka.skip_damaged to [uploads/3@1234]")


def test_what_is_fetched_too_early_counts_for_nothing() -> None:
    """
    aiokafka may have had the next fetch on its way.
    """
    uploads = DamagedUploads((), ManualClock())

    for _ in range(10):
        assert uploads.decide(damage()) is None

    assert not uploads.reasons()


def test_a_held_partition_is_fetched_again_every_minute_and_goes_on_once_it_is_mended() -> None:
    """
    Where its position moves, or it is no longer ours, it is forgotten.
    """
    clock = ManualClock()
    uploads = DamagedUploads((), clock)
    fetch_until_held(uploads, clock, damage())

    uploads.follow({THIRD: 1234}.get)
    assert uploads.waits(THIRD)
    clock.time += HELD_DELAY
    assert not uploads.waits(THIRD)
    uploads.follow({THIRD: 1240}.get)

    assert not uploads.reasons()


@pytest.mark.parametrize(
    ("text", "next_offset", "skip"),
    [
        ("uploads/3@1234", 1240, Skip(1240, deliver=True)),
        ("uploads/3@1234-1250", None, Skip(1251, deliver=True)),
        ("uploads/3@1234-1250", 1240, Skip(1251, deliver=True)),
        ("uploads/3@1234", None, None),
        ("uploads/3@1235", 1240, None),
        ("uploads/2@1234", 1240, None),
        ("uploads.b/3@1234", 1240, None),
    ],
)
def test_only_the_batch_that_the_setting_names_is_skipped(
    text: str, next_offset: int | None, skip: Skip | None
) -> None:
    """
    By topic, partition and offset; where nothing tells its end, by its last offset too.
    """
    (named,) = KafkaSettings(skip_damaged=(text,)).skip_damaged

    assert DamagedUploads([named], ManualClock()).decide(damage(next_offset=next_offset)) == skip


@pytest.mark.parametrize("text", ["uploads@3", "uploads/3", "uploads/x@3", "uploads/3@-1", "uploads/3@1-", "/3@1"])
def test_a_setting_that_names_no_batch_is_refused(text: str) -> None:
    """
    With the configuration, not when the batch is met.
    """
    with pytest.raises(ValueError, match="skip_damaged"):
        KafkaSettings(skip_damaged=(text,))


def test_a_topic_s_name_may_hold_dots_and_dashes() -> None:
    """
    The last slash and the last at sign count.
    """
    assert Named.read("a-b.c_1/12@0-7") == (TopicPartition("a-b.c_1", 12), 0, 7)


def test_a_batch_that_is_too_large_is_delivered_and_passed() -> None:
    """
    At once: fetching it again would change nothing.
    """
    assert DamagedUploads((), ManualClock()).decide(damage(why=TOO_LARGE)) == Skip(1240, deliver=True)


@pytest.mark.parametrize("why", [DAMAGED, TOO_LARGE])
def test_in_the_outputs_it_is_passed_over(why: str) -> None:
    """
    By what its header says, or offset by offset.
    """
    assert pass_over(damage(why=why)) == Skip(1240, deliver=False)
    assert pass_over(damage(why=why, next_offset=None)) == Skip(1235, deliver=False)
