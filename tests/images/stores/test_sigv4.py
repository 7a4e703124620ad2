"""Signatures of requests to S3, beside those of Amazon's own signer."""

from datetime import UTC, datetime
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from consumer.images.stores import sigv4
from consumer.images.stores.sigv4 import Key
from tests.images.stores.serving import KEY, REGION, is_signed

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(key=TEXTS, version=st.none() | TEXTS)
def test_a_request_is_signed_as_amazons_own_signer_signs_it(key: str, version: str | None) -> None:
    """
    Whatever object and version it asks for.
    """
    path = f"/photos/{sigv4.encoded(key)}"
    query = sigv4.query({} if version is None else {"versionId": version})

    headers = sigv4.signed(
        "GET", "minio.example.com:9000", path, query, {"if-match": '"e"'}, key=KEY, region=REGION, now=NOW
    )

    assert is_signed("GET", f"https://minio.example.com:9000{path}" + (f"?{query}" if query else ""), headers)


def test_another_key_signs_otherwise() -> None:
    """
    So that the comparison above means something.
    """
    headers = sigv4.signed("GET", "h", "/b/k", "", {}, key=Key("AKIDEXAMPLE", "x"), region=REGION, now=NOW)

    assert not is_signed("GET", "https://h/b/k", headers)


@given(key=TEXTS)
def test_an_encoded_key_is_the_key_again_once_it_is_decoded(key: str) -> None:
    """
    Byte for byte, in ASCII, and without what would end a path.
    """
    path = sigv4.encoded(key)

    assert unquote(path) == key
    assert path.isascii()
    assert not set("?#+& ") & set(path)
