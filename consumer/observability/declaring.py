"""
How metrics are declared, and in which registry they count.

Each service counts in `Metrics` of its own, which its context names: what is counted in a task, or in one that was
started by it, is counted by the service whose `count_in` ran there first. So two services in a process, as in tests, do
not count together. Where none did, the process's own registry counts.

An event is counted in some thirty places, so the way from a declaration to what counts is short: a place in a list, and
children that are kept by their labels. prometheus_client alone takes half as long again for a counter with labels.
"""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar, cast

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Buckets of what takes time."""

Kind = TypeVar("Kind", Counter, Gauge, Histogram)


class Declared:
    """
    A metric as it is declared. Used like one of prometheus_client's, it is that of the current service.

    Values of labels are texts or whole numbers, and their children stay: none is removed.
    """

    def __init__(
        self, place: int, kind: type[Any], name: str, documentation: str, labels: Sequence[str], options: Any
    ) -> None:
        self.place = place  # among all that are declared
        self.kind = kind
        self.name = name
        self.documentation = documentation
        self.labels_declared = tuple(labels)
        self._options = options

    def made(self, registry: CollectorRegistry) -> Any:
        """Make one that counts in a registry."""
        return self.kind(self.name, self.documentation, self.labels_declared, registry=registry, **self._options)

    def labels(self, *values: str | int) -> Any:
        """Return the child with these labels."""
        counted = _current.get() or _of_the_process()
        children = counted.children[self.place]
        if (child := children.get(values)) is None:
            child = children[values] = counted.made[self.place].labels(*values)
        return child

    def inc(self, amount: float = 1) -> None:
        """Add to a counter or a gauge."""
        (_current.get() or _of_the_process()).made[self.place].inc(amount)

    def set(self, value: float) -> None:
        """Set a gauge."""
        (_current.get() or _of_the_process()).made[self.place].set(value)

    def set_function(self, value: Callable[[], float]) -> None:
        """Let a gauge ask when it is scraped."""
        (_current.get() or _of_the_process()).made[self.place].set_function(value)

    def observe(self, amount: float) -> None:
        """Add to a histogram."""
        (_current.get() or _of_the_process()).made[self.place].observe(amount)


DECLARED: list[Declared] = []


def declared(kind: type[Kind], name: str, documentation: str, labels: Sequence[str] = (), **options: Any) -> Kind:
    """Declare a metric; `metrics.py` does, at its import."""
    made = Declared(len(DECLARED), kind, name, documentation, labels, options)
    DECLARED.append(made)
    return cast(Kind, made)


class Metrics:
    """What one service counts."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Without a registry one of its own, with the process's figures beside."""
        if registry is None:
            registry = CollectorRegistry()
            ProcessCollector(registry=registry)
            PlatformCollector(registry=registry)
            GCCollector(registry=registry)
        self.registry = registry
        self.made = [each.made(registry) for each in DECLARED]  # by place
        self.children: list[dict[tuple[str | int, ...], Any]] = [{} for _ in DECLARED]  # likewise, then by labels


_current: ContextVar[Metrics | None] = ContextVar("metrics", default=None)


@cache
def _of_the_process() -> Metrics:
    return Metrics(REGISTRY)


def count_in(metrics: Metrics) -> None:
    """Let this task, and those that it starts from now on, count there."""
    _current.set(metrics)
