"""
Addresses that no image is fetched from, because a stranger chose them: those of this machine, of private networks and
of what clouds tell a machine about itself, in each form that IPv6 has for them. Pure.

The words are ours: `private`, `loopback` and so on. What is not known to be public is refused: of IPv6 only 2000::/3
is in use.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

METADATA = "metadata"
NO_ADDRESS = "no_address"
ZONE = "zone"  # of a link: `fe80::1%eth0`

# What a machine asks about itself, credentials included: AWS, GCP, Azure and others; containers and pods of AWS;
# Alibaba Cloud; the wire server of Azure, which is of a public range; Oracle.
_METADATA = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "168.63.129.16", "192.0.0.192",
            "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
        ),
    )
)  # fmt: skip

# IANA's registries of special-purpose addresses, IPv4 and IPv6, 2025; the first that fits counts.
_SPECIAL = tuple(
    (ip_network(network), word)
    for network, word in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link_local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("255.255.255.255/32", "broadcast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("64:ff9b:1::/48", "translated"),
        ("2001:2::/48", "benchmarking"),
        ("2001:db8::/32", "documentation"),
        ("2001::/23", "reserved"),
        ("3fff::/20", "documentation"),
        ("fc00::/7", "unique_local"),
        ("fe80::/10", "link_local"),
        ("fec0::/10", "site_local"),
        ("ff00::/8", "multicast"),
    )
)
_IN_USE = IPv6Network("2000::/3")
# NAT64: RFC 6052, and the part of RFC 8215's local one in which an address of IPv4 stands at the end.
_TRANSLATED = IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/96")


def why_refused(address: str) -> str | None:
    """Why no image is fetched from an address, in a word; None where nothing is against it."""
    return NOTHING.refusal(address)


@lru_cache(maxsize=1_024)
def _network(text: str) -> Network:
    return ip_network(text, strict=False)


@dataclass(frozen=True, slots=True)
class Allowed:
    """
    What may be fetched from all the same: networks such as `10.1.0.0/16`, and the addresses of hosts by name, where
    `*.example.com` is all below it.

    An address of metadata is allowed by a network that is exactly that address, and by nothing else.
    """

    networks: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """`ValueError` escapes for what is no network."""
        for each in self.networks:
            _network(each)

    def refusal(self, address: str, host: str = "") -> str | None:
        """Why no image is fetched from an address that a host has, in a word; None where it may be."""
        if "%" in address:
            return ZONE
        try:
            read = ip_address(address)
        except ValueError:
            return NO_ADDRESS
        refusals = (word for each in _meant(read) if (word := _word(each)) and not self._excuses(each, word, host))
        return next(refusals, None)

    def _excuses(self, address: Address, word: str, host: str) -> bool:
        found = [each for each in map(_network, self.networks) if address in each]
        if word == METADATA:
            return any(each.num_addresses == 1 for each in found)
        return bool(found) or self._names(host)

    def _names(self, host: str) -> bool:
        host = _plain(host)
        return bool(host) and any(_covers(_plain(each), host) for each in self.hosts)


NOTHING = Allowed()
"""No exception."""


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def _covers(name: str, host: str) -> bool:
    return host.endswith(name[1:]) if name.startswith("*.") else host == name


def _word(address: Address) -> str | None:
    if address in _METADATA:
        return METADATA
    special = next((word for network, word in _SPECIAL if address in network), None)
    if special or isinstance(address, IPv4Address) or address in _IN_USE:
        return special
    return "reserved"


def _meant(address: Address) -> tuple[Address, ...]:
    """Where packets to an address may end: at itself, or at what it has in it."""
    inner = () if isinstance(address, IPv4Address) else tuple(_embedded(address))
    return inner or (address,)


def _embedded(address: IPv6Address) -> Iterator[IPv4Address]:
    """The addresses of IPv4 in one of IPv6: mapped, of 6to4, of Teredo (its server and its client), of NAT64."""
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    yield from address.teredo or ()
    if any(address in network for network in _TRANSLATED):
        yield IPv4Address(int(address) & 0xFFFF_FFFF)
