"""
Who owns which partition, in which ownership epoch, and until when that is proven. Values only: time comes from outside.

A partition of this replica goes through these states. Its epoch is what work that was started on it belongs to; an
epoch lasts for as long as no other replica may have had the partition.

    state         what happens                                next          epoch
    ───────────   ─────────────────────────────────────────   ───────────   ──────────────────────────────────────────
    UNASSIGNED    assigned                                    ASSIGNED      none yet
    ASSIGNED      its start is found; others may have had it  PREPARED      a new one
                  its start is found; only this process had   PREPARED      kept; a new one where it has none
    PREPARED      a commit of that start is acknowledged      OWNED         kept
    PREPARED,     its log began anew                          PREPARED      kept
    OWNED
    OWNED         its start is found again (more to read)     OWNED         kept
    any but       revoked                                     RELEASED      kept: certainly no other replica has it
    UNASSIGNED
    RELEASED      assigned                                    ASSIGNED      kept
                  the assignment is without it                UNASSIGNED    over

To own a partition is one half of the right to publish; the other is the proof that the group cannot have given it to
another replica meanwhile: the broker has heard of this one within the session timeout, less a second for what clocks
and networks do. An acknowledged commit is such a proof, from the moment at which it was sent.
"""

from collections.abc import Collection, Iterable
from enum import Enum
from math import inf

from consumer.records import Partition

MARGIN = 1.0  # seconds before the session ends at which membership counts as not proven any more
NO_EPOCH = 0


class State(Enum):
    """Of a partition, for this replica."""

    UNASSIGNED = "unassigned"
    ASSIGNED = "assigned"
    PREPARED = "prepared"
    OWNED = "owned"
    RELEASED = "released"


class Owner(Enum):
    """Whose a partition is, in an epoch."""

    OURS = "ours"
    ANOTHERS = "another's"
    UNCERTAIN = "uncertain"


class Ownership:
    """The partitions of one member of the group."""

    def __init__(self, session_timeout: float) -> None:
        """`session_timeout` is the group's, in seconds."""
        self._lasts = session_timeout - MARGIN
        self._states: dict[Partition, State] = {}
        self._epochs: dict[Partition, int] = {}
        self._last_epoch = NO_EPOCH
        self._proven = -inf
        self._is_member = False

    @property
    def is_member(self) -> bool:
        """Whether the group has given this replica an assignment that it has not taken back."""
        return self._is_member

    @property
    def proven(self) -> float:
        """When the latest commit was sent that was acknowledged."""
        return self._proven

    @property
    def owns_any(self) -> bool:
        """Whether a partition is owned."""
        return State.OWNED in self._states.values()

    @property
    def assigned(self) -> Collection[Partition]:
        """The partitions of the assignment that lasts."""
        return [each for each, state in self._states.items() if state is not State.RELEASED]

    @property
    def remembered(self) -> Collection[Partition]:
        """The partitions that have an epoch: no other replica has had them since this process had them first."""
        return self._epochs.keys()

    def assign(self, partitions: Iterable[Partition]) -> None:
        """Note that these partitions, and no others, are assigned."""
        self._states = dict.fromkeys(partitions, State.ASSIGNED)
        self._epochs = {each: epoch for each, epoch in self._epochs.items() if each in self._states}
        self._is_member = True

    def prepare(self, partition: Partition, *, had_by_others: bool) -> int:
        """Note that it is known where an assigned partition starts, and return its epoch."""
        state = self._of_the_assignment(partition)
        if state is State.ASSIGNED:
            if had_by_others or partition not in self._epochs:
                self._last_epoch += 1
                self._epochs[partition] = self._last_epoch
            self._states[partition] = State.PREPARED
        return self._epochs[partition]

    def own(self, partition: Partition) -> None:
        """Note that a commit of a prepared partition's start was acknowledged: its records may be paid for."""
        if self._of_the_assignment(partition) is State.ASSIGNED:
            raise ValueError(f"{partition} is owned before it is known where it starts")
        self._states[partition] = State.OWNED

    def restart(self, partition: Partition) -> None:
        """Note that the log of a partition began anew: it must be taken over again, from another start."""
        if self._states.get(partition) is State.OWNED:
            self._states[partition] = State.PREPARED

    def revoke(self) -> None:
        """Note that the group takes all partitions back: their owners are not known until the next assignment."""
        self._states = dict.fromkeys(self._states, State.RELEASED)
        self._is_member = False

    def prove(self, sent_at: float) -> None:
        """Note that a commit was acknowledged which was sent at `sent_at`."""
        self._proven = max(self._proven, sent_at)

    def state(self, partition: Partition) -> State:
        """In which state a partition is."""
        return self._states.get(partition, State.UNASSIGNED)

    def epoch(self, partition: Partition) -> int:
        """A partition's epoch, from 1; `NO_EPOCH` before it is known where it starts."""
        return self._epochs.get(partition, NO_EPOCH)

    def owns(self, partition: Partition, epoch: int) -> bool:
        """Whether a partition is owned, in that epoch still. That it could be another's meanwhile is not looked at."""
        return self.state(partition) is State.OWNED and self.epoch(partition) == epoch

    def owner(self, partition: Partition, epoch: int, now: float) -> Owner:
        """Whose a partition is at `now`, for work that was started in an epoch."""
        if self.owns(partition, epoch) and now < self._proven + self._lasts:
            return Owner.OURS
        return Owner.UNCERTAIN if self.epoch(partition) == epoch else Owner.ANOTHERS

    def _of_the_assignment(self, partition: Partition) -> State:
        state = self.state(partition)
        if state in (State.UNASSIGNED, State.RELEASED):
            raise ValueError(f"{partition} is not assigned")
        return state
