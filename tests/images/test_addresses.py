"""Which addresses no image is fetched from, in each form, and what is allowed all the same."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.images.addresses import Allowed, why_refused


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("0.0.0.0", "unspecified"), ("0.1.2.3", "unspecified"), ("10.0.0.1", "private"), ("172.16.0.1", "private"),
        ("172.31.255.255", "private"), ("192.168.1.1", "private"), ("127.0.0.1", "loopback"), ("127.8.9.1", "loopback"),
        ("169.254.1.1", "link_local"), ("100.64.0.1", "shared"), ("100.127.255.255", "shared"),
        ("198.18.0.1", "benchmarking"), ("198.19.255.255", "benchmarking"), ("192.0.2.1", "documentation"),
        ("198.51.100.1", "documentation"), ("203.0.113.1", "documentation"), ("192.0.0.1", "reserved"),
        ("192.88.99.1", "reserved"), ("224.0.0.1", "multicast"), ("239.255.255.255", "multicast"),
        ("240.0.0.1", "reserved"), ("255.255.255.255", "broadcast"),
        ("::", "unspecified"), ("::1", "loopback"), ("fe80::1", "link_local"), ("fec0::1", "site_local"),
        ("fc00::1", "unique_local"), ("fd12:3456::1", "unique_local"), ("ff02::1", "multicast"),
        ("2001:db8::1", "documentation"), ("3fff::1", "documentation"), ("2001:2::1", "benchmarking"),
        ("2001:10::1", "reserved"), ("100::1", "reserved"), ("5f00::1", "reserved"), ("4000::1", "reserved"),
    ],
)  # fmt: skip
def test_what_is_not_public_is_refused_by_a_word(address: str, word: str) -> None:
    """
    Each range of IANA's registries of special addresses, and what of IPv6 is in no use.
    """
    assert why_refused(address) == word


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254",
     "::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "2002:a9fe:a9fe::1"],
)  # fmt: skip
def test_what_a_cloud_tells_its_machines_is_refused(address: str) -> None:
    """
    Metadata, in one of which ranges its address may be, and in each form.
    """
    assert why_refused(address) == "metadata"


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("::ffff:127.0.0.1", "loopback"), ("::ffff:7f00:1", "loopback"), ("::ffff:10.0.0.1", "private"),
        ("::127.0.0.1", "reserved"), ("::8.8.8.8", "reserved"), ("::ffff:0:127.0.0.1", "reserved"),
        ("64:ff9b::127.0.0.1", "loopback"), ("64:ff9b::a00:1", "private"), ("64:ff9b:1::10.0.0.1", "private"),
        ("64:ff9b:1:7f00:0:100::", "translated"), ("64:ff9b:1:1::8.8.8.8", "translated"),
        ("2002:7f00:1::1", "loopback"), ("2002:c0a8:101::1", "private"),
        ("2001:0:7f00:1:0:0:f7f7:f7f7", "loopback"),  # Teredo's server
        ("2001:0:808:808:0:0:80ff:fffe", "loopback"),  # and its client, with all bits turned
    ],
)  # fmt: skip
def test_an_address_in_an_address_is_judged(address: str, word: str) -> None:
    """
    IPv4 in IPv6: mapped, NAT64, 6to4 and Teredo. What is of no use, as IPv4-compatible ones are, is refused as a whole.
    """
    assert why_refused(address) == word


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "223.255.255.255",
     "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "64:ff9b:1::8.8.8.8", "2002:808:808::1",
     "2001:0:808:808:0:0:f7f7:f7f7"],
)  # fmt: skip
def test_public_addresses_are_not_refused(address: str) -> None:
    """
    The neighbours of each range too.
    """
    assert why_refused(address) is None


@pytest.mark.parametrize(
    ("text", "word"),
    [("fe80::1%eth0", "zone"), ("2606:4700::1111%1", "zone"), ("", "no_address"), ("example.com", "no_address"),
     ("127.1", "no_address"), ("010.0.0.1", "no_address"), ("١٢٧.0.0.1", "no_address"),
     ("::ffff:300.1.1.1", "no_address")],
)  # fmt: skip
def test_what_is_no_plain_address_is_refused(text: str, word: str) -> None:
    """
    A zone is of a link of this machine; the rest cannot be judged.
    """
    assert why_refused(text) == word


@given(st.ip_addresses(v=4))
def test_no_form_of_an_address_is_judged_more_mildly_than_itself(address: object) -> None:
    """
    Mapped, by NAT64, 6to4 and Teredo: refused with the same word, or not at all if it is public.
    """
    number, word = int(ip_address(str(address))), why_refused(str(address))
    forms = [
        0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80,
        0x2001_0000 << 96 | 0x08080808 << 64 | number ^ 0xFFFF_FFFF,
    ]  # fmt: skip

    assert [why_refused(str(ip_address(form))) for form in forms] == [word] * 4


@given(st.text(max_size=60))
def test_any_text_is_judged(text: str) -> None:
    """
    Nothing is raised, and nothing that is no address gets through.
    """
    assert why_refused(text) is not None or ip_address(text).is_global


def test_networks_are_allowed() -> None:
    """
    What is in them, in each form that it has; nothing beside them.
    """
    allowed = Allowed(networks=("10.1.0.0/16", "fd00::/8", "64:ff9b:1::/48"))

    assert allowed.refusal("10.1.2.3") is None
    assert allowed.refusal("::ffff:10.1.2.3") is None
    assert allowed.refusal("fd00::1") is None
    assert allowed.refusal("64:ff9b:1:2::1") is None
    assert allowed.refusal("10.2.0.1") == "private"
    assert allowed.refusal("fd00::1%eth0") == "zone"
    assert allowed.refusal("no address") == "no_address"


def test_hosts_are_allowed() -> None:
    """
    A name, or all below one; the case and a dot at the end say nothing.
    """
    allowed = Allowed(hosts=("minio.internal", "*.storage.Internal"))

    hosts = ["minio.internal", "MINIO.internal.", "a.storage.internal", "a.b.storage.internal"]
    others = ["", ".", "storage.internal", "xminio.internal", "a.minio.internal", "astorage.internal"]

    assert [allowed.refusal("10.0.0.1", host) for host in hosts] == [None] * 4
    assert [allowed.refusal("10.0.0.1", host) for host in others] == ["private"] * 6


def test_metadata_is_allowed_by_its_own_address_only() -> None:
    """
    Neither by a network that holds it among others, nor by the name of a host.
    """
    address = "169.254.169.254"

    assert Allowed(networks=("169.254.0.0/16", "0.0.0.0/0")).refusal(address) == "metadata"
    assert Allowed(hosts=("host",)).refusal(address, "host") == "metadata"
    assert Allowed(networks=("169.254.169.254/32",)).refusal(address) is None
    assert Allowed(networks=("169.254.169.254",)).refusal(f"::ffff:{address}") is None
    assert Allowed(networks=("fd00:ec2::254/128",)).refusal("fd00:ec2::254") is None


def test_what_is_no_network_is_said_at_once() -> None:
    """
    When it is given, and not when the first image is fetched.
    """
    with pytest.raises(ValueError):
        Allowed(networks=("10.0.0.0/33",))
