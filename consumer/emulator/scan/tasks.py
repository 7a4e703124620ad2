"""
The asynchronous tasks of the 1.0 API, and what is said of them. Pure: the time is given, in unix seconds.

Vendor: results are kept for an hour. A task that is in progress says 280, one whose result is gone 594, one that never
was 404 (assumed). How long an expired task is told from one that never was is the emulator's own: while it is among the
last `MOST_TASKS`.
"""

import secrets
import string
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from consumer.emulator.scan.codes import EXPIRED, NAMES, NOT_FOUND, PROCESSING

MOST_TASKS: Final = 100_000
"""How many tasks are known. The oldest are forgotten."""

_ALPHABET: Final = string.ascii_letters + string.digits + "$@"

Entry = dict[str, Any]
"""What an answer says of one image."""


@dataclass(slots=True)
class OpenTask:
    """A task, since when it is known, and its result once there is one. `url` may be a presigned one."""

    id: str
    url: str = field(repr=False)
    since: float
    result: Entry | None = field(default=None, repr=False)
    polls: int = 0


@dataclass(slots=True)
class OpenTasks:
    """All tasks; each says `pending` times that it is in progress, and is kept for `kept` seconds."""

    kept: float
    pending: int = 1
    _tasks: OrderedDict[str, OpenTask] = field(default_factory=OrderedDict)

    def __iter__(self) -> Iterator[OpenTask]:
        """The oldest first."""
        return iter(tuple(self._tasks.values()))

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, task: OpenTask) -> None:
        """Know one more."""
        self._tasks[task.id] = task
        if len(self._tasks) > MOST_TASKS:
            self._tasks.popitem(last=False)

    def finish(self, task_id: str, result: Entry) -> None:
        """Give a task its result, unless it was forgotten."""
        if task := self._tasks.get(task_id):
            task.result = result

    def poll(self, task_id: str, now: float) -> Entry:
        """What is said of a task that is asked for."""
        task = self._tasks.get(task_id)
        if task is None:
            return {"code": NOT_FOUND, "msg": NAMES[NOT_FOUND], "taskId": task_id}
        if now >= task.since + self.kept:
            return {"code": EXPIRED, "msg": NAMES[EXPIRED], "taskId": task_id}
        task.polls += 1
        if task.result is None or task.polls <= self.pending:
            return {
                "code": PROCESSING, "msg": f"{NAMES[PROCESSING]} - queue", "taskId": task_id, "url": task.url,
                "extras": {},
            }  # fmt: skip
        return task.result

    def reset(self) -> None:
        """Forget all."""
        self._tasks.clear()

    def json(self) -> list[Mapping[str, Any]]:
        """Every task without its URL, as `GET /emulator/tasks` shows it. `code` is that of its result."""
        return [
            {
                "id": task.id,
                "since": task.since,
                "polls": task.polls,
                "code": task.result["code"] if task.result else PROCESSING,
            }
            for task in self._tasks.values()
        ]


def new_task_id() -> str:
    """An id as the vendor writes them, with `$` and `@`."""
    return f"img{_drawn(22)}-{_drawn(6)}"


def _drawn(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
