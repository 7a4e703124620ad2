"""
A YAML file as settings are read from it: its tree, and on which line each key stands.
"""

import re
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from consumer.errors import Misconfigured

# What PyYAML raises beside its own error: for a date such as 2020-99-99, 5,000 digits, `!!bool x`, 5,000 brackets.
NOT_YAML = (
    yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError
)  # fmt: skip


# A tag or an alias, as PyYAML quotes it: a password that begins with `!` or `*` is one. Of a single character, and of
# what the syntax is made of (`<block end>`), nobody learns anything.
_QUOTED = re.compile(r"""(['"])(?!<)..+\1""")


class YamlFile(NamedTuple):
    """What a file holds."""

    path: Path
    tree: dict[str, Any]
    root: yaml.Node | None

    def line(self, keys: Sequence[str]) -> int | None:
        """The line of a key, from 1; None where it does not stand in the file."""
        line, node = None, self.root
        for key in keys:
            line, node = _entry(node, key)
            if line is None:
                return None
        return line

    def place(self, keys: Sequence[str]) -> str:
        """Where a key stands, or else the nearest section above it: `consumer.yaml:17`."""
        lines = (self.line(keys[:depth]) for depth in range(len(keys), 0, -1))
        line = next((line for line in lines if line), None)
        return f"{self.path}:{line}" if line else str(self.path)


def read_yaml(path: Path, data: bytes | None = None) -> YamlFile:
    """
    Read a mapping; `data` is what the file holds, where that was read before.

    Raises:
        Misconfigured: naming the file, and the line where it is not YAML or names a key twice.
    """
    tree, root = _read(path, data)
    if tree is None:
        return YamlFile(path, {}, None)
    if not isinstance(tree, dict):
        holds = "a list" if isinstance(tree, list) else "a single value"
        raise Misconfigured([f"{path}: must hold a mapping of settings, holds {holds}"])
    return YamlFile(path, tree, root)


def read_yaml_list(path: Path, name: str, data: bytes | None = None) -> YamlFile:
    """
    Read a list, as if it stood under `name` in a mapping; `data` as `read_yaml` has it.

    Raises:
        Misconfigured: as `read_yaml`.
    """
    tree, root = _read(path, data)
    if not isinstance(tree, list) or root is None:
        holds = {type(None): "nothing", dict: "a mapping"}.get(type(tree), "a single value")
        raise Misconfigured([f"{path}: must hold a list, holds {holds}"])
    key = yaml.ScalarNode("tag:yaml.org,2002:str", name, root.start_mark, root.start_mark)
    return YamlFile(path, {name: tree}, yaml.MappingNode("tag:yaml.org,2002:map", [(key, root)]))


def _read(path: Path, data: bytes | None) -> tuple[Any, yaml.Node | None]:
    try:
        loader = _OnceLoader(path.read_bytes() if data is None else data)
        root = loader.get_single_node()
        return None if root is None else loader.construct_document(root), root
    except OSError as error:
        raise Misconfigured([f"{path}: cannot be read: {error.strerror}"]) from error
    except NOT_YAML as error:
        raise Misconfigured([_not_yaml(path, error)]) from error


class _OnceLoader(yaml.SafeLoader):
    """
    Refuses a key that a mapping repeats, where PyYAML would keep the last in silence.

    A key is a name: `on`, `no` and the like are no booleans there.
    """

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:bool":
                key.tag = "tag:yaml.org,2002:str"
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if not isinstance(key, Hashable):
                raise _refusal("a key must be a text", key_node)
            if key in seen:
                raise _refusal(f"the key {key!r} appears twice, first in line {seen[key]}", key_node)
            seen[key] = line
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (yaml.YAMLError, RecursionError):
            raise
        except NOT_YAML as error:  # what stands there may be a secret: it is not shown
            kind = node.tag.rpartition(":")[2]
            raise _refusal(f"this cannot be read as {kind}: put it in quotes if it is a text", node) from error


class _Refused(yaml.constructor.ConstructorError):
    """In our own words."""


def _refusal(text: str, node: yaml.Node) -> _Refused:
    return _Refused(None, None, text, node.start_mark)


def _not_yaml(path: Path, error: Exception) -> str:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        reason = "nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        return f"{path}: is not YAML: {reason}"
    place = f"{path}:{error.problem_mark.line + 1}"
    if isinstance(error, _Refused):
        return f"{place}: {error.problem}"
    said = ": ".join(str(each) for each in (error.context, error.problem) if each)
    return f"{place}: is not YAML: {_QUOTED.sub('what stands there', said)}"


def _entry(node: yaml.Node | None, key: str) -> tuple[int | None, yaml.Node | None]:
    """The line of a key or position, and what stands there."""
    if isinstance(node, yaml.MappingNode):
        # What is merged into a mapping (`<<`) comes first; its own keys win.
        for name, value in reversed(node.value):
            if isinstance(name, yaml.ScalarNode) and name.value == key:
                return name.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode) and key.isdecimal() and int(key) < len(node.value):
        value = node.value[int(key)]
        return value.start_mark.line + 1, value
    return None, None
