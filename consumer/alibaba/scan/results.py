"""
What the 1.0 API answers about tasks: their names, when they are submitted, and later what has become of them. Pure.

A task that is still under way has code 280, in an answer with code 200. Vendor: results are kept for an hour; codes 404
and 594 of a result say that it is not known, or not kept any more, and nothing about the image.
"""

from collections.abc import Collection, Mapping
from typing import Any

from consumer.alibaba.scan.answers import TaskObject, Tasks, malformed
from consumer.alibaba.scan.codes import PROCESSING
from consumer.alibaba.scan.splitting import member
from consumer.errors import CallFailed, ResultGone
from consumer.journal.tasks import is_task_id
from consumer.moderation.tasks import TaskResult

ASYNC_SCAN = "/green/image/asyncscan"
RESULTS = "/green/image/results"
GONE = frozenset({404, 594})


def submitted(task: TaskObject, data_id: str, request_id: str | None) -> str | CallFailed | None:
    """
    Return the id of the task that an image was submitted as; None where the answer says why it was not.

    `Malformed` is returned where the answer names no task, or one of another image: what was paid for is not known.
    """
    if member(task, "code") != 200:
        return None
    task_id = member(task, "taskId")
    if not is_task_id(task_id):
        return malformed("taskId", request_id)
    if member(task, "dataId") not in (None, "", data_id):
        return malformed("dataId", request_id)
    return str(task_id)


def finished(answer: Tasks, asked: Collection[str]) -> Mapping[str, TaskResult | CallFailed]:
    """What has become of those of the `asked` tasks that are finished. A task that was not asked about is left out."""
    found: dict[str, TaskResult | CallFailed] = {}
    under_way = set[str]()
    for said in answer.tasks:
        task_id = member(said, "taskId")
        if not isinstance(task_id, str) or task_id not in asked:
            continue
        if task_id in found or task_id in under_way:  # of two, neither is the answer
            found[task_id] = malformed("taskId", answer.request_id)
        elif (code := member(said, "code")) == PROCESSING:
            under_way.add(task_id)
        elif code in GONE:
            found[task_id] = _gone(code, answer)
        else:
            found[task_id] = TaskResult(said, answer.request_id)
    return found


def _gone(code: Any, answer: Tasks) -> CallFailed:
    failure = ResultGone(f"task_{code}", billed="yes")
    failure.request_id = answer.request_id
    return failure
