"""Which commits are taken for the service's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.journal.commit_metadata import CommitMetadata
from consumer.journal.commits import Commits
from consumer.journal.signatures import Keyring
from consumer.records import Partition

OLD, NEW = b"o" * 32, b"n" * 32
PLACE = Partition("uploads", 3)
METADATA = CommitMetadata(1_763_632_801.123, "0123abcd")
UNTIL = 1_800_000_000.0  # unix seconds


def commits(keyring: Keyring, *, group: str = "group", now: float = UNTIL + 1) -> Commits:
    return Commits(group, "0123abcd", keyring, UNTIL, lambda: now)


SIGNS = commits(Keyring({"old": OLD, "new": NEW}, "new"))

places = st.builds(Partition, st.text(max_size=6), st.integers(0, 20))
offsets = st.integers(0, 2**63 - 1)


@given(places, offsets)
def test_a_signed_commit_is_believed_by_who_has_the_key(place: Partition, offset: int) -> None:
    """
    Also by who signs with another one; and it says what an unsigned one would.
    """
    reader = commits(Keyring({"new": NEW, "old": OLD}, "old"))

    assert reader.read(place, offset, SIGNS.sign(place, offset, str(METADATA))) == METADATA


@given(places, offsets, places, offsets)
def test_a_signature_is_of_one_offset_of_one_partition(
    place: Partition, offset: int, another: Partition, elsewhere: int
) -> None:
    """
    A member of the group may commit any: a genuine commit says nothing about another place.
    """
    metadata = SIGNS.sign(place, offset, str(METADATA))

    assert (SIGNS.read(another, elsewhere, metadata) is not None) is ((place, offset) == (another, elsewhere))


@pytest.mark.parametrize(
    "foreign",
    [
        "",
        "somebody else's",
        str(METADATA),
        SIGNS.sign(PLACE, 7, str(METADATA)).replace("1763632801.123", "1763632801.124"),
        SIGNS.sign(PLACE, 7, str(METADATA)).replace("0123abcd", "0123abce"),
        SIGNS.sign(PLACE, 7, str(METADATA)).replace(" new ", " old "),
        SIGNS.sign(PLACE, 7, str(METADATA)).replace("mc2", "mc1"),
        SIGNS.sign(PLACE, 7, str(METADATA))[:-1],
        commits(Keyring({"new": OLD}, "new")).sign(PLACE, 7, str(METADATA)),
        commits(Keyring({"x": NEW}, "x")).sign(PLACE, 7, str(METADATA)),
        commits(Keyring({"new": NEW}, "new"), group="another").sign(PLACE, 7, str(METADATA)),
    ],
)
def test_what_no_key_of_ours_signed_is_a_strangers(foreign: str) -> None:
    """
    Nothing, another tool's words, one without a signature, and any part of a genuine one changed.
    """
    assert SIGNS.read(PLACE, 7, foreign) is None


def test_unsigned_commits_are_believed_until_a_moment() -> None:
    """
    While the key is introduced there are replicas that do not sign yet; a false signature is never believed.
    """
    during = commits(Keyring({"new": NEW}, "new"), now=UNTIL - 1)
    forged = commits(Keyring({"new": OLD}, "new")).sign(PLACE, 7, str(METADATA))

    assert during.read(PLACE, 7, str(METADATA)) == METADATA
    assert during.read(PLACE, 7, "") is None
    assert during.read(PLACE, 7, forged) is None


@pytest.mark.parametrize("keyring", [Keyring({}), Keyring({"new": NEW})])
def test_who_does_not_sign_believes_all_commits_that_look_like_ours(keyring: Keyring) -> None:
    """
    Without a key, and while the first one is introduced, whatever the time; signed ones as well. What it writes itself
    older releases read.
    """
    assert commits(keyring).sign(PLACE, 7, str(METADATA)) == str(METADATA)
    assert commits(keyring).read(PLACE, 7, str(METADATA)) == METADATA
    assert commits(keyring).read(PLACE, 7, SIGNS.sign(PLACE, 7, str(METADATA))) == METADATA
    assert commits(keyring).read(PLACE, 7, "") is None
