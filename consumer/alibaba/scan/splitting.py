"""
An answer about several images, split by the `dataId` that each of them was named by. Pure.

Order says nothing: a task is an image's only if it names it, and no other one does. What names no image that was asked
about is nobody's. Vendor: whether a task that is refused repeats its `dataId` is not documented.
"""

from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from typing import Any

from consumer.alibaba.scan.answers import TaskObject


class NotSaid(Enum):
    """Why nothing is known of an image."""

    UNANSWERED = 1
    """No task names it, or several do. It may have been billed."""
    UNNAMED = 2
    """A task that names no image was refused, and may be its; no image that is not named was answered, or billed."""


def split(said: Sequence[TaskObject], asked: Collection[str]) -> Mapping[str, TaskObject | NotSaid]:
    """Return by image, of those that were `asked` about, what is said of it. Names are each another."""
    named: dict[str, list[TaskObject]] = {data_id: [] for data_id in asked}
    refused = 0  # that name no image
    for task in said:
        data_id = member(task, "dataId")
        if isinstance(data_id, str) and data_id in named:
            named[data_id].append(task)
        elif data_id in (None, "") and _is_refusal(member(task, "code")):
            refused += 1
    unanswered = sum(not tasks for tasks in named.values())
    nothing = NotSaid.UNNAMED if refused >= unanswered else NotSaid.UNANSWERED
    return {
        data_id: tasks[0] if len(tasks) == 1 else NotSaid.UNANSWERED if tasks else nothing
        for data_id, tasks in named.items()
    }


def member(task: TaskObject, name: str) -> Any:
    """Read a member as `answers.judged` does, which looks at those that stand in both spellings."""
    return task.get(name, task.get(name[0].upper() + name[1:]))


def _is_refusal(code: Any) -> bool:
    return isinstance(code, int) and not isinstance(code, bool) and code != 200
