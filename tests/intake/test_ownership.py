"""Who owns what: cell by cell of the table, and by a group of replicas that hang, leave, join and commit at random."""

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consumer.intake.ownership import MARGIN, NO_EPOCH, Owner, Ownership, State
from consumer.records import Partition

FIRST, SECOND = Partition("uploads", 0), Partition("uploads", 1)
SESSION = 6.0  # seconds


def owning(*partitions: Partition) -> Ownership:
    """One that owns these partitions, proven at 0."""
    ownership = Ownership(SESSION)
    ownership.assign(partitions)
    for each in partitions:
        ownership.prepare(each, had_by_others=False)
    ownership.prove(0.0)
    for each in partitions:
        ownership.own(each)
    return ownership


def test_a_partition_is_owned_once_its_start_is_known_and_committed() -> None:
    """
    UNASSIGNED, ASSIGNED, PREPARED, OWNED: an epoch begins with the start, and work may be started with the commit.
    """
    ownership = Ownership(SESSION)
    states, epochs = [ownership.state(FIRST)], [ownership.epoch(FIRST)]

    for act in (
        lambda: ownership.assign([FIRST]),
        lambda: ownership.prepare(FIRST, had_by_others=False),
        lambda: ownership.own(FIRST),
    ):
        act()
        states.append(ownership.state(FIRST))
        epochs.append(ownership.epoch(FIRST))

    assert states == [State.UNASSIGNED, State.ASSIGNED, State.PREPARED, State.OWNED]
    assert epochs == [NO_EPOCH, NO_EPOCH, 1, 1]


@pytest.mark.parametrize(("had_by_others", "epoch"), [(False, 1), (True, 2)])
def test_a_partition_that_comes_back_keeps_its_epoch_where_no_other_replica_had_it(
    had_by_others: bool, epoch: int
) -> None:
    """
    Released and assigned again, what was started of it goes on; or is another replica's, and a new epoch begins.
    """
    ownership = owning(FIRST)
    ownership.revoke()
    released = ownership.state(FIRST)

    ownership.assign([FIRST])
    ownership.prepare(FIRST, had_by_others=had_by_others)

    assert released is State.RELEASED
    assert ownership.epoch(FIRST) == epoch
    assert not ownership.owns(FIRST, epoch)  # before the commit
    ownership.own(FIRST)
    assert ownership.owns(FIRST, epoch)
    assert ownership.owns(FIRST, 1) is not had_by_others


def test_an_assignment_without_a_partition_ends_its_epoch() -> None:
    """
    What was started of it is another's from then on, also where it comes back later without a commit of others.
    """
    ownership = owning(FIRST, SECOND)
    ownership.revoke()
    ownership.assign([SECOND])
    without = ownership.owner(FIRST, 1, 0.0)
    ownership.revoke()
    while_divided = ownership.owner(FIRST, 1, 0.0)

    ownership.assign([FIRST])
    again = ownership.prepare(FIRST, had_by_others=False)

    assert (without, while_divided) == (Owner.ANOTHERS, Owner.ANOTHERS)
    assert again == 3
    assert ownership.owner(FIRST, 1, 0.0) is Owner.ANOTHERS


def test_a_log_that_began_anew_is_taken_over_again_in_the_same_epoch() -> None:
    """
    Nobody else had the partition: what is started of it stays this replica's, and nothing new is until the next commit.
    """
    ownership = owning(FIRST)

    ownership.restart(FIRST)
    restarted = ownership.state(FIRST)
    epoch = ownership.prepare(FIRST, had_by_others=True)
    ownership.own(FIRST)

    assert restarted is State.PREPARED
    assert epoch == 1
    assert ownership.owns(FIRST, 1)


def test_a_log_that_began_anew_before_its_start_was_known_is_prepared_like_any_other() -> None:
    """
    Whether others had it is not known yet, so it is no more than assigned.
    """
    ownership = Ownership(SESSION)
    ownership.assign([FIRST])

    ownership.restart(FIRST)

    assert ownership.state(FIRST) is State.ASSIGNED


