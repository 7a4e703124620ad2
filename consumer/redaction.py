"""
Text that may be shown: without what in a URL may be a credential, and no longer than it needs to be. Values only.

A token is what stands between blanks. Of each URL in it the user part goes, and everything from a `?` or `#` on, or a
`;` in its path: a presigned query is a credential, and a fragment or a parameter such as `;sig=` may be one. Where that
is unclear, too much goes. The work grows with the length of the text and with nothing else, because foreigners write
it: of a text with more than `MOST_URLS` the rest is left out.
"""

import re
from itertools import islice
from typing import Any

LONGEST = 2_000  # characters of one text
MOST = 100  # elements of one list or mapping
DEEPEST = 8  # lists and mappings in each other
MOST_URLS = 1_000  # in one text
CUT = "…"

_BLANK = re.compile(r"[\s\x00-\x1f\x7f]")
_AT_SIGNS = str.maketrans("＠﹫", "@@")  # that NFKC, and with it IDNA, makes of them
_QUERY = re.compile(r"[?#？﹖＃﹟]")
_PARAMETER = re.compile(r"[;；﹔\u037e](?!\Z)")  # at the end of a token it is punctuation


def redacted(text: str) -> str:
    """Cut user parts, queries, parameters and fragments out of all URLs in a text."""
    if "://" not in text:
        return text
    text = _with_few_urls(text)
    shown: list[str] = []
    done = 0
    while (at := text.find("://", done)) >= 0:
        blank = _BLANK.search(text, at)
        end = blank.start() if blank else len(text)
        shown += text[done : at + 3], _harmless(text[at + 3 : end])
        done = end
    return "".join((*shown, text[done:]))


def cut(text: str, longest: int) -> str:
    """Keep the beginning of a text. A URL that is cut is left out: its user part might not be recognised any more."""
    if len(text) <= longest:
        return text
    kept = text[:longest]
    at = kept.rfind("://")
    return kept if at < 0 or _BLANK.search(kept, at) else kept[: at + 3]


def shortened(text: str, longest: int = LONGEST) -> str:
    """Keep the beginning of a text, and say how long it was."""
    return text if len(text) <= longest else f"{cut(text, longest)}{CUT} ({len(text):,} in all)"


def presentable(value: Any) -> Any:
    """
    Return a value that `orjson` writes: texts cut and redacted, numbers and shapes as they are, all else as its text.

    Never raises, whatever the value's own methods do.
    """
    try:
        return _presentable(value, DEEPEST)
    except Exception:  # noqa: BLE001 — a foreign method may raise anything
        return _type(value)


def _presentable(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return int(value) if value.bit_length() < 64 else f"an integer of {value.bit_length()} bits"
    if isinstance(value, str):
        return _text(str.__str__(value))
    if isinstance(value, bytes | bytearray | memoryview):
        return _text(repr(bytes(value[:LONGEST])), len(value))
    if isinstance(value, dict | list | tuple | set | frozenset):
        return _gathered(value, depth - 1) if depth else f"{_type(value)} of {len(value)}"
    try:
        return _text(str(value))
    except Exception:  # noqa: BLE001 — likewise
        return _type(value)


def _gathered(value: Any, depth: int) -> Any:
    more = {CUT: f"{len(value) - MOST} more"} if len(value) > MOST else {}
    if isinstance(value, dict):
        shown = islice(value.items(), MOST)
        return {_name(name): _presentable(each, depth) for name, each in shown} | more
    return [_presentable(each, depth) for each in islice(value, MOST)] + list(more.values())


def _name(name: Any) -> str:
    text = _presentable(name, 0)
    return text if isinstance(text, str) else str(text)


def _text(text: str, length: int | None = None) -> str:
    """Cut first: what follows is then cheap, whatever the length."""
    length = len(text) if length is None else length
    shown = redacted(cut(text, LONGEST)).encode("utf-8", "backslashreplace").decode()
    return f"{shown}{CUT} ({length:,} in all)" if length > LONGEST else shown


def _type(value: Any) -> str:
    return f"<{type(value).__name__}>"


def _with_few_urls(text: str) -> str:
    """End a text before the URL that is one too many."""
    if text.count("://") <= MOST_URLS:
        return text
    at = 0
    for _ in range(MOST_URLS):
        at = text.index("://", at) + 3
    return f"{text[:at]}{CUT}"


def _harmless(token: str) -> str:
    """Shorten what follows the `://` of a token."""
    found = _QUERY.search(token)
    told = token[: found.start()] if found else token
    if found and _has_at(token[found.start() :]):
        told = _without_open_user(told)
    shown = _without_users(told) if _has_at(told) else told
    if parameter := _PARAMETER.search(shown):
        return f"{shown[: parameter.end()]}{CUT}{_closing(token)}"
    return f"{shown}{token[found.start()]}{CUT}{_closing(token)}" if found else shown


def _without_open_user(told: str) -> str:
    """Leave out an authority that no slash ends: its `@` stands behind the `?` or `#`, which may be of a password."""
    before, separator, last = told.rpartition("://")
    host, slash, _ = last.partition("/")
    return told if slash and _is_host(host) else f"{before}{separator}{CUT}"


def _without_users(told: str) -> str:
    first, *others = told.split("://")
    if others and not _has_at(first) and not _is_host(first.partition("/")[0]):
        return _without_user(told)  # a password with `://` in it
    return "://".join(map(_without_user, (first, *others)))


def _without_user(address: str) -> str:
    plain = address.translate(_AT_SIGNS)
    host, _, _ = plain.partition("/")
    at = host.rfind("@")
    if at < 0 and not _is_host(host):
        at = plain.rfind("@")  # a password with a slash in it
    return address if at < 0 else f"{CUT}@{address[at + 1 :]}"


def _is_host(text: str) -> bool:
    """Whether this may be a host with its port, and no user with a password."""
    _, colon, port = text.rpartition(":")
    return bool(text) and (not colon or port.isdecimal() or text.endswith("]"))


def _has_at(text: str) -> bool:
    return "@" in text or "＠" in text or "﹫" in text


def _closing(token: str) -> str:
    """What closes a quotation stays, for those who read the line."""
    return token[-1] if token[-1] in "'\"" else ""
