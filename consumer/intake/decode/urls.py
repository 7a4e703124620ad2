"""
URLs that the provider can download from, and objects' keys inside them.

Vendor: an image URL is http or https, has at most 2,048 characters and no Chinese ones. Whether anything answers at a
URL is the provider's to find out. What Python's, httpx's, aiohttp's and browsers' readers of URLs would refuse, or of
which they would read different hosts, is refused here: what is judged must be what subscribers will see.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import quote, unquote_to_bytes

import idna

from consumer.intake.decode.reasons import Rejection

MAX_URL = 2048  # characters
MAX_HOST = 253  # characters, by DNS

# RFC 3986's scheme, user part, host and port, then anything visible but a backslash, which browsers take for a slash.
_WEB_URL = re.compile(
    r"[Hh][Tt][Tt][Pp][Ss]?://(?:(?:[\w.~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})+@)?"
    r"(?:(?P<name>(?:\w[\w-]{0,62}\.)*\w[\w-]{0,62}\.?)|\[(?P<ipv6>[0-9A-Fa-f:.]{2,45})\])"
    r"(?::(?P<port>\d*))?(?:[/?#][!-\[\]-~]*)?",
    re.ASCII,
)
_BLANK = re.compile(r"[\x00-\x20\x7f-\x9f]")
_NON_ASCII = re.compile(r"[^\x00-\x7f]+")
_AUTHORITY = re.compile(r"[^/?#]*//[^/?#]*")
# A host whose last label is a number is an IPv4 address to browsers, which also read 127.1 and 0x7f.1 as one.
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0[Xx][0-9A-Fa-f]*)\.?", re.ASCII)
_DOT_SEGMENT = re.compile(r"(?:^|/)\.\.?(?:/|$)")
# What every encoder of keys would have escaped.
_RAW = re.compile(r"[^!-~]|[\"<>\\^`{|}]|%(?![0-9A-Fa-f]{2})")


def web_url(url: str, where: str) -> str:
    """
    Return `url` in ASCII, checked. Non-ASCII characters after the host are percent-encoded as UTF-8 (RFC 3987).

    Raises:
        Undecodable: `too_long` or `bad_url`, with a detail that shows nothing of the URL.
    """
    if len(url) > MAX_URL:
        raise Rejection.TOO_LONG.at(where, f"longer than {MAX_URL} characters")
    if _BLANK.search(url):
        raise Rejection.BAD_URL.at(where, "holds a space or a control character")
    if not url.isascii():
        authority = _AUTHORITY.match(url)
        start = authority.end() if authority else len(url)
        # Nothing but what is not ASCII: what the producer has encoded already stays as it is. The host stays too:
        # readers normalise it differently, and some find a slash or an @ in what looks like another character.
        url = url[:start] + _NON_ASCII.sub(lambda found: quote(found[0]), url[start:])
    found = _WEB_URL.fullmatch(url)
    if found is None:
        raise Rejection.BAD_URL.at(where, "must be http or https, with a host in ASCII")
    if not _is_host(found["name"], found["ipv6"]):
        raise Rejection.BAD_URL.at(where, "has a host that is no name and no address")
    if found["port"] and not 0 < int(found["port"]) < 65536:
        raise Rejection.BAD_URL.at(where, "has a port outside of 1 to 65535")
    if len(url) > MAX_URL:
        raise Rejection.TOO_LONG.at(where, f"longer than {MAX_URL} characters once percent-encoded")
    return url


def _is_host(name: str | None, ipv6: str | None) -> bool:
    try:
        if ipv6 is not None:
            IPv6Address(ipv6)
        elif name is not None:
            if len(name) > MAX_HOST + name.endswith("."):
                return False
            if _NUMBER.fullmatch(name):
                IPv4Address(name)
            elif "xn--" in name.lower():
                idna.decode(name.lower())
    except (AddressValueError, idna.IDNAError, UnicodeError):
        return False
    return True


def encoded_key(key: str, where: str) -> str:
    """
    Percent-encode an object's key for a URL, with its slashes kept.

    Raises:
        Undecodable: `bad_key` for a segment `.` or `..`. Whoever downloads resolves it first, encoded or not, and would
            judge another object than the one that was uploaded.
    """
    if _DOT_SEGMENT.search(key):
        raise Rejection.BAD_KEY.at(where, "no URL can name an object with a segment . or ..")
    return quote(key, safe="/")


def encoded_version(version: str, where: str) -> str:
    """
    Percent-encode an object's version for a URL, its slashes too.

    Raises:
        Undecodable: `bad_key` for `.` and `..`, which name another place in a URL's path.
    """
    if _DOT_SEGMENT.search(version):
        raise Rejection.BAD_KEY.at(where, "no URL can name a version . or ..")
    return quote(version, safe="")


def filled(template: str, where: str, **names: str) -> str:
    """
    Fill in a template.

    Raises:
        Undecodable: `bad_key` where the path has a segment `.` or `..` by what the template has around a name.
    """
    url = template.format(**names)
    if _DOT_SEGMENT.search(url.partition("?")[0]):
        raise Rejection.BAD_KEY.at(where, "no URL can name an object with a segment . or ..")
    return url


def decoded_key(text: str) -> str | None:
    """
    Undo the form encoding of a key: `+` is a space. None where the bytes are not UTF-8.

    A `%` that begins no escape stands for itself.
    """
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeDecodeError:
        return None


def is_raw_key(text: str) -> bool:
    """Tell whether a key holds a character that an encoder would have escaped, so that it was not encoded at all."""
    return _RAW.search(text) is not None