def test_more_of_its_journal_changes_nothing_of_an_owned_partition() -> None:
    """
    Where its start is found again it stays owned, in its epoch.
    """
    ownership = owning(FIRST)

    epoch = ownership.prepare(FIRST, had_by_others=True)

    assert (ownership.state(FIRST), epoch) == (State.OWNED, 1)


def test_what_is_not_assigned_cannot_be_prepared_or_owned() -> None:
    """
    An assignment that is over takes nothing over, and no partition is owned before its start is known.
    """
    ownership = owning(FIRST)
    ownership.revoke()

    for act in (lambda: ownership.prepare(FIRST, had_by_others=False), lambda: ownership.own(FIRST)):
        with pytest.raises(ValueError, match="not assigned"):
            act()
    ownership.assign([FIRST])
    with pytest.raises(ValueError, match="before it is known"):
        ownership.own(FIRST)


@pytest.mark.parametrize(
    ("now", "owner"),
    [(0.0, Owner.OURS), (SESSION - MARGIN - 0.001, Owner.OURS), (SESSION - MARGIN, Owner.UNCERTAIN)],
)
def test_ownership_is_proven_for_a_session_less_a_second(now: float, owner: Owner) -> None:
    """
    From the sending of the latest commit that was acknowledged; after that the group may have given it away.
    """
    assert owning(FIRST).owner(FIRST, 1, now) is owner


def test_an_older_proof_takes_nothing_back() -> None:
    """
    Acknowledgements may come in any order.
    """
    ownership = owning(FIRST)

    ownership.prove(3.0)
    ownership.prove(1.0)

    assert ownership.owner(FIRST, 1, SESSION + 1.0) is Owner.OURS
    assert ownership.proven == 3.0


def test_while_the_group_divides_its_partitions_nothing_is_certain() -> None:
    """
    Neither that a partition is another's: it may come back.
    """
    ownership = owning(FIRST)

    ownership.revoke()

    assert ownership.owner(FIRST, 1, 0.0) is Owner.UNCERTAIN
    assert (ownership.is_member, ownership.owns_any, list(ownership.assigned)) == (False, False, [])
    assert list(ownership.remembered) == [FIRST]


@dataclass
class Replica:
    """A process: what it believes, and the commits that it has sent and not heard of."""

    ownership: Ownership = field(default_factory=lambda: Ownership(SESSION))
    hangs: bool = False
    generation: int = -1
    unanswered: list[tuple[float, list[Partition]]] = field(default_factory=list)


