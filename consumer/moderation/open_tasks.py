"""
Tasks at the provider without a result, and when to look for each. Values only.

    opened ──► due after an interval ──► looked for, with others in one call ──► finished
                    ▲                        │  still under way: due after another interval
                    └────────────────────────┘
    woken by a callback: due at once, one time

A task whose result the provider keeps no longer is given up, so that its image is asked about anew.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from math import inf


@dataclass(slots=True)
class OpenTask:
    """One of them. Moments are the clock's `now`, in seconds."""

    opened: float
    due: float
    alone: bool = False  # looked for in a call of its own
    woken: bool = False


@dataclass(slots=True)
class OpenTasks:
    """Those of one region."""

    interval: float  # seconds between two looks at one task
    kept_for: float  # seconds for which the provider keeps a result
    _tasks: dict[str, OpenTask] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, task_id: str) -> bool:
        return task_id in self._tasks

    def open(self, task_id: str, now: float, *, at_once: bool = False) -> None:
        """Begin to look for a result: after an interval, or `at_once` where the task is an old one."""
        self._tasks[task_id] = OpenTask(now, now if at_once else now + self.interval)

    def close(self, task_id: str) -> None:
        """Look for it no more."""
        self._tasks.pop(task_id, None)

    def wake(self, task_id: str, now: float) -> bool:
        """Make a task due; False where it is not open, or was woken before: a repeated callback changes nothing."""
        task = self._tasks.get(task_id)
        if task is None or task.woken:
            return False
        task.woken, task.due = True, min(task.due, now)
        return True

    def next_due(self) -> float:
        """When there is something to look for; infinity where nothing is open."""
        return min((task.due for task in self._tasks.values()), default=inf)

    def take_due(self, now: float, most: int) -> list[str]:
        """
        Return at most `most` tasks for the next call, those that are due longest first; they are due again after an
        interval, whatever becomes of the call.
        """
        due = sorted((task.due, name) for name, task in self._tasks.items() if task.due <= now)
        alone = next((name for _, name in due if self._tasks[name].alone), None)
        taken = [alone] if alone is not None else [name for _, name in due[:most]]
        for name in taken:
            self._tasks[name].due = now + self.interval
        return taken

    def split(self, task_ids: Collection[str], now: float) -> None:
        """Look for each of these in a call of its own: one of them spoils the answer about all."""
        for name in task_ids:
            if name in self._tasks:
                self._tasks[name].alone, self._tasks[name].due = True, now

    def postpone(self, task_ids: Iterable[str], until: float) -> None:
        """Look for none of these before that moment."""
        for name in task_ids:
            if name in self._tasks:
                self._tasks[name].due = max(self._tasks[name].due, until)

    def overdue(self, now: float) -> list[str]:
        """The tasks whose results the provider keeps no longer."""
        return [name for name, task in self._tasks.items() if now - task.opened > self.kept_for]
