"""The provisional verdict as it is written."""

import orjson
from jsonschema import Draft202012Validator

from consumer.config.kafka import OutputTopics
from consumer.records import PolicyName
from consumer.verdicts.encode import Encoding
from consumer.verdicts.outcomes import Outcomes
from consumer.verdicts.provisional import journal_id, provisional_id
from consumer.verdicts.schema import verdict_schema
from tests.rig.events import delivery, submission

POLICY = PolicyName(id="test", version=1, sha256="ab")
OUTCOMES = Outcomes(Encoding(group="group"), OutputTopics())


def test_it_is_a_verdict_as_the_schema_has_it() -> None:
    """
    Whoever reads verdicts can read it, whole or in its smallest form.
    """
    outcome = OUTCOMES.provisional(submission(), POLICY, 1_763_632_900.0)
    assert outcome.smaller is not None
    validator = Draft202012Validator(verdict_schema())

    for value in (outcome.record.value, outcome.smaller().value):
        verdict = orjson.loads(value or b"")
        assert [error.message for error in validator.iter_errors(verdict)] == []
        assert verdict["asked"] == {"services": [], "info": []}
        assert verdict["timing"]["decided"] == "2025-11-20T10:01:40.000Z"


def test_its_headers_name_its_message_apart_from_those_of_verdicts() -> None:
    """
    Who counts verdicts by `source_offset` does not count it; the key is its event's all the same.
    """
    read = delivery(offset=9, key=b"shop|u")
    outcome = OUTCOMES.provisional(submission(read), POLICY, 0.0)
    headers = dict(outcome.record.headers)

    assert outcome.record.key == b"shop|u"
    assert headers["ce_id"] == provisional_id(submission(read).id).encode()
    assert headers["sequence"] == b"0"
    assert headers["provisional_source_offset"] == b"9"
    assert not headers.keys() & {"source_topic", "source_partition", "source_offset"}
    assert outcome.id == journal_id(submission(read).id)


def test_no_secret_of_the_event_is_in_it() -> None:
    """
    A presigned URL is a credential.
    """
    outcome = OUTCOMES.provisional(submission(), POLICY, 0.0)

    assert b"secret" not in (outcome.record.value or b"")
