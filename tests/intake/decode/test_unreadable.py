"""Batches that could not be read."""

from dataclasses import replace

import pytest

from consumer.errors import Undecodable
from consumer.intake.decode import Bindings, decode, recognise
from consumer.records import Unreadable, seconds, source_id
from tests.rig.events import delivery, upload


@pytest.mark.parametrize("value", [None, b"", b"\x00raw", upload("event-1", "https://img.example.com/1.jpg")])
@pytest.mark.parametrize("reason", ["batch_too_large", "batch_damaged"])
def test_a_batch_that_could_not_be_read_is_a_dead_letter_whatever_its_bytes_look_like(
    value: bytes | None, reason: str
) -> None:
    """
    Its value is no message: it is neither decoded nor measured.
    """
    why = Unreadable(reason=reason, detail="17 MiB", first_offset=1, last_offset=9, count=9, codec="zstd")

    read = replace(delivery(value), unreadable=why)

    with pytest.raises(Undecodable, match=f"^{reason}: 17 MiB$"):
        decode(read, Bindings([]), "group")
    assert recognise(read).format == "unreadable"


@pytest.mark.parametrize("milliseconds", [None, -(2**63), -1, 0, 1_763_632_800_123, 2**63 - 1])
def test_a_timestamp_of_any_size_makes_an_id(milliseconds: int | None) -> None:
    """
    And a moment that a calendar has; one that is sane is exact.
    """
    found = seconds(milliseconds)

    assert len(source_id("group", replace(delivery(), timestamp=found))) == 32
    assert -0.001 <= found < 253_402_300_800
    if milliseconds is not None and 0 <= milliseconds < 10**15:
        assert round(found * 1000) == milliseconds
