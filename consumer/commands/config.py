"""The configuration as it takes effect: every value, where it came from, and no secret."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from consumer.config import Config
from consumer.config.credentials import KEY_FILES, KEY_VARIABLES
from consumer.config.loading import Loaded, Origins
from consumer.redaction import redacted

WIDTH = 100  # columns
COMMENT_AT = 52  # the column of a comment beside its value

Lines = Mapping[tuple[str, ...], int]
"""On which line of the file each key stands."""


def effective(loaded: Loaded, path: Path | None, environment: Mapping[str, str]) -> str:
    """Write the configuration as YAML, each value with its origin as a comment, at most 100 columns wide."""
    lines = {} if path is None else _lines(path)
    tree = loaded.config.model_dump(mode="json", by_alias=True)
    body = _mapping(tree, (), _Origin(loaded.origins, lines, path))
    return "\n".join([*_about(loaded.config, path, environment), *body])


class _Origin:
    """Says where a value came from."""

    def __init__(self, origins: Origins, lines: Lines, path: Path | None) -> None:
        self._origins = {keys: origin for keys, origin in origins.items() if keys}
        self._lines = lines
        self._path = path

    def of(self, keys: tuple[str, ...]) -> str:
        for depth in range(len(keys), 0, -1):
            if origin := self._origins.get(keys[:depth]):
                return origin
        line = self._lines.get(keys)
        return f"{self._path.name}:{line}" if self._path and line else "default"


def _about(config: Config, path: Path | None, environment: Mapping[str, str]) -> Iterator[str]:
    yield "# What takes effect, and where each value came from."
    yield f"# File: {path or 'none'}"
    if config.provider.key_files is not None:
        yield f"# The account's key: files in {config.provider.key_files} ({', '.join(KEY_FILES.values())})."
        return
    for name in KEY_VARIABLES.values():
        yield f"# {name}: {'set, not shown' if environment.get(name) else 'not set'}"


def _mapping(tree: Mapping[str, Any], above: tuple[str, ...], origin: _Origin) -> Iterator[str]:
    indent = "  " * len(above)
    for key, value in tree.items():
        keys = (*above, key)
        if isinstance(value, dict) and value:
            yield f"{indent}{key}:"
            yield from _mapping(value, keys, origin)
        else:
            yield from _setting(indent, key, _hidden(value), origin.of(keys))


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


def _lines(path: Path) -> dict[tuple[str, ...], int]:
    root = yaml.compose(path.read_bytes(), Loader=yaml.SafeLoader)
    return dict(_lines_below(root, ())) if isinstance(root, yaml.MappingNode) else {}


def _lines_below(node: yaml.MappingNode, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    for key, value in node.value:
        keys = (*above, str(key.value))
        yield keys, key.start_mark.line + 1
        if isinstance(value, yaml.MappingNode):
            yield from _lines_below(value, keys)
