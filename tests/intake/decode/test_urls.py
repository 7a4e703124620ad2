"""What counts as a URL that the provider can download from."""

from urllib.parse import quote_plus, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.errors import Undecodable
from consumer.intake.decode.urls import decoded_key, encoded_key, web_url

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "HTTPS://Example.COM/A",
        "https://example.com?x",
        "https://example.com#x",
        "https://example.com:8443/a",
        "https://example.com:/a",
        "https://user:pa%20ss@example.com/a",
        "https://192.0.2.1/a",
        "https://[2001:db8::1]:8080/a",
        "https://my_bucket.example.com./a",
        "https://example.com/a?x={y}|z&sig=a%2Fb==",
        "https://example.com/@me",
    ],
)
def test_a_web_url_in_ascii_stays_as_it_is(url: str) -> None:
    """
    Nothing is normalised: a signature covers the URL's very characters.
    """
    assert web_url(url, "url") == url


@pytest.mark.parametrize(
    "url",
    [
        "example.com/a",
        "//example.com/a",
        "ftp://example.com/a",
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
        "https:/example.com/a",
        "https://",
        "https:///a",
        "https://?a",
        "https://@/a",
        "https://user@",
        "https://:443/a",
        "https://example.com:port/a",
        "https://example.com:123456/a",
        "https://a@b@example.com/",
        "https://example.com\\@other.example/",
        "https://exa%6dple.com/",
        "https://[::1",
        "https://例子.example/a",
        "https://example.com/a b",
        " https://example.com/",
        "https://example.com/\n",
        "https://example.com/\x00",
        "https://example.com/\x7f",
        "https://example.com/\x85",
        "https://exam\tple.com/",
    ],
)
def test_anything_else_is_refused_without_a_word_of_it(url: str) -> None:
    """
    The detail names the member only: a URL's query is often a credential.
    """
    with pytest.raises(Undecodable) as refusal:
        web_url(url, "images[2].url")

    assert refusal.value.reason == "bad_url"
    assert refusal.value.detail in (
        "images[2].url: holds a space or a control character",
        "images[2].url: must be http or https, with a host in ASCII",
    )


@pytest.mark.parametrize("tail", ["a", "照"])
def test_the_length_is_that_of_what_is_sent(tail: str) -> None:
    """
    Vendor: 2,048 characters. Percent-encoding counts, since that is what the provider gets.
    """
    start = "https://example.com/"
    room = 2048 - len(start)
    most = tail * (room if tail == "a" else room // 9)

    assert len(web_url(start + most, "url")) <= 2048
    with pytest.raises(Undecodable) as refusal:
        web_url(start + most + tail, "url")

    assert refusal.value.reason == "too_long"


@given(path=TEXT, query=TEXT)
def test_percent_encoding_keeps_a_urls_meaning(path: str, query: str) -> None:
    """
    What comes out is ASCII and means the same: every character is there once it is decoded again.
    """
    url = f"https://example.com/{path.replace('%', '')}?{query.replace('%', '')}"

    try:
        sent = web_url(url, "url")
    except Undecodable:
        assert any(character <= " " or "\x7f" <= character <= "\x9f" for character in url)
    else:
        assert sent.isascii()
        assert unquote(sent) == url


@given(key=TEXT.filter(lambda key: key not in ("", ".", "..") and "/" not in key))
def test_a_key_survives_its_url(key: str) -> None:
    """
    The server that decodes the path gets the very key back, whatever its characters.
    """
    sent = web_url(f"https://example.com/{encoded_key(key, 'key')}", "url")

    assert unquote(urlsplit(sent).path) == f"/{key}"


@given(key=TEXT)
def test_a_key_survives_form_encoding(key: str) -> None:
    """
    Whether the slash is encoded, as by MinIO, or kept, as by AWS, the key is read as it is called.
    """
    assert decoded_key(quote_plus(key)) == decoded_key(quote_plus(key, safe="/")) == key
