"""What goes between the service and a worker, which may have been taken over by a file."""

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.images.preparing import NotPrepared, Picture, Prepared, wire
from tests.images.preparing.files import job

MADE = Prepared(pictures=(Picture(b"abc", "jpeg", 0), Picture(b"de", "png", 7)), frames=None, scaled=True)
JOB = job("gif", frames=2, scales=True)
ANSWER = {"pictures": [[3, "jpeg", 0]], "frames": 5, "scaled": False}


def test_a_job_arrives_as_it_was_sent() -> None:
    """
    With the size of its file.
    """
    message = wire.written_job(JOB, 1_234)

    assert int.from_bytes(message[: wire.LENGTH], "big") == len(message) - wire.LENGTH
    assert wire.read_job(message[wire.LENGTH :]) == (JOB, 1_234)


def test_an_answer_arrives_as_it_was_sent() -> None:
    """
    Its pictures' bytes follow in their order.
    """
    announced = wire.read_answer(wire.written_answer(MADE)[wire.LENGTH :], JOB)

    assert announced.sizes == (3, 2)
    assert announced.with_bytes([b"abc", b"de"]) == MADE


def test_a_refusal_is_a_word_of_ours() -> None:
    """
    One that is not is never told: it could hold what stood in the file.
    """
    with pytest.raises(NotPrepared, match=r"^too_many_pixels$"):
        wire.read_answer(wire.written_refusal("too_many_pixels")[wire.LENGTH :], JOB)
    with pytest.raises(NotPrepared, match=r"^undecodable$"):
        wire.read_answer(wire.written_refusal("https://evil.example/")[wire.LENGTH :], JOB)


@pytest.mark.parametrize(
    "changes",
    [
        {"pictures": [[3, "jpeg", 0]] * 3},  # more than were asked for
        {"pictures": []},  # none, of a file that cannot be uploaded as it is
        {"pictures": [[JOB.most_prepared + 1, "jpeg", 0]]},
        {"pictures": [[JOB.most_prepared, "jpeg", 0], [1, "jpeg", 1]]},
        {"pictures": [[0, "jpeg", 0]]},
        {"pictures": [[-1, "jpeg", 0], [1, "jpeg", 0]]},
        {"pictures": [[True, "jpeg", 0]]},
        {"pictures": [[3, "svg", 0]]},
        {"pictures": [[3, "../../x", 0]]},
        {"pictures": [[3, "jpeg", -1]]},
        {"pictures": [[3, "jpeg", "first"]]},
        {"pictures": [[3, ["jpeg"], 0]]},
        {"pictures": [[3, {"jpeg": 1}, 0]]},
        {"pictures": [[3, "jpeg"]]},
        {"pictures": {"a": 1}},
        {"frames": 0},
        {"frames": "many"},
        {"scaled": 1},
        {"scaled": None},
    ],
)
def test_what_no_worker_says_is_not_believed(changes: dict[str, Any]) -> None:
    """
    Sizes, numbers and formats are those that a job can have.
    """
    wire.read_answer(orjson.dumps(ANSWER), JOB)

    with pytest.raises(wire.Garbled):
        wire.read_answer(orjson.dumps({**ANSWER, **changes}), JOB)


def test_nothing_is_scaled_that_may_not_be() -> None:
    """
    And a file is uploaded as it is only where it could be.
    """
    with pytest.raises(wire.Garbled):
        wire.read_answer(orjson.dumps({**ANSWER, "scaled": True}), job("gif", frames=2))
    assert wire.read_answer(orjson.dumps({**ANSWER, "pictures": []}), job("gif", as_it_is=True)).sizes == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**40) | st.floats() | st.text(max_size=5) | st.just("jpeg"),
    lambda each: st.lists(each, max_size=4) | st.dictionaries(st.sampled_from(sorted({*ANSWER, "code"})), each),
    max_leaves=12,
)


@given(st.binary(max_size=64) | JSON.map(lambda value: orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)))
def test_whatever_is_said_is_read_or_refused(said: bytes) -> None:
    """
    Nothing else escapes, and no more is read than a job may make.
    """
    with contextlib.suppress(wire.Garbled, NotPrepared):
        assert sum(wire.read_answer(said, JOB).sizes) <= JOB.most_prepared
