"""Which hosts are this machine."""

import pytest

from consumer.loopback import is_loopback


@pytest.mark.parametrize("host", ["localhost", "Localhost.", "a.localhost", "127.0.0.1", "127.255.0.9", "::1"])
def test_what_is_loopback(host: str) -> None:
    """
    The reserved names, and every address of loopback.
    """
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "::", "localhost.example.com", "127.0.0.1.nip.io", "notlocalhost", "10.0.0.1", "127.1", "é"]
)
def test_what_is_not(host: str) -> None:
    """
    Neither all addresses at once, nor a name that only looks alike: DNS decides where those lead.
    """
    assert not is_loopback(host)
