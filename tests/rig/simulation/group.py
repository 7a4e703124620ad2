"""
The broker's side of a consumer group with the eager protocol, as far as a quota depends on it.

    STABLE ──── a member joins, leaves or is evicted ────► PREPARING ──── all have joined, or time is up ────► STABLE
                                                           (everybody gives up its partitions and joins again)

Kafka 4: commits and heartbeats of known members count as signs of life in both states; who has asked to join is not
evicted while it waits; who has not when the rebalance timeout is over is dropped, alive or not.
"""

import random
from collections.abc import Callable
from enum import Enum
from math import inf


class Verdict(Enum):
    """What the broker says to a heartbeat or a commit."""

    OK = "ok"
    REBALANCING = "rebalancing"
    UNKNOWN = "unknown"


Assignment = dict[str, list[int]]
"""Partition numbers by member."""


class Group:
    """One group. The caller tells the time and asks again at `next_deadline`."""

    def __init__(
        self,
        partitions: int,
        session_timeout: float,
        rebalance_timeout: float,
        stickiness: float,
        dice: random.Random,
    ) -> None:
        self._partitions = partitions
        self._session_timeout = session_timeout
        self._rebalance_timeout = rebalance_timeout
        self._stickiness = stickiness
        self._dice = dice
        self._owners: dict[int, str] = {}
        self._alive_until: dict[str, float] = {}
        self._joined: set[str] = set()
        self._preparing_until: float | None = None
        self.generation = 0
        self.on_assigned: Callable[[Assignment], None] = lambda assignment: None

    @property
    def next_deadline(self) -> float:
        """When somebody is evicted or the rebalance ends, if nothing is heard until then."""
        waits = [until for member, until in self._alive_until.items() if member not in self._joined]
        return min([*waits, inf if self._preparing_until is None else self._preparing_until])

    def join(self, member: str, now: float) -> None:
        """A member asks to be assigned partitions."""
        self._alive_until[member] = now + self._session_timeout
        self._prepare(now)
        self._joined.add(member)
        self._complete_when_all_are_there(now)

    def leave(self, member: str, now: float) -> None:
        """A member says that it goes."""
        if self._alive_until.pop(member, None) is not None:
            self._joined.discard(member)
            self._prepare(now)
            self._complete_when_all_are_there(now)

    def heard(self, member: str, generation: int, now: float, *, commits: bool) -> Verdict:
        """A heartbeat, or a commit."""
        if member not in self._alive_until or generation != self.generation:
            return Verdict.UNKNOWN
        self._alive_until[member] = now + self._session_timeout
        return Verdict.OK if commits or self._preparing_until is None else Verdict.REBALANCING

    def tick(self, now: float) -> None:
        """Evict who has been silent for too long, and end a rebalance whose time is up."""
        silent = [member for member, until in self._alive_until.items() if until <= now and member not in self._joined]
        for member in silent:
            self.leave(member, now)
        if self._preparing_until is not None and self._preparing_until <= now:
            self._alive_until = {member: until for member, until in self._alive_until.items() if member in self._joined}
            self._complete_when_all_are_there(now)

    def _prepare(self, now: float) -> None:
        if self._preparing_until is None:
            self._preparing_until = now + self._rebalance_timeout
            self._joined = set()

    def _complete_when_all_are_there(self, now: float) -> None:
        if self._preparing_until is None or self._joined != self._alive_until.keys():
            return
        self._preparing_until = None
        self._joined = set()
        self._alive_until = dict.fromkeys(self._alive_until, now + self._session_timeout)
        self.generation += 1
        if self._alive_until:
            self.on_assigned(self._divided())

    def _divided(self) -> Assignment:
        """Divide evenly; each partition stays with its owner, where that may have it, as often as `stickiness` says."""
        members = sorted(self._alive_until)
        self._dice.shuffle(members)
        fair = -(-self._partitions // len(members))
        assignment: Assignment = {member: [] for member in members}
        for number in self._dice.sample(range(self._partitions), self._partitions):
            owner = self._owners.get(number)
            if owner not in assignment or len(assignment[owner]) >= fair or self._dice.random() > self._stickiness:
                owner = min(members, key=lambda member: len(assignment[member]))
            assignment[owner].append(number)
        self._owners = {number: member for member, numbers in assignment.items() for number in numbers}
        return assignment
