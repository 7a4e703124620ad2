"""
What a URL that a stranger chose asks for, read once: the host that is judged is the host that is called. Pure.

Whatever readers of URLs disagree about is refused or brought into the one form that they all read alike: addresses
such as 2130706433, 0x7f.1 and 127.1 become 127.0.0.1, names of other scripts what DNS has of them.
"""

import re
import socket
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import quote, urljoin

import idna

from consumer.images.addresses import NOTHING, Allowed
from consumer.images.errors import NotFetched
from consumer.loopback import is_loopback

MOST_REDIRECTS = 3
MAX_URL = 8_192  # characters; presigned ones that are redirected to have a few thousand
MAX_HOST = 253  # characters, by DNS

_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^#]*)(?:#.*)?")
_AUTHORITY = re.compile(r"(?:\[(?P<ipv6>[^\[\]@]*)\]|(?P<name>[^\[\]:@]+))(?::(?P<port>[0-9]{0,5}))?")
_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")
# A host whose last label is a number is an IPv4 address to some readers, whatever stands before it.
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")  # a backslash is a slash to browsers
_VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
# Names that are an address whatever DNS says: what resolves them may be a proxy.
_MACHINES = {"metadata.google.internal": "169.254.169.254", "metadata.goog": "169.254.169.254"}


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask for what."""

    scheme: str
    host: str  # a name in ASCII or an address, without brackets
    port: int
    path: str = field(repr=False)  # and the query, which may be a credential

    @property
    def origin(self) -> str:
        """Scheme, host and port, as they are shown."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port != _PORTS[self.scheme] else "")

    @property
    def url(self) -> str:
        """The whole URL."""
        return self.origin + self.path


def target(url: str, allowed: Allowed = NOTHING) -> Target:
    """
    Read a URL. What it says of an address is checked here; to what a name resolves is not known yet.

    Raises:
        NotFetched: `url`, `scheme`, `userinfo`, `host`, `port` or `address_refused`.
    """
    found = _URL.fullmatch(_readable(url))
    if found is None:
        raise NotFetched("url", detail="is none, or not whole")
    scheme = found["scheme"].lower()
    if scheme not in _PORTS:
        raise NotFetched("scheme", detail="is neither http nor https")
    host, port = _authority(found["authority"])
    path = found["path"] if found["path"].startswith("/") else f"/{found['path']}"
    read = Target(scheme, host, _port(port, scheme), _encoded(path))
    _check(read, allowed)
    return read


def redirected(asked: Target, location: str, hops: int, allowed: Allowed = NOTHING) -> Target:
    """
    Read where an answer leads to, once `hops` redirects were followed.

    Raises:
        NotFetched: `redirect_limit`, `redirect_downgrade`, or what a URL is refused for.
    """
    if hops >= MOST_REDIRECTS:
        raise NotFetched("redirect_limit", detail=f"more than {MOST_REDIRECTS}")
    try:
        url = urljoin(asked.url, _readable(location.strip(" ")))
    except ValueError:
        raise NotFetched("url", detail="a redirect leads to none") from None
    led = target(url, allowed)
    if (asked.scheme, led.scheme) == ("https", "http"):
        raise NotFetched("redirect_downgrade", detail=f"from {asked.origin} to {led.origin}")
    return led


def _readable(url: str) -> str:
    if len(url) > MAX_URL:
        raise NotFetched("url", detail=f"longer than {MAX_URL:,} characters")
    if _FORBIDDEN.search(url):
        raise NotFetched("url", detail="holds a control character or a backslash")
    return url


def _authority(text: str) -> tuple[str, str | None]:
    """The host in its one form, and the port as it is written."""
    if "@" in text:
        raise NotFetched("userinfo", detail="names a user")
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        raise NotFetched("port" if _is_bad_port(text) else "host", detail="cannot be read")
    name: str | None = found["name"]
    return _name(name) if name is not None else _ipv6(found["ipv6"]), found["port"]


def _is_bad_port(text: str) -> bool:
    host, colon, _ = text.rpartition(":")
    return bool(colon) and _AUTHORITY.fullmatch(host) is not None


def _port(text: str | None, scheme: str) -> int:
    port = int(text) if text else _PORTS[scheme]
    if not 0 < port < 65_536:
        raise NotFetched("port", detail="is outside of 1 to 65535")
    return port


def _ipv6(text: str) -> str:
    try:
        return str(IPv6Address(text))
    except AddressValueError:
        raise NotFetched("host", detail="is no address") from None


def _name(text: str) -> str:
    name = _in_ascii(text).lower()
    if _NAME.fullmatch(name) is None or len(name) > MAX_HOST + name.endswith("."):
        raise NotFetched("host", detail="is no name and no address")
    return _ipv4(name.removesuffix(".")) if _NUMBER.fullmatch(name) else name


def _in_ascii(text: str) -> str:
    """Names of other scripts, and ASCII in other forms such as full width."""
    if text.isascii():
        return text
    try:
        mapped = idna.uts46_remap(text)
        return mapped if mapped.isascii() else idna.encode(mapped).decode()
    except (idna.IDNAError, UnicodeError):
        raise NotFetched("host", detail="is no name of a host") from None


def _ipv4(text: str) -> str:
    """Read an address as the system does, which takes 127.1, 0x7f000001, 017700000001 and 2130706433."""
    try:
        return str(IPv4Address(socket.inet_aton(text)))
    except OSError:
        raise NotFetched("host", detail="is no address, and ends like one") from None


def _encoded(path: str) -> str:
    """Encode what is not visible ASCII; what is encoded already stays as it is."""
    try:
        return quote(path, safe=_VISIBLE, errors="surrogateescape")
    except UnicodeEncodeError:
        raise NotFetched("url", detail="holds half a character") from None


def _check(read: Target, allowed: Allowed) -> None:
    address = _said_address(read.host)
    word = allowed.refusal(address, read.host) if address else None
    if word:
        raise NotFetched("address_refused", detail=f"{read.host}: {word}")


def _said_address(host: str) -> str | None:
    """The address that a host is without being looked up."""
    name = host.rstrip(".")
    if ":" in host or _NUMBER.fullmatch(name):
        return host
    return "127.0.0.1" if is_loopback(name) else _MACHINES.get(name)
