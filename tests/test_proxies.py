"""Which proxy each URL is called through. Pure."""

from collections.abc import Mapping

import pytest

from consumer.config.loading import load_config
from consumer.errors import Misconfigured
from consumer.proxies import NONE, BadProxy, Proxies, read_proxy

PROVIDER = "https://green-cip.ap-southeast-1.aliyuncs.com/"


def shown(environment: Mapping[str, str], url: str = PROVIDER, chosen: str | None = None) -> str | None:
    proxy = Proxies.of(environment, chosen).proxy_for(url)
    return None if proxy is None else proxy.url


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, PROVIDER, None),
        ({"HTTPS_PROXY": "http://p:1"}, PROVIDER, "http://p:1"),
        ({"https_proxy": "http://p:1"}, PROVIDER, "http://p:1"),
        ({"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"}, PROVIDER, "http://p:1"),
        ({"https_proxy": "", "HTTPS_PROXY": "http://q:1"}, PROVIDER, None),
        ({"HTTPS_PROXY": "http://p:1"}, "http://host/", None),
        ({"HTTP_PROXY": "http://p:1"}, "http://host/", "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, PROVIDER, None),
        ({"ALL_PROXY": "http://p:1"}, "http://host/", "http://p:1"),
        ({"all_proxy": "http://p:1"}, PROVIDER, "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "HTTPS_PROXY": "http://q:1"}, PROVIDER, "http://q:1"),
        ({"ALL_PROXY": "socks5://p:1", "HTTPS_PROXY": "http://q:1"}, PROVIDER, "http://q:1"),
        ({"HTTPS_PROXY": "proxy.example.com:3128"}, PROVIDER, "http://proxy.example.com:3128"),
        ({"HTTPS_PROXY": " http://p:1/ "}, PROVIDER, "http://p:1"),
        ({"HTTPS_PROXY": "https://p"}, PROVIDER, "https://p:443"),
        ({"HTTPS_PROXY": "http://[::1]:3128"}, PROVIDER, "http://[::1]:3128"),
    ],
)
def test_the_environment_is_obeyed(environment: Mapping[str, str], url: str, proxy: str | None) -> None:
    """
    By the URL's scheme, else ALL_PROXY; lower case wins, and an empty variable says that there is none.
    """
    assert shown(environment, url) == proxy


@pytest.mark.parametrize(
    ("no_proxy", "host", "exempt"),
    [
        ("*", "host.example.com", True),
        ("host.example.com", "host.example.com", True),
        ("HOST.example.COM", "host.Example.com", True),
        ("example.com", "host.example.com", True),
        (".example.com", "host.example.com", True),
        (".example.com", "example.com", True),
        ("*.example.com", "a.host.example.com", True),
        ("example.com", "notexample.com", False),
        ("ample.com", "example.com", False),
        ("example.com", "example.com.", True),
        ("example.com.", "example.com", True),
        ("other.com, example.com", "example.com", True),
        ("other.com example.com", "example.com", True),
        ("", "example.com", False),
        (",", "example.com", False),
        ("example.com:443", "example.com", True),
        ("example.com:8443", "example.com", False),
        ("example.com:8443", "example.com:8443", True),
        ("*:8443", "example.com:8443", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3/8", "10.9.9.9", True),
        ("10.0.0.0/8", "10.example.com", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.30", False),
        ("10.1.2.3:443", "10.1.2.3", True),
        ("10.1.2.3:80", "10.1.2.3", False),
        ("fd00::/8", "[fd12::1]", True),
        ("::1", "[::1]", True),
        ("[::1]:443", "[::1]", True),
        ("[::1]:80", "[::1]", False),
        ("10.0.0.0/8", "[::ffff:10.1.2.3]", True),
        ("10.0.0.0/8", "[fd12::1]", False),
        ("10.0.0.0/99", "10.1.2.3", False),
        ("https://example.com", "example.com", True),
        ("localhost", "localhost", True),
        ("localhost", "127.0.0.1", False),
    ],
)
def test_who_is_exempt(no_proxy: str, host: str, exempt: bool) -> None:
    """
    Hosts with all below them, addresses, networks, ports and everything.
    """
    assert (shown({"HTTPS_PROXY": "http://p:1", "NO_PROXY": no_proxy}, f"https://{host}/") is None) is exempt


def test_what_is_chosen_wins_over_the_environment() -> None:
    """
    `provider.proxy` is for every region, whatever the variables say; `none` is no proxy.
    """
    environment = {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}

    assert shown(environment, chosen="http://chosen:1") == "http://chosen:1"
    assert shown({"HTTPS_PROXY": "http://p:1"}, chosen=NONE) is None


def test_user_and_password_are_kept_apart() -> None:
    """
    They are decoded, and no text of the proxy has them but the one for clients that take no other.
    """
    proxy = read_proxy("http://ada:p%40ss%2F%C3%A9@proxy:3128", "HTTPS_PROXY")

    assert (proxy.user, proxy.password, proxy.url) == ("ada", "p@ss/é", "http://proxy:3128")
    assert proxy.url_with_user == "http://ada:p%40ss%2F%C3%A9@proxy:3128"
    assert "ada" not in repr(proxy)
    assert "ss" not in repr(Proxies.of({"HTTPS_PROXY": "http://ada:pass@proxy:3128"}))


BAD = [
    "socks5://user:canary@proxy:1080", "ftp://canary:canary@proxy", "http://", "http://canary:canary@", "://canary",
    "http://canary@proxy:port", "http://[canary", "http://proxy:99999/canary", "http://canary proxy:1",
    "http://can\nary@proxy", "http://a%3Acanary:x@proxy",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_proxy_is_refused_without_being_shown(text: str) -> None:
    """
    In the environment where it would be used, in the configuration at once; it may hold a password.
    """
    with pytest.raises(BadProxy) as bad:
        Proxies.of({"HTTPS_PROXY": text}).proxy_for(PROVIDER)
    with pytest.raises(Misconfigured) as misconfigured:
        load_config(None, {"MODERATION__PROVIDER__PROXY": text})

    assert str(bad.value).startswith("HTTPS_PROXY: ")
    assert "MODERATION__PROVIDER__PROXY: " in str(misconfigured.value)
    assert "canary" not in str(bad.value) + str(misconfigured.value)


@pytest.mark.parametrize("text", ["", "null", "~"])
def test_an_empty_setting_is_none_given(text: str) -> None:
    """
    As charts and scripts write it.
    """
    assert load_config(None, {"MODERATION__PROVIDER__PROXY": text}).provider.proxy is None
