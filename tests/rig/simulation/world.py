"""
Runs a schedule, event by event, and tells when calls went out.

A frozen replica runs nothing: what should have happened meanwhile happens when it wakes, in order, with its clock gone
on. Every replica's clock has a rate and a zero of its own.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from itertools import count
from math import inf

from consumer.dispatch.quota import Quota
from tests.rig.simulation.group import Assignment, Group, Verdict
from tests.rig.simulation.replica import Habits, Replica
from tests.rig.simulation.schedule import Kind, Scenario
from tests.rig.windows import busiest_window

Action = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a schedule."""

    scenario: Scenario
    calls: int
    busiest: int
    use: float
    """Calls sent, as a part of what the quota would have allowed in that time."""

    @property
    def is_over(self) -> bool:
        """Whether any sliding second held more than the quota."""
        return self.busiest > self.scenario.quota


def run(scenario: Scenario, seed: int, make_quota: Callable[..., Quota] = Quota, *, checks: bool = True) -> Outcome:
    """
    Run one schedule. `make_quota` and `checks` can break the rule: `checks` is the look before bytes go out.
    """
    world = World(scenario, random.Random(seed), Habits(make_quota, checks))
    world.run()
    counted = [at for at in world.sent if at >= scenario.counts_from]
    allowed = scenario.quota * (scenario.lasts - scenario.counts_from)
    return Outcome(scenario, len(world.sent), busiest_window(world.sent), len(counted) / allowed)


class World:
    """Time, network, broker and replicas of one run."""

    def __init__(self, scenario: Scenario, dice: random.Random, habits: Habits) -> None:
        self.scenario = scenario
        self.dice = dice
        self.now = 0.0
        self.sent: list[float] = []
        self._habits = habits
        self._numbers = count()
        self._events: list[tuple[float, int, Replica | None, Action]] = []
        self._group = Group(
            scenario.partitions, scenario.session_timeout, scenario.rebalance_timeout, scenario.stickiness, dice
        )
        self._group.on_assigned = self._tell_assignment
        self._watched: set[float] = set()
        self._replicas: dict[int, Replica] = {}
        self._members: dict[str, Replica] = {}
        busy = max(1, round(scenario.partitions * scenario.busy_partitions))
        self._busy = set(dice.sample(range(scenario.partitions), busy))

    def run(self) -> None:
        """Let all of it happen."""
        for event in self.scenario.events(self.scenario, self.dice):
            self.at(event.at, None, partial(self._happen, *event[1:]))
        while self._events and self._events[0][0] <= self.scenario.lasts:
            at, _, replica, action = heappop(self._events)
            if replica is not None and at < replica.frozen_until:
                self.at(replica.frozen_until, replica, action)
                continue
            self.now = max(self.now, at)
            if replica is None or not replica.is_dead:
                action()

    def at(self, at: float, replica: Replica | None, action: Action) -> None:
        """Let something happen at that time; to a replica, when it runs."""
        heappush(self._events, (at, next(self._numbers), replica, action))

    def has_work(self, partitions: list[int]) -> bool:
        """Whether any of these partitions has uploads waiting."""
        return not self._busy.isdisjoint(partitions)

    def to_broker(self, replica: Replica, request: Action) -> None:
        """Carry a request, unless the replica is cut off."""
        self._carry(replica, None, request)

    def to_replica(self, replica: Replica, answer: Action) -> None:
        """Carry an answer, unless the replica is cut off."""
        self._carry(replica, replica, answer)

    def join(self, replica: Replica, member: str) -> None:
        """A request to join arrives."""
        self._members[member] = replica
        self._group.join(member, self.now)
        self._watch()

    def leave(self, member: str) -> None:
        """A request to leave arrives."""
        self._group.leave(member, self.now)
        self._watch()

    def heard(self, member: str, generation: int, *, commits: bool) -> Verdict:
        """A heartbeat or a commit arrives."""
        verdict = self._group.heard(member, generation, self.now, commits=commits)
        self._watch()
        return verdict

    def _carry(self, replica: Replica, receiver: Replica | None, action: Action) -> None:
        arrives = self.now + self.dice.uniform(0.0005, 0.003)
        if self.now < replica.cut_until:
            if not replica.holds_packets:
                return
            arrives += replica.cut_until - self.now
        self.at(arrives, receiver, action)

    def _watch(self) -> None:
        """Look at the group when its next deadline is due."""
        if (deadline := self._group.next_deadline) not in self._watched and deadline != inf:
            self._watched.add(deadline)
            self.at(max(deadline, self.now), None, self._tick)

    def _tick(self) -> None:
        self._group.tick(self.now)
        self._watch()

    def _tell_assignment(self, assignment: Assignment) -> None:
        generation = self._group.generation
        for member, partitions in assignment.items():
            replica = self._members[member]
            self.to_replica(replica, partial(replica.assigned, member, generation, partitions))

    def _happen(self, kind: Kind, number: int, seconds: float) -> None:
        replica = self._replicas.get(number)
        if kind is Kind.START:
            if replica is None or replica.is_gone:
                self._replicas[number] = replica = Replica(self, f"{number}/{next(self._numbers)}", self._habits)
                replica.start()
            return
        if replica is None or replica.is_gone:
            return
        match kind:
            case Kind.STOP:
                self.at(self.now, replica, replica.stop)
            case Kind.KILL:
                replica.kill()
                self.at(self.now + seconds, None, partial(self._happen, Kind.START, number, 0.0))
            case Kind.FREEZE:
                replica.frozen_until = max(replica.frozen_until, self.now + seconds)
            case Kind.CUT_AND_DROP | Kind.CUT_AND_HOLD:
                replica.cut_until = self.now + seconds
                replica.holds_packets = kind is Kind.CUT_AND_HOLD
