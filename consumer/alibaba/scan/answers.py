"""
The 1.0 API's answers: a body becomes tasks, and a task what was found, or a failure. Pure.

    body ──tasks_in──► the answer's tasks ──judged──► findings, one for each scene at least

Accepted is a task with code 200 that names our image, and whose results answer every scene that was asked, each with a
label, a suggestion that the vendor documents and a rate from 0 to 100. Anything else that was billed is `malformed`: no
part of it counts. `msg` is never looked at.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from consumer.alibaba.auxiliary import LONGEST_NAME, MOST_NAMES, Unacceptable
from consumer.alibaba.image_moderation import MEMBERS_ONCE, not_an_answer, request_id_of, retry_after
from consumer.alibaba.scan.codes import scan_failure
from consumer.errors import CallFailed, Malformed
from consumer.records import Label, ModerationResult
from consumer.vendor_facts.scan import PREFIX, SERVICE

LEVELS = {"pass": "none", "review": "medium", "block": "high"}
"""By suggestion: the level that a policy knows. Vendor: the page names two, the service sends three."""
_RANK = ("none", "medium", "high")

TaskObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tasks:
    """An answer that was accepted as a whole, and whose tasks were not looked at."""

    request_id: str | None
    tasks: tuple[TaskObject, ...] = field(repr=False)  # each repeats its image's URL


def tasks_in(status: int, headers: Mapping[str, str], body: bytes, *, most: int = 1) -> Tasks:
    """
    Return the tasks of an answer; `most` is how many were asked about.

    Raises:
        CallFailed: of all of them; the branch says what to do about it.
    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    try:
        return _tasks(status, headers, body, answer, most)
    except CallFailed as failure:
        failure.request_id = request_id_of(answer, headers)
        raise


def _tasks(status: int, headers: Mapping[str, str], body: bytes, answer: Any, most: int) -> Tasks:
    if not isinstance(answer, dict):
        raise not_an_answer(status, headers, body)
    try:
        code = _member(answer, "code")
        if not 200 <= status < 300 or code != 200 or isinstance(code, bool):
            raise scan_failure(status, code_in(code), retry_after(headers))
        MEMBERS_ONCE.decode(body.decode())
        tasks = _objects(_member(answer, "data"), most)
    except RecursionError:
        raise Malformed("nesting", billed="yes") from None
    except Unacceptable as error:
        raise Malformed(str(error), billed="yes") from None
    return Tasks(request_id_of(answer, headers), tasks)


def _objects(data: Any, most: int) -> tuple[TaskObject, ...]:
    if not isinstance(data, list) or not 0 < len(data) <= most or not all(isinstance(each, dict) for each in data):
        raise Unacceptable("data")
    return tuple(data)


def malformed(what: str, request_id: str | None) -> Malformed:
    """An answer that was billed and cannot be trusted."""
    failure = Malformed(what, billed="yes")
    failure.request_id = request_id
    return failure


def judged(task: TaskObject, data_id: str, scenes: Collection[str], request_id: str | None = None) -> ModerationResult:
    """
    Accept a task's results, about the image that we named `data_id`, in all of these scenes.

    Raises:
        CallFailed: the branch says what to do about it.
    """
    try:
        return _judged(task, data_id, scenes, request_id)
    except Unacceptable as error:
        raise malformed(str(error), request_id) from None
    except CallFailed as error:
        error.request_id = request_id
        raise


def _judged(task: TaskObject, data_id: str, scenes: Collection[str], request_id: str | None) -> ModerationResult:
    code = _member(task, "code")
    if isinstance(code, bool) or not isinstance(code, int):
        raise Unacceptable("code")
    named = _member(task, "dataId")
    if named != data_id and (code == 200 or named not in (None, "")):
        raise Unacceptable("dataId")
    if code != 200:
        raise scan_failure(200, code)
    results = _member(task, "results")
    if not isinstance(results, list) or not 0 < len(results) <= MOST_NAMES:
        raise Unacceptable("results")
    found = [_found(each) for each in results]
    if not {scene for scene, _ in found}.issuperset(scenes):
        raise Unacceptable("scene")
    labels = tuple(label for _, label in found)
    return ModerationResult(
        service=SERVICE,
        request_id=request_id,
        risk_level=max((label.level or "" for label in labels), key=_RANK.index),
        labels=labels,
        billed=len(scenes),
    )


def _found(result: Any) -> tuple[str, Label]:
    if not isinstance(result, dict):
        raise Unacceptable("results")
    scene, label = _text(result, "scene"), _text(result, "label")
    suggestion, rate = _member(result, "suggestion"), _member(result, "rate")
    if not isinstance(suggestion, str) or suggestion not in LEVELS:
        raise Unacceptable("suggestion")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 100:
        raise Unacceptable("rate")
    return scene, Label(f"{PREFIX}{scene}:{label}", float(rate), LEVELS[suggestion])


def _text(result: TaskObject, name: str) -> str:
    value = _member(result, name)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME // 2 - len(PREFIX):
        raise Unacceptable(name)
    return value


def _member(parent: TaskObject, name: str) -> Any:
    """Read a member. Vendor: its page writes a capital where the wire has none; of both neither is the answer's."""
    other = name[0].upper() + name[1:]
    if name in parent and other in parent:
        raise Unacceptable(name)
    return parent.get(name, parent.get(other))


def code_in(code: Any) -> int | str | None:
    """A code of the vendor's, where that is one."""
    return code if isinstance(code, int | str) and not isinstance(code, bool) else None
