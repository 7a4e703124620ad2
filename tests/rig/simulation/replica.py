"""
One replica of a simulation: what the service does about its quota, with the service's own `Quota` and `Pace`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consumer.dispatch.pace import Departure, Pace
from consumer.dispatch.quota import Due, Quota
from tests.rig.simulation.group import Verdict

if TYPE_CHECKING:
    from tests.rig.simulation.world import World

LANE, TOPIC = "lane", "uploads"
DRIFT = 2e-4  # by so much a clock is too fast or too slow, at most
COMMIT_INTERVAL = 1.0
REJOIN_AFTER = 2.0  # seconds without an answer, beyond the rebalance timeout, after which joining is tried again
BUSY_AFTER_LEAVING = 3.0  # seconds that a stopping replica still runs
LONGEST_LOOK = 0.05


@dataclass(frozen=True, slots=True)
class Habits:
    """Which rules a replica follows."""

    make_quota: Callable[..., Quota]
    checks: bool  # the lease once more before bytes go out


class Replica:
    """See the module. Its clock has a zero and a rate of its own."""

    def __init__(self, world: World, name: str, habits: Habits) -> None:
        self._world = world
        self._name = name
        self._habits = habits
        self._zero = world.dice.uniform(0, 1e5)
        self._rate = 1 + world.dice.uniform(-DRIFT, DRIFT)
        self._pace = Pace(0)
        self._quota = habits.make_quota(
            {LANE: Due((TOPIC,), world.scenario.quota)},
            session_timeout=world.scenario.session_timeout,
            window=self._pace.window,
        )
        self._incarnation = 0  # of the member: one that the group has forgotten joins as another
        self._generation: int | None = None  # while it is a member with an assignment
        self._joining = 0  # attempts so far, while it waits for its assignment
        self._has_work = False
        self._looks = False
        self.frozen_until = 0.0
        self.cut_until = 0.0
        self.holds_packets = False
        self.is_dead = False
        self.is_gone = False
        """Whether it is stopping, or dead: another may start in its place."""

    def start(self) -> None:
        """Join the group."""
        self._join()

    def stop(self) -> None:
        """Give up everything, leave, and still run for a while."""
        if self.is_gone:
            return
        self.is_gone = True
        self._generation = None
        self._quota.revoked()
        member = self._member
        self._world.to_broker(self, lambda: self._world.leave(member))
        self._after(BUSY_AFTER_LEAVING, self.kill)

    def kill(self) -> None:
        """End, whatever it was doing."""
        self.is_dead = self.is_gone = True

    def assigned(self, member: str, generation: int, partitions: list[int]) -> None:
        """The group's answer to joining arrives."""
        if self.is_gone or member != self._member or self._generation is not None:
            return
        self._generation = generation
        counts = {TOPIC: self._world.scenario.partitions}
        self._quota.assigned([(TOPIC, number) for number in partitions], counts, self._now(), generation)
        self._has_work = self._world.has_work(partitions)
        self._commit(generation)
        self._beat(generation)
        if not self._looks:
            self._looks = True
            self._look()

    @property
    def _member(self) -> str:
        return f"{self._name}.{self._incarnation}"

    def _now(self) -> float:
        return self._zero + self._world.now * self._rate

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._world.at(self._world.now + seconds / self._rate, self, action)

    def _join(self) -> None:
        """Ask to join, again and again until there is an answer."""
        if self.is_gone or self._generation is not None:
            return
        member = self._member
        self._world.to_broker(self, lambda: self._world.join(self, member))
        self._joining += 1
        attempt = self._joining
        self._after(
            REJOIN_AFTER + self._world.scenario.rebalance_timeout,
            lambda: self._join() if attempt == self._joining else None,
        )

    def _beat(self, generation: int) -> None:
        """Tell the broker every heartbeat interval that it is there."""
        if generation != self._generation:
            return
        self._ask(generation, commits=False)
        self._after(self._world.scenario.heartbeat, lambda: self._beat(generation))

    def _commit(self, generation: int) -> None:
        """Commit every second, changed or not."""
        if generation != self._generation:
            return
        self._ask(generation, commits=True)
        self._after(COMMIT_INTERVAL, lambda: self._commit(generation))

    def _ask(self, generation: int, *, commits: bool) -> None:
        member, sent_at = self._member, self._now()

        def arrive() -> None:
            verdict = self._world.heard(member, generation, commits=commits)
            self._world.to_replica(self, lambda: self._told(verdict, generation, sent_at if commits else None))

        self._world.to_broker(self, arrive)

    def _told(self, verdict: Verdict, generation: int, sent_at: float | None) -> None:
        if verdict is Verdict.OK:
            if sent_at is not None:
                self._quota.committed(sent_at)  # however late: it may be of an assignment that is over
            return
        if generation != self._generation:
            return
        self._generation = None
        self._quota.revoked()
        if verdict is Verdict.UNKNOWN:
            self._incarnation += 1
        self._after(self._world.dice.random() * self._world.scenario.longest_drain, self._join)

    def _look(self) -> None:
        """Let depart what may depart now, and look again in time."""
        now = self._now()
        self._pace.change(self._quota.share(now).total if self._has_work else 0)
        while self._pace.earliest() <= now:
            departure, lease = self._pace.depart(now), self._quota.share(now).lease
            self._after(self._connecting(), lambda d=departure, lease=lease: self._send(d, lease))  # type: ignore[misc]
        late = self._world.dice.expovariate(1 / 0.0005)
        self._after(min(self._pace.earliest() - now, LONGEST_LOOK) + late, self._look)

    def _connecting(self) -> float:
        """Seconds until the bytes of a call go out."""
        if self._world.dice.random() < self._world.scenario.slow_connections:
            return self._world.dice.uniform(0.0, 3.0)
        return self._world.dice.uniform(0.0001, 0.001)

    def _send(self, departure: Departure, lease: int) -> None:
        now = self._now()
        share = self._quota.share(now)
        if self._habits.checks and (share.lease != lease or not share.total):
            departure.withdrawn()
            return
        departure.sent(now)
        self._world.sent.append(self._world.now)
