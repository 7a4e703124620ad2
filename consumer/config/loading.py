"""
A configuration from its sources, laid over each other, with every problem and the place it came from.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from consumer.config import Config
from consumer.config.base import Model, Settings
from consumer.config.kafka import is_ipv6
from consumer.errors import Misconfigured
from consumer.redaction import redacted
from consumer.shipped import shipped

ENVIRONMENT_PREFIX = "MODERATION__"
# Texts, whatever YAML would make of them; and what is given for them is never shown.
_TEXTS = {("kafka", "security", "sasl", name) for name in ("username", "password")}
# What is given for these is never shown either: a proxy may have a password.
_UNSHOWN = _TEXTS | {("provider", "proxy")}


def load_config(path: Path | None, environment: Mapping[str, str], overrides: Sequence[str] = ()) -> Config:
    """
    Build the configuration from the file at `path`, the environment and `key=value` overrides.

    Raises:
        Misconfigured: with every problem, each naming where the value came from.
    """
    return load_with_origins(path, environment, overrides).config


Origins = Mapping[tuple[str, ...], str]
"""Where values came from, by their keys from the root. What stands below a key came from there too."""


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

    Keys that are no settings are left out. None where the file cannot be read, or where the sections contradict each
    other.
    """
    try:
        tree, origins = _merged(path, environment, overrides, [])
        Config.model_validate(tree)
    except Misconfigured:
        return None, frozenset()
    except ValidationError as error:
        broken = _without_problems(tree, error)
    else:
        broken = frozenset()
    try:
        config = Config.model_validate(tree)
    except ValidationError:
        return None, broken
    return _located(path, config, origins), broken


def _without_problems(tree: dict[str, Any], error: ValidationError) -> frozenset[str]:
    """Remove from the tree what is no setting, and each section that is wrong; return those sections' names."""
    broken = set()
    for problem in error.errors():
        *parents, last = problem["loc"] or ("",)
        if problem["type"] != "extra_forbidden":
            broken.add(str(problem["loc"][0]) if problem["loc"] else "")
        else:
            holder: Any = tree
            for step in parents:
                holder = holder[step]
            del holder[last]
    for section in broken:
        tree.pop(section, None)
    return frozenset(broken)


def _merged(
    path: Path | None, environment: Mapping[str, str], overrides: Sequence[str], problems: list[str]
) -> tuple[dict[str, Any], dict[tuple[str, ...], str]]:
    """Lay the sources over each other; the later wins."""
    tree: dict[str, Any] = {}
    origins: dict[tuple[str, ...], str] = {}
    if path is not None:
        tree = read_yaml(path)
        origins[()] = str(path)
    for origin, keys, value in (*_from_environment(environment), *_from_overrides(overrides, problems)):
        try:
            _put(tree, keys, value)
        except ValueError as error:
            problems.append(f"{origin}: {error}")
        origins[keys] = origin
    return tree, origins


def _located(path: Path | None, config: Config, origins: Origins) -> Config:
    """Resolve paths as seen from the file's folder. Without a file the policy is the release's, unless one is named."""
    if path is not None:
        return _seen_from(path.parent, config)
    return config if ("policy",) in origins else config.model_copy(update={"policy": shipped("policy.yaml")})


def _seen_from(folder: Path, settings: Model) -> Model:
    """Resolve the paths in a configuration; one that is absolute stays as it is."""
    seen: dict[str, Any] = {}
    for name, value in settings:
        if isinstance(value, Path):
            seen[name] = folder / value
        elif isinstance(value, Settings):
            seen[name] = _seen_from(folder, value)
    return settings.model_copy(update=seen)


class _OnceLoader(yaml.SafeLoader):
    """Refuses a key that a mapping repeats, where PyYAML would keep the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


# What PyYAML raises beside its own error: for a date such as 2020-99-99, 5,000 digits, `!!bool x`, 5,000 brackets.
NOT_YAML = (
    yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError
)  # fmt: skip


def read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.load(path.read_bytes(), Loader=_OnceLoader)  # noqa: S506 — a SafeLoader
    except OSError as error:
        raise Misconfigured([f"{path}: cannot be read: {error.strerror}"]) from error
    except NOT_YAML as error:
        raise Misconfigured([f"{path}: is not YAML: {' '.join(str(error).split())}"]) from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise Misconfigured([f"{path}: must hold a mapping of settings, holds {type(tree).__name__}"])
    return tree


Assignment = tuple[str, tuple[str, ...], Any]
"""Where a value came from, its keys from the root, and the value."""


def _from_environment(environment: Mapping[str, str]) -> Iterator[Assignment]:
    for name in sorted(environment):
        if name.startswith(ENVIRONMENT_PREFIX):
            keys = tuple(name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))
            yield f"environment {name}", keys, _value(keys, environment[name])


def _from_overrides(overrides: Sequence[str], problems: list[str]) -> Iterator[Assignment]:
    for override in overrides:
        name, equals, text = override.partition("=")
        if equals:
            keys = tuple(name.strip().split("."))
            yield f"--set {name}", keys, _value(keys, text)
        else:
            problems.append(f"--set {override}: has no value; write key=value, such as quota.qps=50")


def _value(keys: tuple[str, ...], text: str) -> Any:
    """Read a value as YAML does, so that lists and numbers can be given; what is not YAML is text."""
    if keys in _TEXTS or is_ipv6(text):  # YAML takes `::` for a mapping
        return text
    try:
        return yaml.safe_load(text)
    except NOT_YAML:
        return text


def _put(tree: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    *parents, last = keys
    for depth, key in enumerate(parents, 1):
        below = tree.setdefault(key, {})
        if not isinstance(below, dict):
            raise ValueError(f"{'.'.join(keys[:depth])} is a value and holds no keys")  # noqa: TRY004 — no caller's bug
        tree = below
    tree[last] = value


def validated(
    model: type[Model], tree: Mapping[str, Any], origins: Mapping[tuple[str, ...], str], problems: list[str]
) -> Model:
    try:
        settings = model.model_validate(tree)
    except ValidationError as error:
        raise Misconfigured([*problems, *_problems(error, origins)]) from None
    if problems:
        raise Misconfigured(problems)
    return settings


def _problems(error: ValidationError, origins: Mapping[tuple[str, ...], str]) -> Iterator[str]:
    for problem in error.errors(include_url=False):
        keys = tuple(str(key) for key in problem["loc"])
        origin = next((origins[keys[:n]] for n in range(len(keys), -1, -1) if keys[:n] in origins), "defaults")
        message = problem["msg"].removeprefix("Value error, ")
        unknown = problem["type"] == "extra_forbidden"  # whatever stands there: it may be a secret in the wrong place
        if unknown:
            message = "is not a setting"
        given = problem["input"]
        show = isinstance(given, str | int | float | bool) and not unknown and keys not in _UNSHOWN
        shown = f" (given: {given!r})" if show else ""
        yield f"{origin}: {'.'.join(keys) or 'settings'}: {redacted(message + shown)}"
