"""
The objects that live for a while, and the tokens that let one write them.
"""

from hypothesis import given
from hypothesis import strategies as st

from consumer.emulator.store import TemporaryObjects
from consumer.emulator.tokens import MOST_TOKENS, UploadTokens, bucket_of, split_host


def test_an_object_lives_for_its_lifetime() -> None:
    """
    It is there until its time is over, and then it is not.
    """
    objects = TemporaryObjects(lifetime=1800.0, capacity=100)
    objects.put("b", "k", b"data", now=1000.0)

    assert objects.get("b", "k", now=2799.9) == b"data"
    assert objects.get("b", "other", now=1000.0) is None
    assert objects.get("other", "k", now=1000.0) is None
    assert objects.get("b", "k", now=2800.0) is None
    assert (len(objects), objects.size) == (0, 0)


def test_an_object_replaces_the_one_before_it() -> None:
    """
    With its own bytes and a lifetime that begins anew.
    """
    objects = TemporaryObjects(lifetime=10.0, capacity=100)
    objects.put("b", "k", b"first", now=0.0)
    objects.put("b", "k", b"second", now=9.0)

    assert objects.get("b", "k", now=18.0) == b"second"
    assert (len(objects), objects.size) == (1, 6)


def test_the_oldest_go_when_there_is_no_room() -> None:
    """
    Memory is bounded: the newest objects that fit are there.
    """
    objects = TemporaryObjects(lifetime=10.0, capacity=10)
    for name in "abc":
        objects.put("b", name, name.encode() * 4, now=0.0)

    assert [objects.get("b", name, now=0.0) for name in "abc"] == [None, b"bbbb", b"cccc"]


def test_what_nobody_asks_for_goes_too() -> None:
    """
    Objects whose time is over make room when others come.
    """
    objects = TemporaryObjects(lifetime=10.0, capacity=1000)
    for second in range(100):
        objects.put("b", str(second), b"1234", now=float(second))

    assert len(objects) == 10


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 12), st.floats(0, 5)), max_size=40))
def test_the_bytes_are_counted(puts: list[tuple[str, int, float]]) -> None:
    """
    Whatever is put when, the size is that of the objects, and never above the capacity.
    """
    objects = TemporaryObjects(lifetime=10.0, capacity=30)
    now = 0.0
    for name, length, pause in puts:
        now += pause
        objects.put("b", name, bytes(length), now=now)

        kept = [objects.get("b", each, now=now) for each in "abcdef"]
        assert objects.get("b", name, now=now) == bytes(length)
        assert objects.size == sum(len(each) for each in kept if each is not None) <= 30


def test_each_token_is_its_own() -> None:
    """
    Several are valid at once, and none writes where another does.
    """
    tokens = UploadTokens(lifetime=3600.0)
    given = [tokens.hand_out(region, now=1000.5) for region in ("eu-west-1", "eu-west-1", "us-east-1")]

    assert [tokens.find(token.access_key_id) for token in given] == given
    assert [token.bucket for token in given] == [bucket_of(token.region) for token in given]
    assert {token.expiration for token in given} == {4600}
    assert len({token.prefix for token in given}) == len({token.security_token for token in given}) == 3


def test_no_secret_of_a_token_is_shown() -> None:
    """
    A token printed or logged hides its key, its secret and its security token.
    """
    token = UploadTokens(lifetime=3600.0).hand_out("eu-west-1", now=0.0)

    assert not any(
        secret in repr(token) for secret in (token.access_key_id, token.access_key_secret, token.security_token)
    )


def test_the_oldest_tokens_are_forgotten() -> None:
    """
    Memory is bounded, however many are asked for.
    """
    tokens = UploadTokens(lifetime=3600.0)
    first, second = (tokens.hand_out("eu-west-1", now=0.0) for _ in range(2))
    for _ in range(MOST_TOKENS - 1):
        tokens.hand_out("eu-west-1", now=0.0)

    assert tokens.find(first.access_key_id) is None
    assert tokens.find(second.access_key_id) == second


def test_a_host_may_begin_with_a_bucket() -> None:
    """
    Only with one that takes uploads: other names stay as they are.
    """
    bucket = bucket_of("eu-west-1")

    assert split_host(f"{bucket.upper()}.localhost:8090") == (bucket, "localhost:8090")
    assert split_host("127.0.0.1:8090") == ("", "127.0.0.1:8090")
    assert split_host("uploads.example.com") == ("", "uploads.example.com")
