"""
URLs that the provider can download from, and objects' keys inside them.

Vendor: an image URL is http or https, has at most 2,048 characters and no Chinese ones. Whether anything answers at a
URL is the provider's to find out.
"""

import re
from urllib.parse import quote, unquote_to_bytes

from consumer.intake.decode.reasons import Rejection

MAX_URL = 2048  # characters

# RFC 3986's scheme, user information, host and port, then anything visible: what follows the host is the server's.
_WEB_URL = re.compile(
    r"[Hh][Tt][Tt][Pp][Ss]?://(?:[\w.~%!$&'()*+,;=:-]*@)?"
    r"(?:\w[\w.-]*|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?(?:[/?#][!-~]*)?",
    re.ASCII,
)
_BLANK = re.compile(r"[\x00-\x20\x7f-\x9f]")
_NON_ASCII = re.compile(r"[^\x00-\x7f]+")
_DOT_SEGMENT = re.compile(r"(?:^|/)\.\.?(?:/|$)")


def web_url(url: str, where: str) -> str:
    """
    Return `url` in ASCII, checked. Non-ASCII characters after the host are percent-encoded as UTF-8 (RFC 3987).

    Raises:
        Undecodable: `too_long` or `bad_url`, with a detail that tells nothing of the URL.
    """
    if len(url) > MAX_URL:
        raise Rejection.TOO_LONG.at(where, f"longer than {MAX_URL} characters")
    if _WEB_URL.fullmatch(url):
        return url
    if _BLANK.search(url):
        raise Rejection.BAD_URL.at(where, "holds a space or a control character")
    # Nothing but what is not ASCII: what the producer has encoded already stays as it is.
    encoded = _NON_ASCII.sub(lambda found: quote(found[0]), url)
    if not _WEB_URL.fullmatch(encoded):
        raise Rejection.BAD_URL.at(where, "must be http or https, with a host in ASCII")
    if len(encoded) > MAX_URL:
        raise Rejection.TOO_LONG.at(where, f"longer than {MAX_URL} characters once percent-encoded")
    return encoded


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


def decoded_key(text: str) -> str | None:
    """
    Undo the form encoding of a key: `+` is a space. None where the bytes are not UTF-8.

    A `%` that begins no escape stands for itself.
    """
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeDecodeError:
        return None
