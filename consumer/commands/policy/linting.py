"""Lint a policy's file: what the service refuses, what is unsafe, and what may be a slip, each with its line."""

import asyncio
import os
import re
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import orjson

from consumer.commands.policy.library_lock import read_lock
from consumer.commands.policy.newest_verdict import newest_policy
from consumer.config import Config
from consumer.config.loading import load_config
from consumer.config.yaml_file import YamlFile, read_yaml
from consumer.errors import Misconfigured
from consumer.policy.lint import Before, Beside, Concern, Published, concerns
from consumer.policy.schema import Policy, load_policy, policy_in
from consumer.policy_files.fixtures import read_fixtures, tests_beside
from consumer.records import PolicyName

Kind = Literal["broken", "unsafe", "warning"]
_CODE = re.compile(r" \((P\d{3})\)")
_PLACE = re.compile(r"(?s)(?::(\d+))?: (.*)")  # what follows the file's name
_MARKS = {"broken": "✗", "unsafe": "✗", "warning": "!"}


class Options(NamedTuple):
    """What else lint looks at, where it is given."""

    tests: Path | None = None
    base: Path | None = None
    lock: Path | None = None
    config: Config | None = None
    published: bool = False  # whether the newest verdict counts,
    newest: PolicyName | None = None  # and its policy, where there is one
    today: date | None = None


NOTHING = Options()


def options(
    files: Sequence[Path],
    *,
    tests: Path | None,
    base: Path | None,
    config: Path | None,
    published: bool,
    lock: Path | None,
) -> Options:
    """
    Read what is beside the policies.

    Raises:
        Misconfigured: something cannot be read, or is given for several files and is one file's.
        NotAnswered: the newest verdict was asked for, and no broker answers.
    """
    problems = [
        f"{name} is of one policy: name one FILE"
        for name, given in (("--tests", tests), ("--base", base))
        if given and len(files) > 1
    ]
    if published and config is None:
        problems.append("--published needs --config, which says where the verdicts are")
    if problems:
        raise Misconfigured(problems)
    settings = load_config(config, os.environ) if config else None
    newest = asyncio.run(newest_policy(settings.kafka)) if settings and published else None
    return Options(tests, base, lock, settings, published, newest)


class Found(NamedTuple):
    """One thing that is wrong. The text begins with the key, where it is one key's."""

    kind: Kind
    code: str
    file: str
    line: int | None
    text: str


def lint(path: Path, beside: Options = NOTHING) -> list[Found]:
    """
    Look at a policy.

    Raises:
        Misconfigured: the tests, the base or the lock cannot be read.
    """
    regions = [region.name for region in beside.config.provider.regions] if beside.config else ()
    try:
        file = read_yaml(path)
        policy = policy_in(file, regions)
    except Misconfigured as error:
        return [_placed("broken", _code_of(problem), path, _CODE.sub("", problem)) for problem in error.problems]
    today = beside.today or datetime.now(UTC).date()
    found = concerns(policy.settings, today, _beside(path, policy, beside))
    found.sort(key=lambda each: file.line(each.keys) or 0)
    warned = (_placed("warning", "P022", path, each) for each in policy.warnings)
    return [*(_concerned(file, each) for each in found), *warned]


def _beside(path: Path, policy: Policy, beside: Options) -> Beside:
    base = load_policy(beside.base) if beside.base else None
    newest, says_the_same = beside.newest, beside.newest is not None and beside.newest.sha256 == policy.sha256
    return Beside(
        tested=_tested(tests_beside(path, beside.tests)),
        before=Before(base.settings, base.sha256 == policy.sha256) if base else None,
        published=Published(newest, says_the_same) if beside.published else None,
        config=beside.config,
        libraries=read_lock(beside.lock) if beside.lock else None,
    )


def _tested(tests: Path | None) -> Collection[str]:
    parts = [part for each in (read_fixtures(tests) if tests else ()) for part in (each, each.shadow)]
    return {rule for part in parts if part for rule in part.rules or ()}


def _concerned(file: YamlFile, concern: Concern) -> Found:
    line = next(filter(None, (file.line(concern.keys[:depth]) for depth in range(len(concern.keys), 0, -1))), None)
    return Found(concern.kind, concern.code, str(file.path), line, f"{'.'.join(concern.keys)}: {concern.text}")


def _placed(kind: Kind, code: str, path: Path, problem: str) -> Found:
    """Take the place off a problem in words."""
    found = _PLACE.fullmatch(problem.removeprefix(str(path)))
    if found is None:
        return Found(kind, code, str(path), None, problem)
    return Found(kind, code, str(path), int(found[1]) if found[1] else None, found[2])


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
        place = f"{each.file}:{each.line}" if each.line else each.file
        yield f"{_MARKS[each.kind]} {each.code} {each.kind:<7}  {place}: {each.text}"
    counts = [(kind, sum(each.kind == kind for each in found)) for kind in _MARKS]
    said = ", ".join(f"{count} {kind}" for kind, count in counts if count)
    yield f"{path}: {said or 'nothing is wrong'}"
