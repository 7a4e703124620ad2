import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.dispatch.quota import Due, Quota, WhilePublishing, part_of_partition
from tests.moderation.requests import GivenShares

LANES = {"live": Due(("a", "b"), 90), "backfill": Due(("c",), 10)}
COUNTS = {"a": 4, "b": 2, "c": 3}
EVERYTHING = [(topic, number) for topic, count in COUNTS.items() for number in range(count)]
NOTHING = {"live": 0, "backfill": 0}


def quota() -> Quota:
    return Quota(LANES, session_timeout=30.0, window=1.02)


def running_quota() -> Quota:
    """One of everything, assigned at 100 and committed at once."""
    owner = quota()
    owner.assigned(EVERYTHING, COUNTS, 100.0)
    owner.committed(100.1)
    return owner


@given(st.integers(0, 1000), st.integers(1, 200))
def test_the_parts_of_the_partitions_sum_to_the_lane(calls: int, partitions: int) -> None:
    """
    However many partitions there are, they own all of the lane's calls, evenly but for one.
    """
    parts = [part_of_partition(number, partitions, calls) for number in range(partitions)]

    assert sum(parts) == calls
    assert max(parts) - min(parts) <= 1


@given(st.randoms(use_true_random=False), st.integers(1, 9))
def test_replicas_own_all_of_it_whoever_owns_what(dice: random.Random, replicas: int) -> None:
    """
    Any division of the partitions divides every lane's calls, with nothing left over and nothing twice.
    """
    owners = [dice.randrange(replicas) for _ in EVERYTHING]
    owned = []
    for replica in range(replicas):
        owner = quota()
        owner.assigned([p for p, by in zip(EVERYTHING, owners, strict=True) if by == replica], COUNTS, 0.0)
        owner.committed(0.0)
        owned.append(owner.share(2.0).by_lane)

    assert sum(share["live"] for share in owned) == 90
    assert sum(share["backfill"] for share in owned) == 10


def test_the_order_of_topics_in_the_configuration_does_not_matter() -> None:
    """
    Replicas whose files list a lane's topics differently still divide it alike.
    """
    one, other = (
        Quota({"lane": Due(topics, 7)}, session_timeout=30.0, window=1.0) for topics in (("a", "b"), ("b", "a"))
    )
    for each in (one, other):
        each.assigned([("a", 1), ("b", 0)], {"a": 2, "b": 3}, 0.0)
        each.committed(0.0)

    assert one.share(1.0).by_lane == other.share(1.0).by_lane


def test_a_share_starts_a_window_after_the_assignment_and_not_without_a_commit() -> None:
    """
    Until then the predecessor's last calls are in the same second, and nothing proves that we are a member.
    """
    owner = quota()
    before = owner.share(99.0)
    owner.assigned(EVERYTHING, COUNTS, 100.0)
    uncommitted = owner.share(101.5)
    owner.committed(100.1)
    early, started = owner.share(101.0), owner.share(101.02)

    assert before.by_lane == uncommitted.by_lane == early.by_lane == NOTHING
    assert early.until == 101.02
    assert started.by_lane == {"live": 90, "backfill": 10}
    assert started.total == 100


def test_the_lease_ends_a_second_before_the_broker_can_evict() -> None:
    """
    It counts from the moment the last successful commit was sent, whenever its answer came.
    """
    owner = running_quota()

    last, over = owner.share(129.0), owner.share(129.1)
    owner.committed(120.0)
    owner.committed(110.0)
    renewed = owner.share(148.9)

    assert (last.total, last.until) == (100, 129.1)
    assert over.total == 0
    assert (renewed.total, renewed.until) == (100, 149.0)


def test_revocation_ends_it_at_once() -> None:
    """
    From that moment on nothing may be sent, whatever commits are still answered.
    """
    owner = running_quota()
    before = owner.share(105.0)

    owner.revoked()
    owner.committed(105.0)

    assert before.total == 100
    assert owner.share(105.0).total == 0
    assert owner.share(106.5).lease != before.lease


def test_a_commit_sent_before_the_assignment_proves_nothing_about_it() -> None:
    """
    An answer that comes late, of the assignment before, does not start the share of this one.
    """
    owner = running_quota()
    owner.revoked()
    owner.assigned(EVERYTHING, COUNTS, 110.0)

    owner.committed(109.9)

    assert owner.share(112.0).total == 0


