"""
What happens to the replicas of a simulation. Pure: a scenario and dice in, moments out.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """What can happen to a replica."""

    START = "start"
    STOP = "stop"  # SIGTERM: it gives up its partitions, leaves, and is busy for a while
    KILL = "kill"  # SIGKILL
    FREEZE = "freeze"  # SIGSTOP, and SIGCONT after some seconds
    CUT_AND_DROP = "cut and drop"  # its packets to and from Kafka are lost for some seconds
    CUT_AND_HOLD = "cut and hold"  # they arrive when the cut ends, as TCP would have it


class Event(NamedTuple):
    """Something that happens to one replica."""

    at: float
    kind: Kind
    replica: int
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A group, its quota, and what happens to it. Times are seconds."""

    name: str
    events: Callable[["Scenario", random.Random], Iterator[Event]]
    quota: int
    partitions: int
    replicas: int = 4
    session_timeout: float = 6.0
    heartbeat: float = 0.3
    rebalance_timeout: float = 10.0
    stickiness: float = 0.0
    """The part of the partitions that stays where it is though the assignor could move it."""

    longest_drain: float = 0.5
    """A replica that is told to rebalance joins again after so long at the most: its calls in flight come back."""

    lasts: float = 30.0
    counts_from: float = 0.0
    """When the use of the quota begins to be counted."""

    slow_connections: float = 0.0
    """The part of the calls that first open a connection, which takes up to three seconds."""

    busy_partitions: float = 1.0
    """The part of the partitions that have work; a replica with none of those calls nobody."""


def starts(scenario: Scenario, dice: random.Random) -> Iterator[Event]:
    """All replicas start within a second, and nothing happens."""
    for replica in range(scenario.replicas):
        yield Event(dice.random(), Kind.START, replica)


def storm(scenario: Scenario, dice: random.Random) -> Iterator[Event]:
    """Every three seconds one replica stops, or one that has stopped starts again."""
    yield from starts(scenario, dice)
    running = [True] * scenario.replicas
    for number in range(1, int(scenario.lasts / 3) - 1):
        replica = dice.randrange(scenario.replicas)
        yield Event(5.0 + 3.0 * number, Kind.STOP if running[replica] else Kind.START, replica)
        running[replica] = not running[replica]


def trouble(scenario: Scenario, dice: random.Random) -> Iterator[Event]:
    """Whatever can happen, at any time, to anybody."""
    yield from starts(scenario, dice)
    kinds = list(Kind)
    for _ in range(dice.randint(1, 12)):
        seconds = dice.choice([0.05, 0.5, 1.5, scenario.session_timeout, 2 * scenario.session_timeout]) * dice.random()
        yield Event(dice.random() * scenario.lasts, dice.choice(kinds), dice.randrange(scenario.replicas), seconds)


def troubled(dice: random.Random) -> Scenario:
    """Draw a group to which anything may happen."""
    quota = dice.randint(4, 16)
    session = dice.choice([4.0, 6.0])
    heartbeat = dice.choice([0.3, 1.0])
    return Scenario(
        name="trouble",
        events=trouble,
        quota=quota,
        partitions=dice.randint(1, quota),
        replicas=dice.randint(2, 4),
        session_timeout=session,
        heartbeat=heartbeat,
        stickiness=dice.choice([0.0, 0.5, 1.0]),
        slow_connections=0.02,
        longest_drain=dice.choice([0.0, 0.1, 3.0]),
        rebalance_timeout=session + heartbeat + dice.choice([0.0, 4.0]),
    )


FIGURES: Sequence[Scenario] = (
    Scenario(name="steady, 100 over 12 partitions", events=starts, quota=100, partitions=12, counts_from=5.0),
    Scenario(name="whole numbers, 25 over 24", events=starts, quota=25, partitions=24, replicas=8, counts_from=5.0),
    Scenario(
        name="skew, 1 partition of 4 has work", events=starts, quota=100, partitions=12, counts_from=5.0,
        busy_partitions=0.25,
    ),
    Scenario(name="storm, heartbeat 0.3 s", events=storm, quota=100, partitions=12, lasts=65.0, counts_from=5.0),
    Scenario(
        name="storm, heartbeat 0.3 s, sticky", events=storm, quota=100, partitions=12, lasts=65.0, counts_from=5.0,
        stickiness=1.0,
    ),
    Scenario(
        name="storm, heartbeat 3 s", events=storm, quota=100, partitions=12, lasts=65.0, counts_from=5.0,
        heartbeat=3.0, session_timeout=30.0, rebalance_timeout=60.0,
    ),
)  # fmt: skip
