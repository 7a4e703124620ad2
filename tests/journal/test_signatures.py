"""Which outcomes are taken for ours."""

import hashlib
import hmac
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.journal.headers import OF_DEAD_LETTER, OF_VERDICT, Source
from consumer.journal.signatures import HEADER, Claim, CommitMark, Keyring
from consumer.records import Partition, SourceId

OLD, NEW = b"o" * 32, b"n" * 40
CLAIM = Claim(
    "group",
    OF_VERDICT,
    Source(SourceId("1f"), Partition("uploads", 3), 7),
    "moderation.pass",
    b"key",
    b'{"decision":1}',
)
COMMITTED = CommitMark(5, 1_763_632_799.0)
SIGNER = Keyring({"old": OLD, "new": NEW}, "new")

texts = st.text(max_size=6)
contents = st.none() | st.binary(max_size=6)
claims = st.builds(
    Claim,
    texts,
    st.sampled_from([OF_VERDICT, OF_DEAD_LETTER]),
    st.builds(Source, texts.map(SourceId), st.builds(Partition, texts, st.integers(0, 20)), st.integers(0, 20)),
    texts,
    contents,
    contents,
)


@given(claim=claims, committed=st.none() | st.builds(CommitMark, st.integers(0, 2**62), st.integers(0, 2**40)))
def test_what_was_signed_is_believed(claim: Claim, committed: CommitMark | None) -> None:
    """
    By every replica that has the key, whether it signs with that one or not.
    """
    header = SIGNER.sign(claim, 1_763_632_801.123, committed)

    assert Keyring({"new": NEW}).read(claim, header) == (1_763_632_801.123, committed)


@given(claim=claims, another=claims)
def test_a_signature_says_nothing_about_anything_else(claim: Claim, another: Claim) -> None:
    """
    Not about another record, place, topic, key or value; and no two lists of parts are written alike.
    """
    header = SIGNER.sign(claim, 1_763_632_801.0, COMMITTED)

    assert (SIGNER.read(another, header) is not None) is (claim == another)


@pytest.mark.parametrize(
    "forged",
    [
        replace(CLAIM, group="another"),
        replace(CLAIM, names=OF_DEAD_LETTER),
        replace(CLAIM, source=CLAIM.source._replace(id=SourceId("2f"))),
        replace(CLAIM, source=CLAIM.source._replace(partition=Partition("uploads", 4))),
        replace(CLAIM, source=CLAIM.source._replace(offset=8)),
        replace(CLAIM, topic="moderation.block"),
        replace(CLAIM, key=None),
        replace(CLAIM, key=b"another"),
        replace(CLAIM, value=None),
        replace(CLAIM, value=b'{"decision":2}'),
    ],
)
def test_a_genuine_signature_under_another_record_is_forged(forged: Claim) -> None:
    """
    Whatever part of the record is another than the one that was signed.
    """
    assert SIGNER.read(forged, SIGNER.sign(CLAIM, 1_763_632_801.0, COMMITTED)) is None


@pytest.mark.parametrize("part", range(6))
def test_no_part_of_a_signature_can_be_changed(part: int) -> None:
    """
    The moment and what was committed are believed as well, so they are signed.
    """
    parts = SIGNER.sign(CLAIM, 1_763_632_801.0, COMMITTED).split(b" ")
    parts[part] = {0: b"v2", 1: b"old", 5: b"0" * 64}.get(part, b"9")

    assert SIGNER.read(CLAIM, b" ".join(parts)) is None


@pytest.mark.parametrize("header", [b"", b"v1", b"\xff" * 100, b"v1 new 1 1 1 " + b"0" * 64 + b"\n", b"v1 new " * 99])
def test_garbage_is_no_signature(header: bytes) -> None:
    """
    Whatever stands in the header: reading it raises nothing.
    """
    assert SIGNER.read(CLAIM, header) is None


def test_a_key_that_is_forgotten_signs_nothing() -> None:
    """
    Outcomes of a key that was taken out, and of one that was never here, are not believed.
    """
    before = Keyring({"old": OLD}, "old").sign(CLAIM, 1.0, None)

    assert SIGNER.read(CLAIM, before) is not None
    assert Keyring({"new": NEW}, "new").read(CLAIM, before) is None


def test_the_signature_is_what_is_documented() -> None:
    """
    Subscribers verify it by themselves, in other languages: it is written down here by hand.
    """
    parts = [
        b"moderation-outcome-v1", b"group", b"verdict", b"1f", b"uploads", b"3", b"7", b"moderation.pass", b"key",
        hashlib.sha256(b'{"decision":1}').digest(), b"1763632801000", b"5", b"1763632799000",
    ]  # fmt: skip
    signed = b"".join(str(len(part)).encode() + b":" + part for part in parts)
    mac = hmac.new(NEW, signed, hashlib.sha256).hexdigest()

    assert HEADER == "moderation_signature"
    assert SIGNER.sign(CLAIM, 1_763_632_801.0, COMMITTED).decode() == f"v1 new 1763632801000 5 1763632799000 {mac}"
