"""Say in words what changes from one policy to another."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import yaml

from consumer.policy.diff import Difference, Scope, differences
from consumer.policy.schema import load_policy

_MARKS = {"added": "+", "removed": "-", "changed": "~", "moved": "↕"}
_DIGEST = 12  # characters that people look at


def diff(current: Path, candidate: Path) -> list[Difference]:
    """
    Compare two policies.

    Raises:
        Misconfigured: one of them cannot be read.
    """
    return differences(load_policy(current), load_policy(candidate))


def exit_status(found: Sequence[Difference]) -> int:
    """As `diff` has it: 1 where there is a difference."""
    return int(bool(found))


def as_json(found: Sequence[Difference]) -> str:
    """An object for each, a line each."""
    return "\n".join(orjson.dumps(_row(each)).decode() for each in found)


def _row(each: Difference) -> Mapping[str, Any]:
    is_scope = each.kind == "moved" and each.keys
    return {
        "kind": each.kind,
        "overlay": each.scope and each.scope.model_dump(),
        "keys": each.keys,
        "before": _scope(each.before) if is_scope else each.before,
        "after": _scope(each.after) if is_scope else each.after,
        "text": _text(each),
    }


def as_text(found: Sequence[Difference]) -> str:
    """For people."""
    return "\n".join(_lines(found))


def _lines(found: Sequence[Difference]) -> Iterator[str]:
    if not found:
        yield "no difference"
        return
    scope: Scope = None
    for each in found:
        if each.scope != scope:
            scope = each.scope
            yield f"\n{_scope(scope)}:"
        yield f"{'  ' if scope else ''}{_MARKS[each.kind]} {_text(each)}"


def _scope(scope: Scope) -> str:
    if scope is None:
        return "the rules for all"
    named = (("tenant", scope.tenant), ("purpose", scope.purpose))
    return "overlay for " + ", ".join(f"{key} {' or '.join(names)}" for key, names in named if names)


def _text(each: Difference) -> str:
    if not each.keys:
        return _of_overlay(each)
    key = ".".join(each.keys)
    follows = f"before {each.follower}" if each.follower else "last"
    match each.kind:
        case "added":
            return f"{key}, {follows}: {_written(each.after)}"
        case "removed":
            return f"{key}: {_written(each.before)}"
        case "moved":
            out_of = "" if each.before == each.after else f"moved here from {_scope(each.before)}, "
            return f"{key}: {out_of}now looked at {follows}"
        case "changed":
            return f"{key}: {_changed(each)}"


def _of_overlay(each: Difference) -> str:
    if each.kind == "moved":
        return "stands elsewhere in the file, which decides nothing"
    says = each.after if each.kind == "added" else each.before
    return f"is {'new' if each.kind == 'added' else 'gone'}{f', and says {_written(says)}' if says else ''}"


def _changed(each: Difference) -> str:
    before, after = each.before, each.after
    if each.keys == ("sha256",):
        return f"{before[:_DIGEST]}… → {after[:_DIGEST]}…"
    if before and after and isinstance(before, list):
        return _listed(before, after) + _calls(each)
    nothing = "any" if {"match", "when"}.intersection(each.keys) else "none"
    return f"{_said(before, nothing)} → {_said(after, nothing)}{_calls(each)}"


def _listed(before: Sequence[str], after: Sequence[str]) -> str:
    added, removed = [each for each in after if each not in before], [each for each in before if each not in after]
    if not (added or removed):
        return f"{', '.join(before)} → {', '.join(after)}"
    changes = (("adds", added), ("takes away", removed))
    return ", ".join(f"{verb} {', '.join(names)}" for verb, names in changes if names)


def _calls(each: Difference) -> str:
    """What of it is billed."""
    if each.keys == ("info",):
        return "; calls and cost of an image stay the same"
    if each.keys != ("services",):
        return ""
    before, after = len(each.before), len(each.after)
    if before == after:
        return f"; still {after} billed calls an image"
    grow = "grow" if after > before else "fall"
    return f"; billed calls an image {grow} from {before} to {after} ({(after - before) / before:+.0%})"


def _said(value: Any, nothing: str) -> str:
    match value:
        case None:
            return "not said"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case list():
            return ", ".join(value) or nothing
    return str(value)


def _written(section: Mapping[str, Any]) -> str:
    """What a section says, as a policy has it in one line."""
    return str(yaml.safe_dump(section, default_flow_style=True, sort_keys=False, width=10_000)).strip()
