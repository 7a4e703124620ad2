"""
A task at the provider that is paid for and has no result yet, as its record says. Values only.

A provider that is asked asynchronously answers with the name of a task, and later with its result. Between the two the
call is paid for: the record, which is written before the first look at the result, lets the next owner of the partition
look for it instead of paying again. Records are signed as outcomes are (`signatures.py`), and name their message in
headers of their own (`headers.OF_TASK`), so that none is ever taken for an outcome.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from consumer.journal.headers import OF_TASK, Source
from consumer.records import Partition, SourceId

SCHEMA = "moderation.scan-task.v1"
MOST_KNOWN = 100_000  # tasks that are remembered until their images are asked about again
ID = r"[A-Za-z0-9$@_.-]{1,128}"
SHA256 = r"[0-9a-f]{64}"
_ID, _SHA256 = re.compile(ID), re.compile(SHA256)


def is_task_id(value: object) -> bool:
    """Whether this can be a task's id."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


class Question(NamedTuple):
    """What a task answers: only the same question may have its result."""

    submission: str  # its id
    service: str
    asked: tuple[str, ...]  # what the service was asked for, in the provider's words
    region: str
    picture: int = 0  # which of the pictures that are made of an image
    sha256: str | None = None  # of the bytes that this service has uploaded; None where the provider fetches them


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task as it is written."""

    id: str
    question: Question
    sent: float  # unix seconds at which the call departed

    @property
    def source_id(self) -> SourceId:
        """Name the record. A submission may have several tasks, one after the other."""
        return SourceId(self.id)

    def source(self, partition: Partition, offset: int) -> Source:
        """Name the message that the task is about."""
        return Source(self.source_id, partition, offset)

    @property
    def journal_id(self) -> SourceId:
        """Its name in the journal, which no outcome has."""
        return OF_TASK.journal_id(self.source_id)

    def encode(self) -> bytes:
        """Return the record's value."""
        question = self.question
        told: dict[str, Any] = {
            "schema": SCHEMA, "submission": question.submission, "task_id": self.id, "sent": round(self.sent, 3),
            "service": question.service, "asked": list(question.asked), "region": question.region,
            "picture": question.picture, "sha256": question.sha256,
        }  # fmt: skip
        return orjson.dumps(told)

    @classmethod
    def read(cls, value: bytes | None) -> "Task | None":
        """Return what a record says, or None where this release cannot read it."""
        try:
            told = orjson.loads(value or b"")
        except orjson.JSONDecodeError:
            return None
        if not isinstance(told, dict) or told.get("schema") != SCHEMA or not is_task_id(told.get("task_id")):
            return None
        question, sent = _question(told), told.get("sent")
        if question is None or isinstance(sent, bool) or not isinstance(sent, int | float):
            return None
        return cls(id=told["task_id"], question=question, sent=float(sent))


def _question(told: Mapping[str, Any]) -> Question | None:
    submission, service, region = told.get("submission"), told.get("service"), told.get("region")
    asked, picture, sha256 = told.get("asked"), told.get("picture", 0), told.get("sha256")
    if not (isinstance(submission, str) and isinstance(service, str) and isinstance(region, str)):
        return None
    if not isinstance(asked, list) or not asked or not all(isinstance(each, str) for each in asked):
        return None
    if isinstance(picture, bool) or not isinstance(picture, int) or picture < 0:
        return None
    if sha256 is not None and not (isinstance(sha256, str) and _SHA256.fullmatch(sha256)):
        return None
    return Question(submission, service, tuple(asked), region, picture, sha256)


class Place(NamedTuple):
    """Where the message stands that a task is about."""

    partition: Partition
    offset: int


class KnownTasks:
    """
    The tasks that predecessors have paid for, of partitions that this replica has taken over.

    Each is given to the first request that asks the same question. Beyond `most` the oldest are forgotten, and paid for
    again.
    """

    def __init__(self, most: int = MOST_KNOWN) -> None:
        self._most = most
        self._by_question: dict[Question, tuple[Task, Place]] = {}

    def __len__(self) -> int:
        return len(self._by_question)

    def note(self, task: Task, partition: Partition, offset: int) -> None:
        """Remember a task of a message; of two with the same question, the one that was sent last."""
        known = self._by_question.pop(task.question, None)
        if known is not None and known[0].sent > task.sent:
            task = known[0]
        self._by_question[task.question] = (task, Place(partition, offset))
        if len(self._by_question) > self._most:
            del self._by_question[next(iter(self._by_question))]

    def take(self, question: Question) -> Task | None:
        """Return the task with this question, and forget it: whoever takes it looks for its result."""
        known = self._by_question.pop(question, None)
        return None if known is None else known[0]

    def forget_judged(self, is_judged: Callable[[Place, SourceId], bool]) -> None:
        """Forget the tasks of images that have their verdict, which is published under the submission's id."""
        for question in [
            question
            for question, (_, place) in self._by_question.items()
            if is_judged(place, SourceId(question.submission))
        ]:
            del self._by_question[question]