def test_partitions_that_stayed_go_on_at_once() -> None:
    """
    From one generation to the next nobody else can have had them; those that are new wait for their window.
    """
    owner = quota()
    owner.assigned([("c", 0)], COUNTS, 100.0, generation=7)
    owner.committed(100.1)
    owner.revoked()

    owner.assigned([("c", 0), ("c", 1)], COUNTS, 110.0, generation=8)
    owner.committed(110.1)

    assert owner.share(110.2).by_lane == {"live": 0, "backfill": 3}
    assert owner.share(110.2).until == 111.02
    assert owner.share(111.1).by_lane == {"live": 0, "backfill": 6}


@pytest.mark.parametrize("generation", [9, None])
def test_partitions_that_come_back_have_not_stayed(generation: int | None) -> None:
    """
    Where a generation was missed, or none is known, somebody else may have called for them a moment ago.
    """
    owner = quota()
    owner.assigned([("c", 0)], COUNTS, 100.0, generation=7)
    owner.revoked()

    owner.assigned([("c", 0)], COUNTS, 110.0, generation=generation)
    owner.committed(110.1)

    assert owner.share(110.2).total == 0


def test_a_partition_that_stayed_before_it_started_starts_no_sooner() -> None:
    """
    Its owner before may have called for it until the first of the two assignments.
    """
    owner = quota()
    owner.assigned([("c", 0)], COUNTS, 100.0, generation=7)
    owner.assigned([("c", 0)], COUNTS, 100.5, generation=8)
    owner.committed(100.5)

    assert owner.share(101.0).total == 0
    assert owner.share(101.02).total == 3


def test_partitions_that_nobody_configured_own_nothing() -> None:
    """
    A topic that is not in a lane, or has more partitions than were counted, gives no calls.
    """
    owner = quota()
    owner.assigned([("z", 0), ("c", 3)], COUNTS, 0.0)
    owner.committed(0.0)

    assert owner.share(2.0).total == 0


def test_one_partition_beyond_what_was_counted_makes_a_topic_give_nothing() -> None:
    """
    Nor do those that were counted: of how many they are each a part is what is not known.
    """
    share = Quota({"live": Due(("a",), 100)}, session_timeout=30.0, window=1.0)
    share.assigned([("a", 0), ("a", 3)], {"a": 1}, 0.0)
    share.committed(0.0)

    assert share.share(2.0).total == 0


@given(st.randoms(use_true_random=False), st.integers(2, 6), st.integers(1, 6), st.integers(1, 200))
def test_counts_that_contradict_the_assignment_give_no_share(
    dice: random.Random, partitions: int, replicas: int, calls: int
) -> None:
    """
    A replica that counts fewer partitions than the group has given to it would take too much; whatever the others
    count, all of them together stay within the lane's calls.
    """
    total = 0
    owners = [dice.randrange(replicas) for _ in range(partitions)]
    for replica in range(replicas):
        share = Quota({"live": Due(("a",), calls)}, session_timeout=30.0, window=1.0)
        mine = [("a", number) for number, owner in enumerate(owners) if owner == replica]
        counted = {"a": partitions if dice.random() < 0.5 else dice.randint(0, max((n for _, n in mine), default=0))}
        share.assigned(mine, counted, 0.0)
        share.committed(0.0)
        total += share.share(2.0).total

    assert total <= calls


def test_it_says_so_when_the_lease_has_run_out() -> None:
    """
    Waiting for the start, and having no partitions, are nothing to report; commits that stay unanswered are.
    """
    owner = running_quota()

    reasons = [bool(owner.reasons_not_ready(now)) for now in (100.5, 110.0, 130.0)]
    owner.revoked()

    assert reasons == [False, False, True]
    assert owner.reasons_not_ready(200.0) == []


def test_a_replica_without_partitions_is_ready() -> None:
    """
    It has nothing to commit and no calls to make: a spare replica is no replica in trouble.
    """
    owner = quota()
    owner.assigned([], COUNTS, 100.0)

    assert owner.reasons_not_ready(1_000.0) == []


def test_nothing_may_be_sent_while_kafka_takes_no_outcomes() -> None:
    """
    What cannot be published is not paid for; the lease stays what it is.
    """
    takes = [False, True]
    shares = WhilePublishing(GivenShares({"live": 7}), lambda: takes.pop(0))

    away, back = shares.share(1.0), shares.share(1.0)

    assert (away.total, back.total) == (0, 7)
    assert away.lease == back.lease
