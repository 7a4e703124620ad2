import contextlib
import gzip
import zlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consumer.http.content import MOST_BYTES, Unreadable, most_bytes, unpacked

ANSWER = b'{"Code":200,"Data":{"RiskLevel":"none"}}'
GZIPPED = gzip.compress(ANSWER, mtime=0)  # of no time: it stands in the tests' names, which two processes compare
RAW_DEFLATE = zlib.compress(ANSWER)[2:-4]


def why(body: bytes, encoding: str) -> str:
    with pytest.raises(Unreadable) as refused:
        unpacked(body, encoding)
    return refused.value.why


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (ANSWER, ""), (ANSWER, "identity"), (GZIPPED, "gzip"), (GZIPPED, " X-GZip "),
        (zlib.compress(ANSWER), "deflate"), (zlib.compress(ANSWER, 0), "DEFLATE"), (RAW_DEFLATE, "deflate"),
    ],
)  # fmt: skip
def test_what_servers_send_is_unpacked(body: bytes, encoding: str) -> None:
    """
    gzip by both names, and deflate with and without its frame, without regard to case.
    """
    assert unpacked(body, encoding) == ANSWER


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (ANSWER, "gzip"), (b"", "gzip"), (b"", "deflate"), (b"x", "deflate"), (GZIPPED[:-1], "gzip"),
        (GZIPPED[:-9], "gzip"), (GZIPPED + b"junk", "gzip"), (RAW_DEFLATE[:-3], "deflate"),
        (zlib.compress(ANSWER)[:-1], "deflate"), (GZIPPED, "deflate"), (zlib.compress(ANSWER), "gzip"),
        (gzip.compress(GZIPPED, mtime=0), "gzip, gzip"), (ANSWER, "br"), (ANSWER, "zstd"), (ANSWER, "gzip;q=1"),
        (ANSWER, "\xff"), (ANSWER, "identity, identity"), (ANSWER, ","),
    ],
)  # fmt: skip
def test_what_is_not_whole_or_of_another_encoding_is_refused(body: bytes, encoding: str) -> None:
    """
    A part of an answer may lack the very label that counts, and an unknown encoding says nothing at all.
    """
    assert why(body, encoding) == "content_encoding"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_unpacking_ends_at_its_bound(encoding: str) -> None:
    """
    The last byte that fits is taken, the next is not, and of 300 MB no more than the bound is ever unpacked.
    """
    pack = gzip.compress if encoding == "gzip" else zlib.compress

    assert len(unpacked(pack(b" " * MOST_BYTES), encoding)) == MOST_BYTES
    assert why(pack(b" " * (MOST_BYTES + 1)), encoding) == "too_large"
    assert why(pack(bytes(300_000_000), 1), encoding) == "too_large"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_an_answer_about_more_images_may_be_longer(encoding: str) -> None:
    """
    A hundred images have all that one may have, each.
    """
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    most = most_bytes(100)

    assert (most_bytes(1), most >= 100 * 100_000) == (MOST_BYTES, True)
    assert len(unpacked(pack(b" " * most), encoding, most)) == most
    with pytest.raises(Unreadable, match="too_large"):
        unpacked(pack(b" " * (most + 1)), encoding, most)


@settings(max_examples=300)
@given(
    st.binary(max_size=200) | st.binary(max_size=200).map(gzip.compress) | st.binary(max_size=200).map(zlib.compress),
    st.sampled_from(["", "identity", "gzip", "x-gzip", "deflate"]) | st.text(max_size=10),
    st.integers(0, 220),
    st.integers(0, 255),
)
@example(GZIPPED, "gzip", 3, 0xFF)
def test_any_bytes_are_unpacked_or_refused(body: bytes, encoding: str, partition: int, change: int) -> None:
    """
    A byte changed anywhere, in any encoding, leads to a body or to a reason, and to no other exception.
    """
    garbled = bytearray(body)
    if partition < len(garbled):
        garbled[partition] ^= change
    with contextlib.suppress(Unreadable):
        assert len(unpacked(bytes(garbled), encoding)) <= MOST_BYTES
