"""
Who takes part: how each contestant is started for a course. Everything else about a run is the same for all.
"""

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeAlias

import yaml

from bench.contestants.benthos import build as benthos_build
from bench.contestants.parallel_consumer import build as parallel_consumer_build
from bench.loads import UNPACED

ROOT = Path(__file__).parents[2]
WARM = 4.0
DEFAULT_SESSION = 45.0  # seconds: what Kafka's own clients have
DEFAULT_HELD = 2_000  # messages, of the service
WARM_JVM = 60.0  # its compiler is at work for about as long


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

    latency: float = 0.05
    """Seconds that the provider takes."""

    seconds: float | None = None
    """How long it is weighed, in seconds; None: until all events are carried."""

    name: str = "consumer"
    """Of this one, where several run the same course side by side."""

    idle: float = 0.0
    """Seconds for which it is watched afterwards, with nothing to do."""

    session_timeout: float | None = None
    """Seconds without a heartbeat after which the group takes a contestant for dead; None: what each has by default."""

    @classmethod
    def under(cls, prefix: str, **others: Any) -> Self:
        """Return a course whose output topics, and group, have this name and the other values."""
        return cls(
            group=prefix,
            passed=f"{prefix}.pass",
            review=f"{prefix}.review",
            block=f"{prefix}.block",
            dead_letter=f"{prefix}.dead-letter",
            **others,
        )

    @property
    def edge(self) -> int:
        """Events at either end that do not count: the first calls, with their connections and imports, and the last."""
        return max(2 * self.in_flight, self.events // 10)

    @property
    def values(self) -> Mapping[str, str]:
        """What a command of others may be told, by name."""
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "provider": self.provider,
            "uploads": self.uploads,
            "passed": self.passed,
            "group": self.group,
            "in_flight": str(self.in_flight),
            "quota": str(self.quota),
            "paced": str(int(self.quota < UNPACED)),
            "session_timeout_ms": str(round((self.session_timeout or DEFAULT_SESSION) * 1_000)),
        }

    @property
    def environment(self) -> Mapping[str, str]:
        """The same as variables of the environment: BENCH_BOOTSTRAP_SERVERS, and so on."""
        return {f"BENCH_{name.upper()}": value for name, value in self.values.items()}

    @property
    def outputs(self) -> tuple[str, str, str, str]:
        """Every topic that an outcome can be in."""
        return self.passed, self.review, self.block, self.dead_letter


@dataclass(frozen=True, slots=True)
class Start:
    """
    How to start a contestant. It carries the events, stays until SIGTERM, and then ends with status 0.

    It is one process: what it starts itself is not weighed.
    """

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    warms_up: float = WARM
    """Seconds from its first outcome on that do not count, where a run lasts for a time."""


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
    """Start the service of a working tree with its defaults, and what so many calls in flight need beside them."""
    file = course.folder / f"{course.name}.yaml"
    session = {"session_timeout": course.session_timeout, "heartbeat_interval": 0.3} if course.session_timeout else {}
    held = 2 * course.in_flight  # the least that `check` takes
    admission = {"max_records": held, "max_records_per_partition": held} if held > DEFAULT_HELD else {}
    file.write_text(
        yaml.safe_dump(
            {
                "kafka": {
                    "bootstrap_servers": course.bootstrap_servers,
                    "group_id": course.group,
                    "topics": [course.uploads],
                    **session,
                    "outputs": {
                        "pass": course.passed,
                        "review": course.review,
                        "block": course.block,
                        "dead_letter": course.dead_letter,
                    },
                },
                "provider": {"endpoint": course.provider, "max_in_flight": course.in_flight},
                "quota": {"qps": course.quota},
                "admission": admission,
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


def python_peer(course: Course, module: str, *arguments: str) -> Start:
    """Start a contestant that is a module of this package."""
    return Start([sys.executable, "-m", f"bench.contestants.{module}", *arguments], course.environment)


def parallel_consumer(course: Course) -> Start:
    """Start Confluent's Parallel Consumer, which is compiled first where it is not yet."""
    return Start(parallel_consumer_build.command(), course.environment, warms_up=WARM_JVM)


def benthos(course: Course) -> Start:
    """Start Benthos, which is built first where it is not yet."""
    return Start([str(benthos_build.built())], course.environment)


def any_command(course: Course, command: str) -> Start:
    """
    Start a command of others, which finds the course in its environment (`Course.environment`), or in place of
    `{provider}` and the like.

    Raises:
        KeyError: the command has a name in braces that a course has not.
    """
    return Start([part.format_map(course.values) for part in shlex.split(command)], course.environment)


# The first is the floor that the others are compared with.
CONTESTANTS: Mapping[str, Contestant] = {
    "bare": bare,
    "service": service,
    "faststream-aiokafka": partial(python_peer, module="faststream.aiokafka"),
    "faststream-confluent": partial(python_peer, module="faststream.confluent"),
    "gather": partial(python_peer, module="gather"),
    "parallel-consumer": parallel_consumer,
    "benthos": benthos,
}
USUAL = ("bare", "service")


def contestant(name: str) -> Contestant:
    """
    Find a contestant by its name.

    `service@FOLDER` is the service of another working tree, and `NAME=COMMAND` any command.

    Raises:
        KeyError: there is none.
    """
    called, is_command, command = name.partition("=")
    if is_command and called and command:
        return partial(any_command, command=command)
    kind, _, tree = name.partition("@")
    if not tree:
        return CONTESTANTS[name]
    folder = Path(tree).resolve()
    if kind != "service" or not (folder / "consumer").is_dir():
        raise KeyError(name)
    return partial(service, tree=folder)
