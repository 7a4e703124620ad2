"""
Which hosts are this machine: what goes there is on no network, where others could read or change it.
"""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether a host, a name or an address without brackets, is this machine and stays it whatever DNS says."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761, 6.3
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