class GroupOfReplicas(RuleBasedStateMachine):
    """
    A group's coordinator with three replicas. It gives no partition away before its owner has revoked it, or was
    evicted because the coordinator heard nothing of it for a session.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.generation = 0
        self.replicas = {name: Replica() for name in "abc"}
        self.heard: dict[str, float] = {}  # members, and when the coordinator heard of them last
        self.joined: set[str] | None = set()  # who has joined the rebalance that is under way; None without one
        self.committed_by: dict[Partition, str] = {}
        self.started: dict[tuple[str, Partition, int], bool] = {}  # work, and whether another replica owned it since

    @rule(seconds=st.sampled_from([0.1, 1.0, 2.5, 6.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        silent = [name for name, at in self.heard.items() if self.now >= at + SESSION]
        for name in silent:
            del self.heard[name]
            if self.joined is None:
                self.joined = set()
            self.joined.discard(name)

    @rule(name=st.sampled_from("abc"), hangs=st.booleans())
    def hang(self, name: str, hangs: bool) -> None:
        self.replicas[name].hangs = hangs

    @rule(name=st.sampled_from("abc"))
    def join(self, name: str) -> None:
        """A replica hears of a rebalance, or of its eviction, or is new: it revokes what it has, and joins."""
        replica = self.replicas[name]
        if replica.hangs or (self.joined is None and name in self.heard):
            return
        replica.ownership.revoke()
        self.heard[name] = self.now
        self.joined = (self.joined or set()) | {name}

    @precondition(lambda self: self.joined and self.joined == self.heard.keys())
    @rule(data=st.data())
    def divide(self, data: st.DataObject) -> None:
        """All members have joined: each is assigned what the coordinator says, unless it hangs just then."""
        members = sorted(self.heard)
        self.generation += 1
        self.joined = None
        owners = {each: data.draw(st.sampled_from(members)) for each in (FIRST, SECOND)}
        for name in members:
            replica = self.replicas[name]
            if not replica.hangs:
                replica.generation = self.generation
                replica.ownership.assign([each for each, owner in owners.items() if owner == name])

    @rule(name=st.sampled_from("abc"), partition=st.sampled_from([FIRST, SECOND]))
    def prepare(self, name: str, partition: Partition) -> None:
        replica = self.replicas[name]
        if replica.hangs or replica.ownership.state(partition) is not State.ASSIGNED:
            return
        kept = replica.ownership.epoch(partition)
        others = self.committed_by.get(partition, name) != name

        epoch = replica.ownership.prepare(partition, had_by_others=others)

        if kept != NO_EPOCH and not others:
            assert epoch == kept

    @rule(name=st.sampled_from("abc"))
    def send_commit(self, name: str) -> None:
        """The coordinator takes the commit of a member of its generation; the answer is on its way."""
        replica = self.replicas[name]
        if replica.hangs or name not in self.heard or replica.generation != self.generation:
            return
        if not replica.ownership.is_member:
            return
        ready = [each for each in (FIRST, SECOND) if replica.ownership.state(each) in (State.PREPARED, State.OWNED)]
        self.heard[name] = self.now
        self.committed_by |= dict.fromkeys(ready, name)
        replica.unanswered.append((self.now, ready))

    @rule(name=st.sampled_from("abc"))
    def hear_of_commit(self, name: str) -> None:
        replica = self.replicas[name]
        if replica.hangs or not replica.unanswered:
            return
        sent_at, ready = replica.unanswered.pop(0)
        replica.ownership.prove(sent_at)
        for each in ready:
            if replica.ownership.state(each) is State.PREPARED and replica.generation == self.generation:
                replica.ownership.own(each)
                for work in self.started:
                    if work[1] == each and work[0] != name:
                        self.started[work] = True

    @rule(name=st.sampled_from("abc"))
    def take_over(self, name: str) -> None:
        """All of it at once, which is what happens most of the time."""
        for partition in (FIRST, SECOND):
            self.prepare(name, partition)
        self.send_commit(name)
        while self.replicas[name].unanswered and not self.replicas[name].hangs:
            self.hear_of_commit(name)
        for partition in (FIRST, SECOND):
            self.start_work(name, partition)

    @rule(name=st.sampled_from("abc"), partition=st.sampled_from([FIRST, SECOND]))
    def start_work(self, name: str, partition: Partition) -> None:
        ownership = self.replicas[name].ownership
        if ownership.owner(partition, ownership.epoch(partition), self.now) is Owner.OURS:
            self.started.setdefault((name, partition, ownership.epoch(partition)), False)

    @rule(name=st.sampled_from("abc"), partition=st.sampled_from([FIRST, SECOND]))
    def restart_log(self, name: str, partition: Partition) -> None:
        self.replicas[name].ownership.restart(partition)

    @invariant()
    def no_partition_has_two_owners(self) -> None:
        for partition in (FIRST, SECOND):
            owners = [
                name
                for name, replica in self.replicas.items()
                if replica.ownership.owner(partition, replica.ownership.epoch(partition), self.now) is Owner.OURS
            ]
            assert len(owners) <= 1, (partition, owners)

    @invariant()
    def what_another_replica_owned_meanwhile_is_never_published(self) -> None:
        for (name, partition, epoch), was_anothers in self.started.items():
            if was_anothers:
                assert self.replicas[name].ownership.owner(partition, epoch, self.now) is not Owner.OURS


GroupOfReplicas.TestCase.settings = settings(max_examples=150, stateful_step_count=80)
test_a_group_of_replicas_never_has_two_owners = GroupOfReplicas.TestCase
