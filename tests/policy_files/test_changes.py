"""What is done about what was read of a policy's files, as a table and as properties."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from consumer.policy_files.changes import Changes, Next, noteworthy, says_the_same
from tests.rig.ready_policies import policy

GOOD, BAD = "abc", "xyz"
"""Digests of files that are taken, and of files that are refused."""


def told(reads: Sequence[str]) -> list[tuple[str, Next, Changes]]:
    """What is done about each reading, as the one who acts on it does."""
    changes, done = Changes(), []
    for digest in reads:
        then = changes.read(digest)
        if then is Next.JUDGE:
            changes.take(digest) if digest in GOOD else changes.refuse(digest)
        done.append((digest, then, Changes(changes.taken, changes.refused)))
    return done


def test_only_what_was_read_twice_is_judged_and_once() -> None:
    """
    The files as they were taken are nothing new, and those that are refused are not judged with every look.
    """
    reads = "aaa" + "bca" + "xxx" + "xyxa" + "bbb"

    assert [then.value for _, then, _ in told(reads)] == [
        *("read again", "judge", "nothing"),
        *("read again", "read again", "nothing"),
        *("read again", "judge", "nothing"),
        *("nothing", "read again", "nothing", "nothing"),
        *("read again", "judge", "nothing"),
    ]


@given(st.lists(st.sampled_from(GOOD + BAD), max_size=60))
def test_no_reading_of_files_that_do_not_stay_decides_anything(reads: list[str]) -> None:
    """
    What is judged was read twice in a row; what is refused changes nothing of what is taken; and where files stay as
    they are, they are taken or refused after two readings.
    """
    taken = None
    for at, (digest, then, after) in enumerate(told(reads)):
        if then is Next.JUDGE:
            assert reads[at - 1] == digest
            taken = digest if digest in GOOD else taken
        assert after.taken == taken
        assert after.refused is None or after.refused in BAD
        if at and reads[at - 1] == digest:
            assert digest in (after.taken, after.refused)
        if digest == after.taken:
            assert after.refused is None


def test_what_is_refused_is_judged_again_where_somebody_asks() -> None:
    """
    A test may have failed for what was not in the file, such as the day.
    """
    changes = Changes()
    assert [changes.read("x") for _ in range(2)] == [Next.READ_AGAIN, Next.JUDGE]
    changes.refuse("x")

    changes.judge_again()

    assert [changes.read("x") for _ in range(2)] == [Next.READ_AGAIN, Next.JUDGE]


def test_policies_are_compared_by_what_they_say() -> None:
    """
    The one that decides, and the one in shadow.
    """
    alone, other = policy(1), policy(2)
    watched = alone.model_copy(update={"shadow": other})

    assert says_the_same(alone, policy(1))
    assert not says_the_same(alone, other)
    assert not says_the_same(alone, watched)
    assert says_the_same(watched, alone.model_copy(update={"shadow": policy(2)}))


def test_an_operator_is_told_of_a_version_that_did_not_rise_and_of_more_calls() -> None:
    """
    Going back to an older policy has its version, too: it takes effect, and is said.
    """
    old, new = policy(2, services=["a"]), policy(1, services=["a", "b"])

    version, calls = noteworthy(old, new)

    assert (version.split()[0], version[-6:]) == ("version", "(P016)")
    assert "adds b: 2 calls an image instead of 1" in calls
    assert list(noteworthy(new, old)) == []
    assert list(noteworthy(old, old)) == []
