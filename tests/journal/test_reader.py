import pytest
from aiokafka import ConsumerRecord

from consumer.config.kafka import KafkaSettings, OutputTopics
from consumer.journal.reader import OutputReader
from consumer.kafka.security import KafkaAccess
from tests.rig.outcomes import OUTCOMES

SETTINGS = KafkaSettings(
    bootstrap_servers="127.0.0.1:9",
    group_id="group",
    topics=("uploads",),
    outputs=OutputTopics.model_validate({name: name for name in OUTCOMES}),
)
HEADERS = {
    "source_group": b"group",
    "ce_id": b"1f",
    "source_topic": b"uploads",
    "source_partition": b"3",
    "source_offset": b"7",
}


@pytest.mark.parametrize("header", ["ce_id", "source_topic", "source_partition", "source_offset"])
@pytest.mark.parametrize("value", [None, b"\xff"])
def test_a_stranger_in_the_outputs_is_passed_over(header: str, value: bytes | None) -> None:
    """
    Headers may be null or garbage where somebody else has written: no takeover may fail by it.
    """
    headers = tuple((HEADERS | {header: value}).items())
    record: ConsumerRecord[None, None] = ConsumerRecord(
        "pass", 0, 9, 1_763_632_800_123, 0, None, None, None, -1, -1, headers
    )

    assert OutputReader(SETTINGS, KafkaAccess(SETTINGS), 5.0).outcome(record, lambda *_: True) is None
