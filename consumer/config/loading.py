"""
A configuration from its sources, laid over each other, with every problem and the place it came from.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from consumer.config import Config, PolicyFiles
from consumer.config.base import Model, Settings
from consumer.config.kafka import is_ipv6
from consumer.config.origins import ENVIRONMENT_PREFIX, Origins, unread_variables, variable
from consumer.config.problems import Keys, Problem, explained, known, secrets_of, settings_of
from consumer.config.provider import ProviderSettings
from consumer.config.yaml_file import NOT_YAML, read_yaml
from consumer.errors import Misconfigured
from consumer.shipped import shipped

# Texts, whatever YAML would make of them.
_TEXTS = {("kafka", "security", "sasl", name) for name in ("username", "password")}
# Sections that may be written as one of their settings.
_SHORT: dict[Keys, str] = {("policy",): "file"}
# What is given for these is never shown: secrets stand there, or may by mistake; a proxy may have a password.
_PROXY = ("provider", "proxy")
_UNSHOWN = {("kafka", "security"), _PROXY}


def load_config(path: Path | None, environment: Mapping[str, str], overrides: Sequence[str] = ()) -> Config:
    """
    Build the configuration from the file at `path`, the environment and `key=value` overrides.

    Raises:
        Misconfigured: with every problem, each naming where the value came from.
    """
    return load_with_origins(path, environment, overrides).config


class Loaded(NamedTuple):
    """A configuration, and where its values came from; those that are not named are defaults."""

    config: Config
    origins: Origins


def load_with_origins(path: Path | None, environment: Mapping[str, str], overrides: Sequence[str] = ()) -> Loaded:
    """
    As `load_config`, and say where the values came from.

    Raises:
        Misconfigured: with every problem, each naming where the value came from.
    """
    problems: list[str] = []
    tree, origins = _merged(path, environment, overrides, problems)
    config = validated(Config, tree, origins, problems)
    return Loaded(_located(path, config, origins), origins)


def load_sound_part(
    path: Path | None, environment: Mapping[str, str], overrides: Sequence[str] = ()
) -> tuple[Config | None, frozenset[str]]:
    """
    Of a configuration that is wrong, return what can be used, and the sections that cannot and hold their defaults.

    Keys that are no settings are left out. None where the file cannot be read, or where the other sections contradict
    the defaults.
    """
    try:
        tree, origins = _merged(path, environment, overrides, [])
    except Misconfigured:
        return None, frozenset()
    broken: set[str] = set()
    for _ in range(3):  # keys and values, then contradictions between sections, then what these contradict
        try:
            return _located(path, Config.model_validate(tree), origins), frozenset(broken)
        except ValidationError as error:
            broken |= _leave_out(tree, explained(error, Config, tree))
    return None, frozenset(broken)


def warnings_of(environment: Mapping[str, str]) -> list[str]:
    """Name the variables that have no effect and look as if they should."""
    return [
        f"environment {name}: has no effect; the setting's variable is {meant}"
        for name, meant in unread_variables(environment, settings_of(Config))
    ]


def _leave_out(tree: dict[str, Any], problems: Sequence[Problem]) -> set[str]:
    """Remove from the tree what is no setting, and each section that is wrong; return those sections' names."""
    for problem in problems:
        if problem.unknown:
            _remove(tree, problem.keys)
    sections = {(problem.keys or ("",))[0] for problem in problems if not problem.unknown}
    if not sections & tree.keys():
        sections |= {keys[0] for problem in problems for keys in problem.involved}
    for section in sections:
        tree.pop(section, None)
    return sections


def _remove(tree: Any, keys: Keys) -> None:
    *above, last = keys
    for key in above:
        tree = tree[int(key)] if isinstance(tree, list) else tree[key]
    tree.pop(next(key for key in tree if str(key) == last))


def _merged(
    path: Path | None, environment: Mapping[str, str], overrides: Sequence[str], problems: list[str]
) -> tuple[dict[str, Any], Origins]:
    """Lay the sources over each other; the later wins."""
    file = None if path is None else read_yaml(path)
    tree = file.tree if file else {}
    origins = Origins(file)
    for origin, keys, value in (*_from_environment(environment), *_from_overrides(overrides, problems)):
        try:
            _put(tree, keys, value)
        except ValueError as error:
            problems.append(f"{origin}: {error}")
        origins.given[keys] = origin
    return tree, origins


