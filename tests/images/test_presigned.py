import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.images.presigned import expiry


@pytest.mark.parametrize(
    ("query", "expires"),
    [
        ("X-Amz-Date=20260102T030405Z&X-Amz-Expires=900&X-Amz-Signature=a", 1_767_323_045.0 + 900),
        ("x-oss-date=20260102T030405Z&x-oss-expires=60&x-oss-signature=a", 1_767_323_045.0 + 60),
        ("OSSAccessKeyId=a&Expires=1767323045&Signature=b", 1_767_323_045.0),
        ("AWSAccessKeyId=a&Expires=1767323045&Signature=b", 1_767_323_045.0),
        ("Expires=1767323045", None),
        ("Expires=soon&Signature=b", None),
        ("X-Amz-Date=yesterday&X-Amz-Expires=900", None),
        ("X-Amz-Date=20260102T030405Z&X-Amz-Expires=much", None),
        ("size=large", None),
        ("", None),
    ],
)
def test_a_presigned_url_says_when_it_ends(query: str, expires: float | None) -> None:
    """
    S3's and OSS's signers each have their words for it; any other query says nothing.
    """
    assert expiry(f"https://ugc.example.com/a.jpg?{query}") == expires


@given(st.text(max_size=80))
def test_any_query_can_be_looked_at(query: str) -> None:
    """
    Whatever stands in a query, looking at it ends in a number or in nothing.
    """
    assert expiry(f"https://ugc.example.com/a.jpg?{query}") is None or query
