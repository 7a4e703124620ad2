"""The ledger's lines."""

from dataclasses import replace

import jsonschema
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.feedback import About, Line, NotSent, Sent
from consumer.feedback.lines import Unread, encoded, is_believed, read, sealed
from consumer.feedback.schema import feedback_schema
from consumer.journal.signatures import Keyring
from consumer.verdicts.encode import Encoded
from tests.feedback.building import ABOUT, vote

SENT = Sent(
    about=ABOUT, tenant="t", suggestion="block", scenes=("porn", "ad"), url="https://c/k", reviewers=("a", "b"),
    verdict_ids=("v",), sent_at="2026-11-20T10:00:00Z", request_id=None,
)  # fmt: skip
NOT_SENT = NotSent(about=ABOUT, tenant="t", suggestion="pass", reason="no_scene")
KEYRING = Keyring({"k1": b"x" * 32}, "k1")
TOPIC = "moderation.feedback"
VALID = jsonschema.Draft202012Validator(feedback_schema())


@pytest.mark.parametrize("line", [vote(), vote(judged=None), vote(labels=()), vote(said="escalate"), SENT, NOT_SENT])
def test_comes_back_as_it_was(line: Line) -> None:
    """What is written is read again, with everything in it, and follows the exported schema, which names all of it."""
    value = encoded(line).value

    assert read(value) == line
    VALID.validate(orjson.loads(value or b""))
    [described] = [each for each in feedback_schema()["oneOf"] if each["properties"]["kind"]["const"] == _kind(value)]
    assert set(described["properties"]) == set(orjson.loads(value or b""))


def _kind(value: bytes | None) -> str:
    return str(orjson.loads(value or b"")["kind"])


def test_all_about_one_submission_has_one_key() -> None:
    """Its votes and what was sent stand in one partition; others have another key."""
    keys = {encoded(each).key for each in (vote("a"), vote("b"), SENT, NOT_SENT)}

    assert len(keys) == 1
    assert encoded(vote(about=About("uploads", 0, 8, "0"))).key not in keys


@pytest.mark.parametrize("value", [None, b"", b"{}", b"[]", b"null", b"\xff", b'{"schema":"moderation.feedback.v2"}'])
def test_what_is_no_line_is_told_apart(value: bytes | None) -> None:
    """Whatever else stands in the topic is no line, and no error of another kind."""
    with pytest.raises(Unread):
        read(value)


@given(st.sampled_from([vote(), SENT, NOT_SENT]), st.data())
def test_a_line_with_something_else_in_it_is_none(line: Line, data: st.DataObject) -> None:
    """A member that is missing or of another shape makes no vote: it is read as it is promised, or not at all."""
    document = orjson.loads(encoded(line).value or b"")
    name = data.draw(st.sampled_from(sorted(set(document) - {"proposes"})))
    document[name] = data.draw(st.sampled_from([3.5, True, {"a": 1}, [1], [None]]))

    with pytest.raises(Unread):
        read(orjson.dumps(document))
    assert not VALID.is_valid(document)


def test_a_strangers_line_is_not_believed() -> None:
    """With a key, a line counts only as it was sealed: for its topic, group, key and value."""
    record = sealed(encoded(vote()), "g", TOPIC, KEYRING)
    other = encoded(replace(vote(), said="approve"))

    assert is_believed(record, "g", TOPIC, KEYRING)
    assert not is_believed(record, "g2", TOPIC, KEYRING)
    assert not is_believed(record, "g", "other", KEYRING)
    assert not is_believed(Encoded(record.key, other.value, record.headers), "g", TOPIC, KEYRING)
    assert not is_believed(Encoded(b"k", record.value, record.headers), "g", TOPIC, KEYRING)
    assert not is_believed(encoded(vote()), "g", TOPIC, KEYRING)


def test_without_a_key_every_writer_is_believed() -> None:
    """As with the outputs: who may write to the topic is then Kafka's to say."""
    assert is_believed(encoded(vote()), "g", TOPIC, Keyring({}))
    assert sealed(encoded(vote()), "g", TOPIC, Keyring({})) == encoded(vote())
