"""Tasks that are paid for: how their records are written, read and remembered."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from aiokafka import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from consumer.config.kafka import KafkaSettings
from consumer.journal.belief import Belief
from consumer.journal.headers import OF_TASK
from consumer.journal.reader import Outcome, OutputReader
from consumer.journal.signatures import HEADER, Claim, Keyring
from consumer.journal.task_schema import task_schema
from consumer.journal.tasks import KnownTasks, Place, Question, Task
from consumer.kafka.security import KafkaAccess
from consumer.records import Partition, SourceId

PARTITION = Partition("uploads", 3)
QUESTION = Question("1f", "baseline", ("porn", "ad"), "ap-southeast-1")
TASK = Task(id="img5RFn$R5sr@X-1u3eGE", question=QUESTION, sent=1_763_632_801.123)
SETTINGS = KafkaSettings(bootstrap_servers="127.0.0.1:9", group_id="group", topics=("uploads",))
OURS, THEIRS = Keyring({"a": b"a" * 32}, "a"), Keyring({"a": b"b" * 32}, "a")
TOPIC = "tasks"
SCHEMA = Draft202012Validator(task_schema())

QUESTIONS = st.builds(
    Question,
    submission=st.text("0123456789abcdef", min_size=1, max_size=32),
    service=st.text(max_size=20),
    asked=st.lists(st.text(max_size=10), min_size=1, max_size=6).map(tuple),
    region=st.text(max_size=20),
    picture=st.integers(0, 500),
    sha256=st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
)


@given(QUESTIONS, st.from_regex(r"img[A-Za-z0-9$@]{21}-[A-Za-z0-9]{6}", fullmatch=True), st.integers(0, 2**41))
def test_what_is_written_is_read(question: Question, name: str, sent: int) -> None:
    """A record says which task answers which question, and since when, to the millisecond."""
    task = Task(id=name, question=question, sent=sent / 1000)

    read = Task.read(task.encode())

    assert read is not None
    assert (read.id, read.question) == (task.id, task.question)
    assert read.sent == pytest.approx(task.sent, abs=0.001)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(orjson.loads(TASK.encode()))), JSON)
def test_a_member_that_is_something_else_makes_no_other_task(member: str, value: Any) -> None:
    """
    Whatever stands in the place of a member, nothing is raised, and what is read is what stands there.
    """
    told = orjson.loads(TASK.encode()) | {member: value}

    read = Task.read(orjson.dumps(told))

    assert read is None or orjson.loads(read.encode())[member] == pytest.approx(value)


@given(st.sampled_from(sorted(orjson.loads(TASK.encode()))), JSON | st.just(...))
def test_the_exported_schema_takes_what_is_read_and_nothing_else(member: str, value: Any) -> None:
    """
    Whatever stands in the place of a member, or that it is missing. JSON Schema takes 1.0 for an integer.
    """
    told = orjson.loads(TASK.encode()) | {member: value}
    if value is ...:
        del told[member]
    if member == "picture" and isinstance(value, float):
        return

    assert SCHEMA.is_valid(told) is (Task.read(orjson.dumps(told)) is not None)


@given(QUESTIONS, st.integers(0, 2**41))
def test_what_is_written_follows_the_exported_schema(question: Question, sent: int) -> None:
    """With every member that is written, and none that the schema lacks."""
    told = orjson.loads(Task(id=TASK.id, question=question, sent=sent / 1000).encode())

    SCHEMA.validate(told)
    assert told.keys() == task_schema()["properties"].keys()


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"7", b"\xff", TASK.encode().replace(b".v1", b".v2")])
def test_what_is_no_record_of_a_task_is_none(value: bytes | None) -> None:
    """A stranger's record, and that of a later release, is no task; its image is asked about anew."""
    assert Task.read(value) is None


def test_a_task_is_for_the_request_that_asks_the_same() -> None:
    """Another scene, picture, region or content is another question: its answer would not be about that."""
    known = KnownTasks()
    known.note(TASK, PARTITION, 7)

    for other in (
        QUESTION._replace(submission="1e"), QUESTION._replace(asked=("porn",)), QUESTION._replace(picture=1),
        QUESTION._replace(region="cn-shanghai"), QUESTION._replace(sha256="0" * 64), QUESTION._replace(service="x"),
    ):  # fmt: skip
        assert known.take(other) is None
    assert known.take(QUESTION) == TASK
    assert known.take(QUESTION) is None  # one request alone looks for its result


def test_of_two_tasks_with_one_question_the_later_counts() -> None:
    """The image was asked about anew, because the first task had no result: in whichever order they are read."""
    later = replace(TASK, id="img2", sent=TASK.sent + 60)
    for order in ([TASK, later], [later, TASK]):
        known = KnownTasks()
        for task in order:
            known.note(task, PARTITION, 7)
        assert known.take(QUESTION) == later
        assert len(known) == 0


def test_tasks_of_judged_images_are_forgotten() -> None:
    """What has its verdict is not asked about again, so nobody would take its task."""
    known = KnownTasks()
    open_one = Task(id="img2", question=QUESTION._replace(submission="2f"), sent=TASK.sent)
    known.note(TASK, PARTITION, 7)
    known.note(open_one, PARTITION, 8)

    known.forget_judged(lambda place, verdict: (place, verdict) == (Place(PARTITION, 7), SourceId("1f")))

    assert known.take(QUESTION) is None
    assert known.take(open_one.question) == open_one


def test_the_oldest_are_forgotten_beyond_the_bound() -> None:
    """Memory is bounded, whatever stands in the topic."""
    known = KnownTasks(most=2)
    for number in range(5):
        known.note(replace(TASK, question=QUESTION._replace(submission=f"{number}")), PARTITION, number)

    assert len(known) == 2
    assert [known.take(QUESTION._replace(submission=f"{number}")) is None for number in range(5)] == [True] * 3 + [
        False
    ] * 2


def _read(signer: Keyring | None, topic: str = TOPIC, tasks_topic: str | None = TOPIC) -> Outcome | None:
    headers = OF_TASK.write_source("group", TASK.source(PARTITION, 7))
    if signer is not None:
        claim = Claim("group", OF_TASK, TASK.source(PARTITION, 7), topic, b"key", TASK.encode())
        headers.append((HEADER, signer.sign(claim, 1.5, None)))
    record: ConsumerRecord[Any, Any] = ConsumerRecord(
        topic, 0, 9, 1_763_632_800_123, 0, b"key", TASK.encode(), None, 3, 5, tuple(headers)
    )
    reader = OutputReader(SETTINGS, KafkaAccess(SETTINGS), 5.0, Belief(OURS, 0.0, lambda: 1.0), tasks_topic=tasks_topic)
    return reader.outcome(record, lambda _, partition, offset: (partition, offset) == (PARTITION, 7))


def test_a_task_is_read_back_with_the_outputs() -> None:
    """It is signed as an outcome is, and its name in the journal is none that an outcome has."""
    read = _read(OURS)

    assert read is not None
    assert read.task == TASK
    assert (read.id, read.at) == (TASK.journal_id, 1.5)
    assert read.id != TASK.source_id


def test_a_task_that_somebody_else_wrote_is_not_believed() -> None:
    """Else whoever may write to the topic could choose what is looked at as the result of an image."""
    assert _read(None) is None
    assert _read(THEIRS) is None


def test_a_task_in_an_output_is_no_outcome() -> None:
    """A record that names its message as tasks do counts in the topic of tasks alone."""
    assert _read(OURS, topic=SETTINGS.outputs.pass_) is None
    assert _read(OURS, tasks_topic=None) is None
