"""Reading people's decisions."""

from typing import Any

import jsonschema
import orjson
import pytest

from consumer.errors import Undecodable
from consumer.reviews.review import VerdictAt, read_review
from consumer.reviews.schema import review_schema
from tests.reviews.made import review

AT = VerdictAt("moderation.block", 3, 77)
WHOLE = {
    "override_pin": True, "claimed_at": "2026-11-20T10:00:00Z", "note": "seen twice", "labels_confirmed": ["a"],
    "labels_rejected": ["b"], "feedback": "propose", "of_a_later_release": 1,
}  # fmt: skip


def test_a_decision_is_read_whole() -> None:
    """Every member is read; one that is not known is left out; what is not said is the default."""
    read = read_review(review("v", AT, "remove", **WHOLE))
    assert (read.verdict_id, read.at, read.decision, read.override_pin) == ("v", AT, "remove", True)
    assert (read.labels_confirmed, read.labels_rejected, read.feedback, read.note) == (
        ("a",), ("b",), "propose", "seen twice",
    )  # fmt: skip
    assert "seen twice" not in repr(read)
    least = read_review(review("v", AT))
    assert (least.override_pin, least.labels_confirmed, least.feedback, least.note) == (False, (), "none", None)


@pytest.mark.parametrize(
    ("changes", "reason", "where"),
    [
        ({"schema": "moderation.review.v2"}, "unknown_schema", "schema"),
        ({"verdict_id": ""}, "missing_member", "verdict_id"),
        ({"verdict_id": "v" * 129}, "too_long", "verdict_id"),
        ({"verdict_at": None}, "missing_member", "verdict_at"),
        ({"verdict_at": {"topic": "t", "partition": 0}}, "missing_member", "verdict_at.offset"),
        ({"verdict_at": {"topic": "t", "partition": -1, "offset": 0}}, "bad_member", "verdict_at.partition"),
        ({"verdict_at": {"topic": "t", "partition": 0, "offset": True}}, "bad_member", "verdict_at.offset"),
        ({"decision": "pass"}, "bad_member", "decision"),
        ({"decision": None}, "missing_member", "decision"),
        ({"override_pin": "true"}, "bad_member", "override_pin"),
        ({"reviewer": None}, "missing_member", "reviewer"),
        ({"decided_at": "yesterday"}, "bad_member", "decided_at"),
        ({"claimed_at": "yesterday"}, "bad_member", "claimed_at"),
        ({"labels_confirmed": "porn"}, "bad_member", "labels_confirmed"),
        ({"labels_rejected": ["x"] * 101}, "too_many", "labels_rejected"),
        ({"labels_rejected": ["x" * 129]}, "too_long", "labels_rejected"),
        ({"feedback": "yes"}, "bad_member", "feedback"),
    ],
)
def test_what_is_no_decision_is_refused_with_its_member(changes: dict[str, Any], reason: str, where: str) -> None:
    """Each fault names the member and never its value; the schema refuses it as well."""
    value = review("v", AT, **changes)
    with pytest.raises(Undecodable) as refused:
        read_review(value)
    assert refused.value.reason == reason
    assert refused.value.detail.startswith(where)
    assert not jsonschema.Draft202012Validator(review_schema()).is_valid(orjson.loads(value))


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"1", b"null"])
def test_what_is_no_object_is_refused(value: bytes | None) -> None:
    """A record without a value is no decision either: none is passed over in silence."""
    with pytest.raises(Undecodable):
        read_review(value)


def test_the_schema_takes_what_is_read() -> None:
    """Of the exported schema."""
    for value in (review("v", AT), review("v", AT, "remove", **WHOLE)):
        jsonschema.Draft202012Validator(review_schema()).validate(orjson.loads(value))
