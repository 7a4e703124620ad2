"""
A published verdict, as far as people's decisions need it: whether a document has what is read of it here. Pure.

What is believed and is no verdict to this release is found here, and in no other place: whatever else goes wrong with a
verdict is a bug, and its record stays open.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from consumer.records import Decision

_DECISIONS: Final = frozenset(each.value for each in Decision)
_MOST_SEQUENCE: Final = 1 << 53


class Member(NamedTuple):
    """One that is read. Where it is not `required` it may be absent, or null."""

    path: tuple[str, ...]
    kind: type | tuple[type, ...]
    required: bool = True


MEMBERS: Final = (
    Member(("verdict_id",), str),
    Member(("tenant",), str),
    Member(("decision",), str),
    Member(("sequence",), int, required=False),
    Member(("event", "topic"), str),
    Member(("event", "partition"), int),
    Member(("event", "offset"), int),
    Member(("event", "id"), (str, type(None))),
    Member(("event", "time"), (str, type(None))),
    Member(("image", "id"), str),
    Member(("image", "url"), str, required=False),
    Member(("image", "ref"), dict, required=False),
    Member(("provider",), dict),
    Member(("timing",), dict),
    Member(("floor",), dict, required=False),
    Member(("findings",), list, required=False),
    Member(("omitted",), list, required=False),
)


def is_verdict(document: Any) -> bool:
    """Whether this release can read a document as a verdict."""
    return (
        isinstance(document, dict)
        and all(_has(document, member) for member in MEMBERS)
        and document["decision"] in _DECISIONS
        and _is_sequence(document.get("sequence", 1))
        and _is_floor(document.get("floor"))
        and _is_ref(document["image"].get("ref"))
        and all(isinstance(each, str) for each in document.get("omitted") or ())
        and all(
            isinstance(each, dict) and isinstance(each.get("label"), str) for each in document.get("findings") or ()
        )
    )


def _has(document: Mapping[str, Any], member: Member) -> bool:
    *way, name = member.path
    found: Any = document
    for each in way:
        found = found.get(each)
        if not isinstance(found, dict):
            return False
    if name not in found:
        return not member.required
    return isinstance(found[name], member.kind) or (found[name] is None and not member.required)


def _is_sequence(sequence: Any) -> bool:
    """Whether another one may follow it, which JSON of 64 bits can hold."""
    return isinstance(sequence, int) and not isinstance(sequence, bool) and 0 <= sequence < _MOST_SEQUENCE


def _is_floor(floor: Mapping[str, Any] | None) -> bool:
    return floor is None or (isinstance(floor.get("rule"), str) and floor.get("decision") in _DECISIONS)


def _is_ref(ref: Mapping[str, Any] | None) -> bool:
    return not ref or all(isinstance(ref.get(name), str) for name in ("store", "bucket", "key"))
