"""
How many calls a second this replica may send, and until when. Values only: the caller passes the time, in
monotonic seconds of this process's own clock.

The account has Q calls a second for all replicas, and there is no coordinator but the group itself:

    lane        is due a whole number of calls, by weight; they sum to Q less what is reserved for others
    partition   i of the lane's n owns ⌊(i+1)·q/n⌋ − ⌊i·q/n⌋ of its q: whole numbers that sum to q, for any assignment
    replica     has what its partitions own, for as long as its lease runs

    assigned ──(a window)──► starts ················ ends: last commit + session timeout − 1 s ··· the broker evicts
       │                        a commit that succeeds moves the end ──►                              │
       └ of a successor: not before all others have revoked, left, or been evicted ◄──────────────┘

The lease keeps two owners of a partition from calling at the same time, although neither knows of the other:

- a replica that gives up its partitions stops before it tells the group: `revoked` ends its lease at once;
- a replica that is cut off stops by itself: the broker evicts it a session timeout after its last request arrived,
  which is not before its last successful commit was sent;
- a new owner starts a window after its assignment, so that no second holds calls of both. Partitions that stay with
  their owner from one generation to the next go on at once: the owner's own pace counts the calls before.

A member that stays alive and silent while a rebalance waits for it is dropped after the rebalance timeout instead, so
that must be longer than the session timeout; the configuration sees to it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import NamedTuple, Protocol

from consumer.records import Partition, beyond

MARGIN = 1.0  # seconds before eviction at which the lease ends


class Owned(NamedTuple):
    """A partition, and what its owner may send for it."""

    partition: Partition
    lane: str
    calls: int  # a second


class Share(NamedTuple):
    """Calls a second by lane, and when this will be another."""

    by_lane: Mapping[str, int]
    until: float
    """The moment at which it changes if nothing happens until then; infinity if only an event can change it."""

    lease: int
    """Which lease it is of: what was let go under one must not be sent under another."""

    withheld_by: str = "lease"
    """What makes it nothing, where it is nothing."""

    @property
    def total(self) -> int:
        """Calls a second of all lanes."""
        return sum(self.by_lane.values())


class Shares(Protocol):
    """What the pace asks before every departure."""

    def share(self, now: float) -> Share:
        """Return what may be sent now."""
        ...

    @property
    def ends(self) -> float:
        """The moment from which nothing may be sent any more, unless news moves it."""
        ...


@dataclass(frozen=True, slots=True)
class Due:
    """A lane's part of the account's quota."""

    topics: tuple[str, ...]
    calls: int  # a second


def part_of_partition(number: int, partitions: int, calls: int) -> int:
    """Return what a lane's partition `number` of `partitions` owns of the lane's calls; all of them sum to `calls`."""
    return (number + 1) * calls // partitions - number * calls // partitions


class WhilePublishing:
    """All of a share, or nothing of it while Kafka takes no outcomes: what cannot be published is not paid for."""

    def __init__(self, shares: Shares, takes_outcomes: Callable[[], bool]) -> None:
        self._shares = shares
        self._takes_outcomes = takes_outcomes

    def share(self, now: float) -> Share:
        """See `Shares`."""
        share = self._shares.share(now)
        if not share.total or self._takes_outcomes():
            return share
        return Share(dict.fromkeys(share.by_lane, 0), inf, share.lease, withheld_by="publishing")

    @property
    def ends(self) -> float:
        """See `Shares`."""
        return self._shares.ends


class Step(NamedTuple):
    """From a moment on, as long as the lease lasts: calls a second by lane."""

    starts: float
    by_lane: Mapping[str, int]


class Quota:
    """The share of one replica: see the module. It has none before its first assignment and the commit after that."""

    def __init__(self, lanes: Mapping[str, Due], *, session_timeout: float, window: float) -> None:
        """`window` is the pace's: a second and what the network may bunch."""
        self._lanes = lanes
        self._nothing: Mapping[str, int] = dict.fromkeys(lanes, 0)
        self._lasts = session_timeout - MARGIN
        self._window = window
        self._starts: dict[Owned, float] = {}  # of the latest assignment, revoked or not
        self._generation: int | None = None  # of that
        self._steps: list[Step] = []  # of the lease, in the order of time
        self._assigned_at = inf
        self._committed_at = -inf  # when the last successful commit was sent, of this assignment
        self._lease = 0

    def assigned(
        self,
        partitions: Iterable[tuple[str, int]],
        counts: Mapping[str, int],
        now: float,
        generation: int | None = None,
    ) -> None:
        """
        Own these partitions from now on, and no others.

        `counts` says how many partitions each topic of the lanes has; a topic that does not exist yet is left out. It
        must be read after the assignment: a replica that counts too few partitions takes more than its share.
        A lane of which a partition is assigned that cannot be there by `counts` owns nothing.
        `generation` is the group's; without it no partition counts as one that stayed.
        """
        stayed = self._starts if generation is not None and generation - 1 == self._generation else {}
        self._starts = {owned: stayed.get(owned, now + self._window) for owned in self._owned(set(partitions), counts)}
        self._generation = generation
        self._steps = list(self._in_steps())
        self._assigned_at = now
        self._committed_at = -inf
        self._lease += 1

    def revoked(self) -> None:
        """
        Own nothing, from this moment on.

        To be called before anything is awaited in `on_partitions_revoked`, before the group is left, and when a commit
        or a heartbeat is refused because this is no member any more.
        """
        self._steps = []
        self._assigned_at = inf
        self._committed_at = -inf
        self._lease += 1

    def committed(self, sent_at: float) -> None:
        """
        Note that a commit succeeded which was sent at `sent_at`: the broker had us as a member at that time or later.

        One sent before the assignment proves nothing about it. With nothing new to commit the old offsets are sent.
        """
        if sent_at >= self._assigned_at:
            self._committed_at = max(self._committed_at, sent_at)

    @property
    def ends(self) -> float:
        """The moment from which it may not be used any more, unless a commit moves it."""
        return self._committed_at + self._lasts

    def share(self, now: float) -> Share:
        """Return what may be sent at `now`."""
        if now >= self.ends:
            return Share(self._nothing, inf, self._lease)
        by_lane, until = self._nothing, self.ends
        for step in self._steps:
            if now < step.starts:
                until = min(until, step.starts)
                break
            by_lane = step.by_lane
        return Share(by_lane, until, self._lease)

    def reasons_not_ready(self, now: float) -> list[str]:
        """Say so when the lease has run out: Kafka does not answer, so nothing is sent."""
        if not self._starts or now < max(self._assigned_at + self._lasts, self.ends):
            return []
        return ["quota: no commit has succeeded for a session timeout; calls wait until one does"]

    def _owned(self, partitions: Collection[tuple[str, int]], counts: Mapping[str, int]) -> Iterator["Owned"]:
        contradicted = {topic for topic, _ in beyond(partitions, counts)}
        for lane, due in self._lanes.items():
            if contradicted.intersection(due.topics):
                continue
            all_of_lane = _in_order(due.topics, counts)
            for index, partition in enumerate(all_of_lane):
                if partition in partitions:
                    yield Owned(partition, lane, part_of_partition(index, len(all_of_lane), due.calls))

    def _in_steps(self) -> Iterator[Step]:
        for starts in sorted(set(self._starts.values())):
            by_lane = dict(self._nothing)
            for owned, since in self._starts.items():
                by_lane[owned.lane] += owned.calls if since <= starts else 0
            yield Step(starts, by_lane)


def _in_order(topics: Collection[str], counts: Mapping[str, int]) -> list[Partition]:
    """Return a lane's partitions in an order that every replica has, however its configuration lists the topics."""
    return [Partition(topic, number) for topic in sorted(topics) for number in range(counts.get(topic, 0))]
