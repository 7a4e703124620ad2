"""The configuration as it takes effect: every value, where it came from, and no secret."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from consumer.config import Config
from consumer.config.credentials import KEY_FILES
from consumer.config.loading import Loaded
from consumer.config.origins import Origins
from consumer.redaction import redacted

WIDTH = 100  # columns
COMMENT_AT = 52  # the column of a comment beside its value


def effective(loaded: Loaded, path: Path | None, environment: Mapping[str, str]) -> str:
    """Write the configuration as YAML, each value with its origin as a comment, at most 100 columns wide."""
    tree = loaded.config.model_dump(mode="json", by_alias=True)
    body = _mapping(tree, (), loaded.origins)
    return "\n".join([*_about(loaded.config, path, environment), *body])


def _about(config: Config, path: Path | None, environment: Mapping[str, str]) -> Iterator[str]:
    yield "# What takes effect, and where each value came from."
    yield f"# File: {path or 'none'}"
    interval = config.policies.reload
    reload = "off, a change takes effect with a restart" if interval is None else f"on, every {interval:g} s"
    yield f"# Policy reload: {reload}."
    if config.provider.key_files is not None:
        yield f"# The account's key: files in {config.provider.key_files} ({', '.join(KEY_FILES.values())})."
        return
    for name in config.provider.key_variables.values():
        yield f"# {name}: {'set, not shown' if environment.get(name) else 'not set'}"


def _mapping(tree: Mapping[str, Any], above: tuple[str, ...], origins: Origins) -> Iterator[str]:
    indent = "  " * len(above)
    for key, value in tree.items():
        keys = (*above, key)
        if isinstance(value, dict) and value:
            yield f"{indent}{key}:"
            yield from _mapping(value, keys, origins)
        else:
            yield from _setting(indent, key, _hidden(value), _origin(origins, keys))


def _setting(indent: str, key: str, value: Any, origin: str) -> Iterator[str]:
    line = f"{indent}{key}: {_flow(value)}"
    if len(line) <= WIDTH and "\n" not in line:
        beside = f"{line:<{COMMENT_AT}} # {origin}"
        if len(beside) <= WIDTH:
            yield beside
        else:
            yield f"{indent}# {origin}"
            yield line
        return
    yield f"{indent}{key}: # {origin}"
    block = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=WIDTH - len(indent) - 2)
    yield from (f"{indent}  {each}" for each in block.splitlines())


def _flow(value: Any) -> str:
    written = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10_000)
    return written.removesuffix("\n").removesuffix("\n...")


def _hidden(value: Any) -> Any:
    """Leave out of URLs what may be a credential: user, password, query."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, list):
        return [_hidden(each) for each in value]
    if isinstance(value, dict):
        return {key: _hidden(each) for key, each in value.items()}
    return value


def _origin(origins: Origins, keys: tuple[str, ...]) -> str:
    """Of the file only the name: its folder stands above."""
    origin = origins.of(keys) or "default"
    folder = f"{origins.file.path.parent}/" if origins.file else ""
    return origin.removeprefix(folder)