def _located(path: Path | None, config: Config, origins: Origins) -> Config:
    """Resolve paths as seen from the file's folder. Without a file the policy is the release's, unless one is named."""
    if path is not None:
        return _seen_from(path.parent, config)
    file: Path | PolicyFiles = shipped("policy.yaml")
    if isinstance(config.policy, PolicyFiles):
        is_named = "file" in config.policy.model_fields_set
        file = config.policy.model_copy(update={"file": file})
    else:
        is_named = ("policy",) in origins.given
    return config if is_named else config.model_copy(update={"policy": file})


def _seen_from(folder: Path, settings: Model) -> Model:
    """Resolve the paths in a configuration; one that is absolute stays as it is."""
    seen: dict[str, Any] = {}
    for name, value in settings:
        if isinstance(value, Path):
            seen[name] = folder / value
        elif isinstance(value, dict):
            seen[name] = {key: _below(folder, each) for key, each in value.items()}
        elif isinstance(value, tuple):
            seen[name] = tuple(_below(folder, each) for each in value)
        elif isinstance(value, Settings):
            seen[name] = _seen_from(folder, value)
    return settings.model_copy(update=seen)


def _below(folder: Path, value: Any) -> Any:
    if isinstance(value, Path):
        return folder / value
    return _seen_from(folder, value) if isinstance(value, Settings) else value


Assignment = tuple[str, Keys, Any]
"""Where a value came from, its keys from the root, and the value."""


def _from_environment(environment: Mapping[str, str]) -> Iterator[Assignment]:
    for name in sorted(environment):
        if name.startswith(ENVIRONMENT_PREFIX):
            # A name that only capitals are in cannot say more; one with small letters is that of a topic, say.
            steps = name.removeprefix(ENVIRONMENT_PREFIX).split("__")
            keys = tuple(step.lower() if step.isupper() else step for step in steps)
            yield f"environment {name}", keys, _value(keys, environment[name])


def _from_overrides(overrides: Sequence[str], problems: list[str]) -> Iterator[Assignment]:
    for override in overrides:
        name, equals, text = override.partition("=")
        keys = tuple(name.strip().split("."))
        if equals:
            value = _value(keys, text)
            problems += (f"--set {name}: {problem}" for problem in _seen_by_all(keys, value))
            yield f"--set {name}", keys, value
        else:
            shown = ".".join(known(Config, keys))
            problems.append(f"--set {shown}: has no value; write key=value, such as quota.qps=50")


def _seen_by_all(keys: Keys, value: Any) -> Iterator[str]:
    """Refuse the secrets that an option gives: everyone on the machine sees it, and a shell remembers it."""
    why = "everyone on this machine can see an option; use the environment's"
    for secret in secrets_of(Config):
        if keys[: len(secret)] == secret or _holds(keys, value, secret) is not None:
            yield f"{'.'.join(secret)} is a secret, and {why} {variable(secret)}"
    if "@" in str(_holds(keys, value, _PROXY) or ""):
        yield f"{'.'.join(_PROXY)} has a user or password, and {why} {variable(_PROXY)}"
    for part, name in ProviderSettings().key_variables.items():
        if keys[-1] == part or (isinstance(value, dict) and part in value):
            yield f"{part} is a part of the account's key, and {why} {name}"


def _holds(keys: Keys, value: Any, setting: Keys) -> Any:
    """What an assignment to these keys gives to a setting at or below them; None where it gives nothing."""
    if setting[: len(keys)] != keys:
        return None
    for key in setting[len(keys) :]:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _value(keys: Keys, text: str) -> Any:
    """Read a value as YAML does, so that lists and numbers can be given; what is not YAML is text."""
    if keys in _TEXTS or is_ipv6(text):  # YAML takes `::` for a mapping
        return text
    try:
        return yaml.safe_load(text)
    except NOT_YAML:
        return text


def _put(tree: dict[str, Any], keys: Keys, value: Any) -> None:
    *parents, last = keys
    for depth, key in enumerate(parents, 1):
        below = tree.setdefault(key, {})
        if isinstance(below, str) and keys[:depth] in _SHORT:
            below = tree[key] = {_SHORT[keys[:depth]]: below}
        if not isinstance(below, dict):
            raise ValueError(f"{'.'.join(keys[:depth])} is a value and holds no keys")  # noqa: TRY004 — no caller's bug
        tree = below
    tree[last] = value


def validated(model: type[Model], tree: Mapping[str, Any], origins: Origins, problems: Sequence[str] = ()) -> Model:
    """
    Build the settings from a tree.

    Raises:
        Misconfigured: with these problems and those of the tree, each naming where the value came from.
    """
    try:
        settings = model.model_validate(tree)
    except ValidationError as error:
        found = sorted(explained(error, model, tree, _UNSHOWN), key=origins.order)
        raise Misconfigured([*problems, *map(origins.line, found)]) from None
    if problems:
        raise Misconfigured(problems)
    return settings
