"""Header names that are no UTF-8, and batches that could not be read, as dead letters."""

from urllib.parse import unquote_to_bytes

import orjson
from hypothesis import given
from hypothesis import strategies as st

from consumer.errors import Undecodable
from consumer.records import Delivery, Unreadable
from consumer.verdicts.encode import Encoding
from consumer.verdicts.foreign import ESCAPED, header_name, written_headers
from tests.rig.events import delivery

ENCODING = Encoding(group="group")


@given(st.lists(st.tuples(st.binary(max_size=40), st.none() | st.binary(max_size=8)), max_size=8))
def test_every_name_can_be_written_and_leads_back_to_its_bytes(headers: list[tuple[bytes, bytes | None]]) -> None:
    """
    Whatever bytes a name is: UTF-8 stays as it is, anything else is listed, and percent-decoding yields it again.
    """
    read = [(name.decode(errors="surrogateescape"), value) for name, value in headers]

    written = written_headers(read, {"dlq_reason"})

    escaped: list[str] = next((orjson.loads(value or b"") for name, value in written if name == ESCAPED), [])
    back = []
    for name, value in written[: len(headers)]:
        name.encode()
        back.append((unquote_to_bytes(name) if name in escaped else name.encode(), value))
    assert back == headers or any(name in {b"dlq_reason", ESCAPED.encode()} for name, _ in headers)


def test_a_name_that_is_utf_8_is_left_alone() -> None:
    """
    Even one that looks percent-encoded.
    """
    assert [header_name(name) for name in ("a%20b", "größe", "", "x" * 300)] == ["a%20b", "größe", "", "x" * 300]


def test_a_dead_letter_keeps_a_header_whose_name_is_no_utf_8() -> None:
    """
    Beside the others, in its place.
    """
    read = delivery(b"no", headers=[("a", b"1"), ("k\udcff", b"2"), (ESCAPED, b"theirs")])

    encoded = ENCODING.dead_letter(read, Undecodable("not_json", ""), 0.0)

    assert encoded.headers[:4] == [
        ("a", b"1"), ("k%FF", b"2"), (f"original_{ESCAPED}", b"theirs"), (ESCAPED, b'["k%FF"]'),
    ]  # fmt: skip


def test_a_batch_that_could_not_be_read_says_which_records_it_held() -> None:
    """
    Offsets, count and codec; its value is the batch.
    """
    why = Unreadable(
        reason="batch_too_large", detail="17 MiB", first_offset=10, last_offset=19, count=10, codec="zstd"
    )  # fmt: skip
    read = Delivery(
        topic="uploads", partition=0, offset=10, timestamp=1.0, key=None, value=b"raw", headers=(), received=2.0,
        unreadable=why,
    )  # fmt: skip

    encoded = ENCODING.dead_letter(read, Undecodable(why.reason, why.detail), 3.0)

    assert encoded.value == b"raw"
    assert {
        ("dlq_first_offset", b"10"), ("dlq_last_offset", b"19"), ("dlq_record_count", b"10"), ("dlq_codec", b"zstd"),
    } <= set(encoded.headers)  # fmt: skip
