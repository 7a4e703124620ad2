"""
Who takes part: how each contestant is started for a course. Everything else about a run is the same for all.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

import yaml

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """
    What a contestant is given for one run.

    The uploads are in their topic before it starts, and are read from the beginning. Each has one image, which the
    provider finds harmless: one outcome in the topic `passed` for every event, and none in the other three.
    """

    bootstrap_servers: str
    provider: str
    """URL of the provider, over plain HTTP. It checks no signature and knows no quota."""

    uploads: str
    passed: str
    review: str
    block: str
    dead_letter: str
    group: str
    in_flight: int
    """How many calls there may be at once."""

    quota: int
    """Calls a second that a contestant with a pace may make; the bare loop has none."""

    events: int
    folder: Path
    """An empty folder of the run's own, for a configuration file or the like; gone after it."""

    @property
    def edge(self) -> int:
        """Events at either end that do not count: the first calls, with their connections and imports, and the last."""
        return max(2 * self.in_flight, self.events // 10)

    @property
    def outputs(self) -> tuple[str, str, str, str]:
        """Every topic that an outcome can be in."""
        return self.passed, self.review, self.block, self.dead_letter


@dataclass(frozen=True, slots=True)
class Start:
    """How to start a contestant. It carries the events, stays until SIGTERM, and then ends with status 0."""

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


Contestant: TypeAlias = Callable[[Course], Start]


def bare(course: Course) -> Start:
    """Start the bare loop."""
    return Start(
        [
            *(sys.executable, "-m", "bench.bare"),
            *("--bootstrap-servers", course.bootstrap_servers),
            *("--provider", course.provider),
            *("--uploads", course.uploads),
            *("--answers", course.passed),
            *("--group", course.group),
            *("--in-flight", str(course.in_flight)),
            *("--events", str(course.events)),
        ]
    )


def service(course: Course, tree: Path = ROOT) -> Start:
    """Start the service of a working tree with its defaults."""
    file = course.folder / "consumer.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "kafka": {
                    "bootstrap_servers": course.bootstrap_servers,
                    "group_id": course.group,
                    "topics": [course.uploads],
                    "outputs": {
                        "pass": course.passed,
                        "review": course.review,
                        "block": course.block,
                        "dead_letter": course.dead_letter,
                    },
                },
                "provider": {"endpoint": course.provider, "max_in_flight": course.in_flight},
                "quota": {"qps": course.quota},
                "health": {"host": "127.0.0.1", "port": 0, "metrics_port": 0},
                "policy": str(tree / "config" / "policy.yaml"),
            }
        )
    )
    return Start(
        # -P: the folder that it is started in is this tree, whichever is meant.
        [sys.executable, "-P", "-m", "consumer", "run", "--config", str(file)],
        {
            "ALIBABA_CLOUD_ACCESS_KEY_ID": "bench",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "bench",
            "PYTHONPATH": str(tree),
        },
    )


# The first is the floor that the others are compared with.
CONTESTANTS: Mapping[str, Contestant] = {"bare": bare, "service": service}


def contestant(name: str) -> Contestant:
    """
    Find a contestant by its name; `service@FOLDER` is the service of another working tree.

    Raises:
        KeyError: there is none.
    """
    kind, _, tree = name.partition("@")
    if not tree:
        return CONTESTANTS[name]
    folder = Path(tree).resolve()
    if kind != "service" or not (folder / "consumer").is_dir():
        raise KeyError(name)
    return partial(service, tree=folder)
