"""What a URL asks for: read once, in one form, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from consumer.images.addresses import NOTHING, Allowed
from consumer.images.errors import NotFetched
from consumer.images.targets import MOST_REDIRECTS, Target, redirected, target

HERE = Allowed(networks=("127.0.0.0/8", "::1/128"))


def code_of(url: str, allowed: Allowed = NOTHING) -> str:
    """Why a URL is refused."""
    with pytest.raises(NotFetched) as refused:
        target(url, allowed)
    assert not refused.value.again
    return refused.value.code


def code_of_redirect(asked: str, location: str, hops: int = 0) -> str:
    """Why a redirect is not followed."""
    with pytest.raises(NotFetched) as refused:
        redirected(target(asked), location, hops)
    assert not refused.value.again
    return refused.value.code


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://example.com/a.png?x=1#part", "https://example.com/a.png?x=1"),
        ("HTTP://EXAMPLE.com:80", "http://example.com/"),
        ("http://example.com:8080?x", "http://example.com:8080/?x"),
        ("https://example.com:/a", "https://example.com/a"),
        ("https://example.com:00443/a", "https://example.com/a"),
        ("https://bucket_1.example.com./a", "https://bucket_1.example.com./a"),
        ("https://[2606:4700:0::1111]/", "https://[2606:4700::1111]/"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://134744072/", "https://8.8.8.8/"),
        ("https://bücher.example/ä b.png?é", "https://xn--bcher-kva.example/%C3%A4%20b.png?%C3%A9"),
        ("https://ｅｘａｍｐｌｅ。com/", "https://example.com/"),
        ("https://example.com/%2e%2E/a%", "https://example.com/%2e%2E/a%"),
        ("https://example.com/a@b:c//d", "https://example.com/a@b:c//d"),
    ],
)
def test_a_url_is_read(url: str, read: str) -> None:
    """
    The host in one form, the path as it is.
    """
    assert target(url).url == read


def test_a_port_may_be_any() -> None:
    """
    The scheme's is not shown.
    """
    assert target("http://example.com:443/") == Target("http", "example.com", 443, "/")
    assert target("http://example.com:443/").origin == "http://example.com:443"
    assert target("https://example.com:443/").origin == "https://example.com"


@pytest.mark.parametrize(
    "url", ["ftp://example.com/a", "file:///etc/passwd", "gopher://example.com/_x", "data://x", "wss://example.com/"]
)
def test_other_schemes_are_refused(url: str) -> None:
    """
    Whatever a reader of URLs would make of them.
    """
    assert code_of(url) == "scheme"


@pytest.mark.parametrize(
    "url",
    ["", "example.com", "//example.com/", "http:/example.com", "http:example.com", "javascript:x", "data:,x",
     " http://example.com/", "http://example.com/\n", "http://exam\tple.com/", "http://example.com\\@evil.example/",
     "http://example.com/\x00", "http://example.com/" + "a" * 8_192, "http://example.com/\ud800"],
)  # fmt: skip
def test_what_is_no_url_is_refused(url: str) -> None:
    """
    With control characters and backslashes too, of which readers make different things.
    """
    assert code_of(url) == "url"


@pytest.mark.parametrize(
    "url",
    ["http://user@example.com/", "http://user:password@example.com/", "http://@example.com/",
     "http://example.com@127.0.0.1/", "http://example.com:80@127.0.0.1/", "http://a@b@example.com/"],
)  # fmt: skip
def test_a_user_is_refused(url: str) -> None:
    """
    One reader's user is another's host; and a password is none of ours.
    """
    assert code_of(url) == "userinfo"


@pytest.mark.parametrize(
    "url",
    ["http:///a", "http://:80/", "http://a..example/", "http://exa%6dple.com/", "http://[::1", "http://[v1.a]/",
     "http://[1.2.3.4]/", "http://::1/", "http://1.2.3.4.5/", "http://256.1.1.1/", "http://08.1.1.1/", "http://a.1/",
     "http://example.0x7f/", "http://4294967296/", "http://a b/", "http://a＠b/", "http://ℂ℅.example/",
     f"http://{'a' * 64}.example/", f"http://{'a.' * 127}example/", "http://[fe80::1%]x/", "http://-ä.example/"],
)  # fmt: skip
def test_hosts_that_readers_disagree_about_are_refused(url: str) -> None:
    """
    Escapes, empty labels, what ends like an address and is none.
    """
    assert code_of(url) == "host"


@pytest.mark.parametrize(
    "url", ["http://example.com:0/", "http://example.com:65536/", "http://example.com:x/", "http://example.com:-1/",
            "http://example.com:123456/", "http://example.com:８０/", "http://[2606::1]:0/"],
)  # fmt: skip
def test_bad_ports_are_refused(url: str) -> None:
    """
    0, too large ones and what is no number.
    """
    assert code_of(url) == "port"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7F.1", "017700000001", "0177.0.0.1", "127.0.0.1.",
     "１２７.0.0.1", "127。0。0。1", "①②⑦.0.0.1", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
     "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "0", "0.0.0.0", "[::]", "localhost", "LOCALHOST.",
     "a.localhost", "ｌｏｃａｌｈｏｓｔ", "10.0.0.1", "192.168.0.1", "169.254.169.254", "0xa9fea9fe", "2852039166",
     "metadata.google.internal", "100.100.100.200", "[fd00:ec2::254]"],
)  # fmt: skip
def test_addresses_are_refused_however_they_are_written(host: str) -> None:
    """
    Loopback, private and metadata: as numbers of any base, in IPv6, in other scripts, and names that are one.
    """
    assert code_of(f"http://{host}/") == "address_refused"
    assert code_of(f"https://{host}:8080/a") == "address_refused"


def test_an_address_with_a_zone_is_refused() -> None:
    """
    It is of a link of this machine, and written in ways of which only some are read.
    """
    assert code_of("http://[fe80::1%25eth0]/") == "address_refused"
    assert code_of("http://[2606::1%eth0]/") == "address_refused"


def test_what_is_allowed_is_read() -> None:
    """
    By network, by name; metadata by its own address.
    """
    assert target("http://127.1:80/", HERE).url == "http://127.0.0.1/"
    assert target("http://localhost:90/", HERE).url == "http://localhost:90/"
    assert target("http://[::1]/", HERE).url == "http://[::1]/"
    assert target("http://a.localhost/", Allowed(hosts=("*.localhost",))).host == "a.localhost"
    assert code_of("http://10.0.0.1/", HERE) == "address_refused"
    assert code_of("http://metadata.goog/", Allowed(hosts=("metadata.goog",))) == "address_refused"


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/b?c=d", "https://example.com/b?c=d"),
        ("b", "https://example.com/a/b"),
        ("?x", "https://example.com/a/a.png?x"),
        ("//other.example/b", "https://other.example/b"),
        ("https://other.example:8443/b", "https://other.example:8443/b"),
        (" /b c ", "https://example.com/b%20c"),
        ("/\udcc3\udca4", "https://example.com/%C3%A4"),  # bytes, as aiohttp gives them
    ],
)
def test_a_redirect_is_joined(location: str, url: str) -> None:
    """
    With what was asked for.
    """
    assert redirected(target("https://example.com/a/a.png?secret"), location, 0).url == url


def test_a_redirect_is_judged_like_what_was_asked_for() -> None:
    """
    Nothing is forgiven to those who get a URL through that is harmless.
    """
    here = "https://example.com/"

    assert code_of_redirect(here, "http://127.0.0.1/") == "address_refused"
    assert code_of_redirect(here, "//2130706433/") == "address_refused"
    assert code_of_redirect(here, "file:///etc/passwd") == "scheme"
    assert code_of_redirect(here, "data:image/png,x") == "url"
    assert code_of_redirect(here, "//user@example.com/") == "userinfo"
    assert code_of_redirect(here, "\\\\127.0.0.1/") == "url"
    assert code_of_redirect(here, "//[/") == "url"
    assert code_of_redirect(here, "/\r\nHost: x") == "url"


def test_a_redirect_from_https_to_http_is_refused() -> None:
    """
    What comes then could be anybody's; the other way is fine.
    """
    assert code_of_redirect("https://example.com/", "http://example.com/") == "redirect_downgrade"
    assert redirected(target("http://example.com/"), "https://example.com/", 0).scheme == "https"


def test_redirects_end() -> None:
    """
    After three.
    """
    asked = target("https://example.com/")

    assert redirected(asked, "/b", MOST_REDIRECTS - 1).path == "/b"
    assert code_of_redirect("https://example.com/", "/b", MOST_REDIRECTS) == "redirect_limit"


def test_nothing_secret_is_shown() -> None:
    """
    Neither by what was read, nor by why it was not.
    """
    shown = repr(target("https://example.com/a?canary"))
    for url in ("https://canary@example.com/", "https://127.0.0.1/?canary", "canary://a", "https://a:canary/"):
        with pytest.raises(NotFetched) as refused:
            target(url)
        shown += str(refused.value) + refused.value.detail

    assert "canary" not in shown


HOSTS = st.text(alphabet="0123456789abcdefxX.:[]%@/\\?#１。ａ-_ \t", max_size=30)


@given(HOSTS | st.text(max_size=40))
def test_what_is_read_is_what_is_called(text: str) -> None:
    """
    Any host: it is refused, or the client reads the same host and port of the URL that it is given, and so do we.
    """
    try:
        read = target(f"http://{text}/a")
    except NotFetched:
        return
    url = URL(read.url, encoded=True)

    assert (url.scheme, url.raw_host, url.port) == (read.scheme, read.host, read.port)
    assert target(read.url) == read


@given(st.text(max_size=60))
def test_any_redirect_is_read_or_refused(location: str) -> None:
    """
    Nothing else is raised.
    """
    try:
        led = redirected(target("https://example.com/a"), location, 0)
    except NotFetched:
        return

    assert led.url.isascii()
