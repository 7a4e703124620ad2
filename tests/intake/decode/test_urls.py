"""What counts as a URL that the provider can download from."""

from urllib.parse import quote_plus, unquote, urlsplit

import httpx
import pytest
import yarl
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.errors import Undecodable
from consumer.intake.decode.urls import MAX_URL, decoded_key, encoded_key, is_raw_key, web_url
from consumer.urls import shown_url
from tests.rig.speed import is_quick, repeated

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
        "http:/x",
        "http:x",
        "http://[1:2:3]/a.jpg",
        "http://[v1.x]/",
        "http://[::1%25eth0]/",
        "http://[::1]x/",
        "http://user:s3cr3t／x@img.example/a.jpg",
        "http://user:s3cr3t＠img.example/a.jpg",
        "http://img.example／.evil.example/",
        "http://ｉmg.example/",
        "http://img.example：80/",
        "http://img.example℀/",
        "http://us er@img.example/",
        "http://us%zzer@img.example/",
        "http://@img.example/",
        "http://img.example:0/",
        "http://img.example:65536/",
        "http://img.example:-1/",
        "http://img.example:٣/",
        "http://img.example/a\\..\\b",
        "http://img.example\\a/",
        "http://img..example/",
        "http://.img.example/",
        "http://" + "a" * 64 + ".example/",
        "http://" + "a." * 127 + "example/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://999.1.1.1/",
        "http://01.2.3.4/",
        "http://1.2.3.4.5/",
        "http://xn--/",
        "http://xn--zz--.example/",
        "http://a.xn--zz--.example/",
        "http://%69mg.example/",
        "http://img.example%2f.evil.example/",
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
        "images[2].url: has a host that is no name and no address",
        "images[2].url: has a port outside of 1 to 65535",
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
        assert any(character <= " " or "\x7f" <= character <= "\x9f" or character == "\\" for character in url)
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


def accepted(url: str) -> str | None:
    """What is sent of a URL, or None where it is refused."""
    try:
        return web_url(url, "url")
    except Undecodable:
        return None


AUTHORITIES = st.lists(
    st.sampled_from(
        ["a", "A1", "img", "example", "user", "s3cr3t", "xn--", "xn--bcher-kva", "xn--zz--", "xn--ls8h", "127", "0x7f",
         "1", "00", "65536", "99999", ".", "..", ":", "@", "[", "]", "::1", "1:2:3", "v1.x", "%", "%41", "%zz", "/",
         "?", "#", "\\", " ", "\t", "\x00", "-", "_", "é", "／", "＠", "：", "℀", "。", "ß", "İ", "\u202e", "+",
         ";", "&", "a" * 64]
    ),
    max_size=8,
).map("".join)  # fmt: skip


@settings(max_examples=3_000)
@given(scheme=st.sampled_from(["http://", "HTTPS://", "http:/", "http:", "//", ""]), rest=AUTHORITIES, tail=TEXT)
def test_every_reader_of_an_accepted_url_finds_the_same_host(scheme: str, rest: str, tail: str) -> None:
    """
    What one of them refuses, or where two of them would look at different hosts, is a dead letter. So nothing that
    comes later can raise over a URL, and nothing of its user part is shown.
    """
    url = f"{scheme}{rest}/{tail}"
    sent = accepted(url)
    if sent is None:
        return

    parts, by_httpx, by_yarl = urlsplit(sent), httpx.URL(sent), yarl.URL(sent)
    assert parts.hostname is not None
    host = parts.hostname
    assert by_httpx.raw_host.decode() == host
    assert by_yarl.raw_host is not None
    assert by_httpx.host
    assert by_yarl.host
    if ":" not in host:  # addresses of IPv6 may be written in several ways
        assert by_yarl.raw_host == host
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    assert by_yarl.port == port
    assert (by_httpx.port or port) == port
    urlsplit(url)  # as the event wrote it, which is what verdicts show
    assert "@" not in shown_url(url).split("/")[2]
    assert "s3cr3t@" not in shown_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://xn--bcher-kva.example/a",
        "https://r3---sn-x.example/a",
        "https://example.com:00443/a",
        "https://1.2.3.4.example/a",
        "https://0x.example/a",
        "https://[::ffff:192.0.2.1]/a",
        "https://user@example.com/a",
        "https://:pass@example.com/a",
    ],
)
def test_what_only_looks_odd_is_accepted(url: str) -> None:
    """
    A refusal leaves an image unjudged, so only what readers disagree about is refused.
    """
    assert web_url(url, "url") == url


@pytest.mark.parametrize(
    ("begin", "piece", "end"),
    [
        ("http://", "a", ""),
        ("http://", "a.", ""),
        ("http://", "a@", ""),
        ("http://", "%41", ""),
        ("http://", "a-", "!"),
        ("http://", "1.", ""),
        ("http://", ":", ""),
        ("", "é", ""),
        ("", "/", ""),
        ("", "..%", ""),
    ],
)
def test_a_hostile_megabyte_is_read_in_bounded_time(begin: str, piece: str, end: str) -> None:
    """
    Nothing that looks at URLs or keys takes more than time in proportion to their length.
    """

    def read(hostile: str) -> None:
        for text in (hostile, hostile[:MAX_URL], hostile[: MAX_URL - 1] + "\\"):
            accepted(text)
            shown_url(text)
            is_raw_key(text)
            decoded_key(text)
            encoded_key(text.replace("..", "."), "key")

    assert is_quick(read, lambda size: begin + repeated(piece, size, end), 3.0)
