"""What is shown of a URL."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.urls import shown_url


@pytest.mark.parametrize(
    "url, shown, with_query",
    [
        ("https://example.com/a/b.jpg", "https://example.com/a/b.jpg", "https://example.com/a/b.jpg"),
        ("https://example.com/a?sig=s3cr3t#f", "https://example.com/a", "https://example.com/a?sig=s3cr3t#f"),
        ("https://example.com?sig=s3cr3t", "https://example.com", "https://example.com?sig=s3cr3t"),
        ("https://user:pass@example.com:8443/a@b", "https://example.com:8443/a@b", "https://example.com:8443/a@b"),
        ("https://a@b@example.com/", "https://example.com/", "https://example.com/"),
        ("https://example.com/照片.jpg?x", "https://example.com/照片.jpg", "https://example.com/照片.jpg?x"),
        ("https://user@[2001:db8::1]:8080/a", "https://[2001:db8::1]:8080/a", "https://[2001:db8::1]:8080/a"),
        ("http://[1:2:3]/a.jpg", "http://[1:2:3]/a.jpg", "http://[1:2:3]/a.jpg"),
        ("http://user:s3cr3t／x@img.example/a.jpg", "http://img.example/a.jpg", "http://img.example/a.jpg"),
    ],
)
def test_user_part_query_and_fragment_are_not_shown(url: str, shown: str, with_query: str) -> None:
    """
    They are credentials. The query and the fragment stay where the operator asks for them, the user part never.
    """
    assert shown_url(url) == shown
    assert shown_url(url, keep_query=True) == with_query


@given(url=st.text() | st.from_regex(r"https?://[@:/?#\[\]a-c]{0,30}"), keep_query=st.booleans())
def test_showing_never_raises(url: str, keep_query: bool) -> None:
    """
    Whatever the text, something is shown, and none of it is longer than what was there.
    """
    assert len(shown_url(url, keep_query=keep_query)) <= len(url)
