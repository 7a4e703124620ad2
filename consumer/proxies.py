"""
Through which proxy a URL is called: values only, from a setting and the environment.

Every client that this service opens gets its proxy from here, and none reads the environment by itself:
they differ in what they take from it, and one of them would also read ~/.netrc.

    provider.proxy ──► HTTPS_PROXY or HTTP_PROXY, by the URL's scheme ──► ALL_PROXY        NO_PROXY: exempt hosts

Names in lower case win over those in upper case. A proxy is `http://` or `https://`, which says how it is spoken to
itself. User and password are kept apart from its URL, which may be shown.
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self
from urllib.parse import SplitResult, quote, unquote, urlsplit

PORTS = {"http": 80, "https": 443}
SETTING = "provider.proxy"
NONE = "none"  # of the setting: no proxy, whatever the environment says

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class BadProxy(ValueError):
    """What was given is no proxy that can be used."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and the user and password for it."""

    url: str  # scheme, host and port, and no user
    host: str
    port: int
    named_by: str  # a setting or a variable
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def url_with_user(self) -> str:
        """The URL with user and password, for a client that takes no other. Never shown."""
        if not self.is_told_who_we_are:
            return self.url
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{quote(self.user, safe='')}:{quote(self.password, safe='')}@{rest}"

    @property
    def headers(self) -> dict[str, str]:
        """What it must be sent: with CONNECT, or with a request that it passes on in clear text."""
        if not self.is_told_who_we_are:
            return {}
        return {"Proxy-Authorization": f"Basic {b64encode(f'{self.user}:{self.password}'.encode()).decode()}"}

    @property
    def is_told_who_we_are(self) -> bool:
        """Whether there is a user or a password."""
        return bool(self.user or self.password)


def read_proxy(text: str, named_by: str) -> Proxy:
    """
    Read `scheme://user:password@host:port`; without a scheme it is `http://`, without a port the scheme's own.

    `ValueError` escapes where it is none, and holds nothing of the text.
    """
    url = _split(text if "://" in text else f"http://{text}")
    if url is None or not url.hostname or not text.isprintable() or " " in text:
        raise ValueError("must be the URL of a proxy, such as http://proxy.example.com:3128")
    if url.scheme not in PORTS:
        raise ValueError("must begin with http:// or https://: other kinds of proxy, such as SOCKS, are not supported")
    user, password = unquote(url.username or ""), unquote(url.password or "")
    if ":" in user:
        raise ValueError("has a colon in the user's name, which HTTP does not allow")
    port = url.port or PORTS[url.scheme]
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return Proxy(f"{url.scheme}://{host}:{port}", url.hostname, port, named_by, user, password)


@dataclass(frozen=True, slots=True)
class Exempt:
    """One entry of NO_PROXY."""

    host: str  # in lower case; empty where it is a network, `*` for all
    network: Network | None
    port: int | None

    def covers(self, host: str, port: int) -> bool:
        """Whether a host, in lower case and without the dot at its end, is called without a proxy."""
        if self.port not in (None, port):
            return False
        if self.network is not None:
            address = _address(host)
            return address is not None and address.version == self.network.version and address in self.network
        return self.host == "*" or host == self.host or host.endswith(f".{self.host}")


def read_exempt(text: str) -> tuple[Exempt, ...]:
    """
    Read NO_PROXY: entries between commas or blanks, each with `:port` where it is for that port only.

    `example.com`, `.example.com` and `*.example.com` are the host and all below it; addresses and networks such as
    `10.0.0.0/8` are compared with hosts that are addresses; `*` is everything.
    """
    return tuple(_exempt(entry) for entry in text.replace(",", " ").lower().split())


@dataclass(frozen=True, slots=True)
class Proxies:
    """Which proxy each URL is called through."""

    chosen: str | None = field(default=None, repr=False)  # by the setting, for every URL
    by_scheme: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)  # variable and value
    exempt: tuple[Exempt, ...] = ()

    @classmethod
    def of(cls, environment: Mapping[str, str], chosen: str | None = None) -> Self:
        """`chosen` is the setting: a proxy for every URL, `none`, or None for what the environment says."""
        everything = _variable(environment, "all_proxy")
        found = {scheme: _variable(environment, f"{scheme}_proxy") or everything for scheme in PORTS}
        exempt = _variable(environment, "no_proxy")
        return cls(
            chosen,
            {scheme: named for scheme, named in found.items() if named is not None},
            read_exempt(exempt[1]) if exempt else (),
        )

    def proxy_for(self, url: str) -> Proxy | None:
        """
        Return what to call a URL through, or None for the host itself. NO_PROXY does not apply to a chosen one.

        Raises:
            BadProxy: saying where it was given, and nothing of what was.
        """
        if self.chosen is not None:
            return None if self.chosen == NONE else _read(self.chosen, SETTING)
        parts = urlsplit(url)
        named = self.by_scheme.get(parts.scheme)
        if named is None:
            return None
        host = (parts.hostname or "").rstrip(".")
        port = parts.port or PORTS[parts.scheme]
        if any(each.covers(host, port) for each in self.exempt):
            return None
        return _read(named[1], named[0])

    def name_for(self, url: str) -> str | None:
        """Name what to call a URL through, without a user; one that cannot be read is called so. None for no proxy."""
        try:
            proxy = self.proxy_for(url)
        except BadProxy:
            return "that cannot be read"
        return f"{proxy.host}:{proxy.port}" if proxy is not None else None

    def problems(self, urls: Sequence[str]) -> Iterator[str]:
        """Say what keeps some URLs from being called, each thing once."""
        told: set[str] = set()
        for url in urls:
            try:
                self.proxy_for(url)
            except BadProxy as error:
                told.add(str(error))
        yield from sorted(told)


DIRECT = Proxies()
"""No proxy for any URL."""


def _read(text: str, named_by: str) -> Proxy:
    try:
        return read_proxy(text, named_by)
    except ValueError as error:
        raise BadProxy(f"{named_by}: {error}") from None


def _variable(environment: Mapping[str, str], name: str) -> tuple[str, str] | None:
    """A variable's name and value. In lower case it wins, even where it is empty and so says that there is none."""
    for each in (name, name.upper()):
        if each in environment:
            value = environment[each].strip()
            return (each, value) if value else None
    return None


def _split(text: str) -> SplitResult | None:
    try:
        url = urlsplit(text)
        _ = url.port  # raises where it is no number
    except ValueError:
        return None
    return url


def _exempt(entry: str) -> Exempt:
    """An entry that cannot be read matches no host."""
    entry = entry.partition("://")[2] or entry
    network = _network(entry)
    if network is not None:
        return Exempt("", network, None)
    host, _, port = entry.rpartition(":")
    if not port.isdecimal() or not host:
        host, port = entry, ""
    network = _network(host.removeprefix("[").removesuffix("]"))
    name = host if host == "*" else host.removeprefix("*").strip(".")
    return Exempt("" if network else name, network, int(port) if port else None)


def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _address(host: str) -> Address | None:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
