"""Lint a policy's file: what the service refuses, what is unsafe, and what may be a slip, each with its line."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import orjson

from consumer.commands.policy.fixtures import read_fixtures, tests_beside
from consumer.config.yaml_file import read_yaml
from consumer.errors import Misconfigured
from consumer.policy.lint import concerns
from consumer.policy.schema import load_policy, policy_in

_CODE = re.compile(r" \((P\d{3})\)")
_MARKS = {"broken": "✗", "unsafe": "✗", "warning": "!"}


class Found(NamedTuple):
    """One thing that is wrong: `text` begins with the place."""

    kind: Literal["broken", "unsafe", "warning"]
    code: str
    text: str


def lint(path: Path, tests: Path | None, base: Path | None) -> list[Found]:
    """
    Look at a policy.

    Raises:
        Misconfigured: the tests or the base cannot be read.
    """
    file = read_yaml(path)
    try:
        policy = policy_in(file)
    except Misconfigured as error:
        return [Found("broken", _code_of(problem), _CODE.sub("", problem)) for problem in error.problems]
    before = load_policy(base) if base else None
    beside = tests_beside(path, tests)
    parts = [part for fixture in (read_fixtures(beside) if beside else ()) for part in (fixture, fixture.shadow)]
    tested = {rule for part in parts if part for rule in part.rules or ()}
    found = concerns(
        policy.settings,
        datetime.now(UTC).date(),
        tested,
        (before.settings, before.sha256 == policy.sha256) if before else None,
    )
    found.sort(key=lambda each: file.line(each.keys) or 0)
    return [
        *(Found(each.kind, each.code, f"{file.place(each.keys)}: {'.'.join(each.keys)} {each.text}") for each in found),
        *(Found("warning", "P022", each) for each in policy.warnings),
    ]


def _code_of(problem: str) -> str:
    if named := _CODE.search(problem):
        return named.group(1)
    return "P001" if " is not a setting" in problem else "P000"  # another value that is not allowed


def exit_status(found: Sequence[Found]) -> int:
    """2 where the service refuses the policy, 1 where something is unsafe, else 0."""
    kinds = {each.kind for each in found}
    return 2 if "broken" in kinds else 1 if "unsafe" in kinds else 0


def as_json(found: Sequence[Found]) -> str:
    """An object for each, a line each."""
    return "\n".join(orjson.dumps(each._asdict()).decode() for each in found)


def as_text(found: Sequence[Found], path: Path) -> str:
    """For people."""
    return "\n".join(_lines(found, path))


def _lines(found: Sequence[Found], path: Path) -> Iterator[str]:
    for each in found:
        yield f"{_MARKS[each.kind]} {each.code} {each.kind:<7}  {each.text}"
    counts = [(kind, sum(each.kind == kind for each in found)) for kind in _MARKS]
    said = ", ".join(f"{count} {kind}" for kind, count in counts if count)
    yield f"{path}: {said or 'nothing is wrong'}"
