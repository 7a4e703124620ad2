"""
From files to a policy that may decide: what is broken, or fails one of its tests, is refused, and all of it at once.

The start and every reload take policies by the same rules: what a reload refuses would not start either.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import TypeVar

from consumer.config import Config, PolicyFiles
from consumer.config.yaml_file import YamlFile, read_yaml, read_yaml_list
from consumer.errors import Misconfigured
from consumer.policy.lint import Beside, concerns
from consumer.policy.schema import Policy, policy_in
from consumer.policy_files.fixtures import Ended, ended_by, fixtures_in
from consumer.policy_files.reading import FileRead, FilesRead, read_all

Loaded = TypeVar("Loaded")
MOST_DIFFERENCES = 300  # characters


def load_policies(files: PolicyFiles, regions: Sequence[str] = (), config: Config | None = None) -> Policy:
    """
    Read the policy and, where there is one, that in shadow, as they are to be taken today; see `policy_of`.

    Raises:
        Misconfigured: with every problem of both, and every test that fails.
    """
    return policy_of(read_all(files), datetime.now(UTC).date(), regions, config)


def policy_of(read: FilesRead, today: date, regions: Sequence[str] = (), config: Config | None = None) -> Policy:
    """
    Take what was read; the provider must offer the services in these regions. What is unsafe beside a configuration is
    found where there is one.

    Raises:
        Misconfigured: with every problem, and every test that fails.
    """
    problems: list[str] = []
    policy = _tried(partial(_policy, read.file, regions, config, today), problems)
    shadow = _tried(partial(_policy, read.shadow, regions, config, today), problems) if read.shadow else None
    ended = (_tried(partial(_tested, read.tests, policy, today), problems) if read.tests else None) or ()
    problems += (_failure(each) for each in ended if not each.passed and not each.has_expired)
    if policy is None or problems:
        raise Misconfigured(problems)
    expired = tuple(f"{_failure(each)}: a rule has come to its end" for each in ended if each.has_expired)
    return policy.model_copy(update={"shadow": shadow, "unsafe": (*policy.unsafe, *expired)})


def _policy(read: FileRead, regions: Sequence[str], config: Config | None, today: date) -> Policy:
    file = read_yaml(read.path, read.content())
    policy = policy_in(file, regions, only=config.provider.only_service if config else None)
    return policy.model_copy(update={"unsafe": tuple(_unsafe(policy, file, config, today))})


def _unsafe(policy: Policy, file: YamlFile, config: Config | None, today: date) -> Iterator[str]:
    for each in concerns(policy.settings, today, Beside(config=config)):
        if each.kind == "unsafe":
            yield f"{file.place(each.keys)}: {'.'.join(each.keys)} {each.text} ({each.code})"


def _tested(read: FileRead, policy: Policy | None, today: date) -> list[Ended]:
    file = read_yaml_list(read.path, "tests", read.content())
    fixtures = fixtures_in(file)
    return [] if policy is None else ended_by(policy, fixtures, file, today)


def _failure(ended: Ended) -> str:
    said = "; ".join(ended.differences)[:MOST_DIFFERENCES]
    return f"{ended.place}: the test {ended.name[:100]!r} fails: {said}"


def _tried(load: Callable[[], Loaded], problems: list[str]) -> Loaded | None:
    try:
        return load()
    except Misconfigured as error:
        problems += error.problems
        return None
