"""
The table of values in the chart's README, made from the comments in values.yaml.

    python -m tests.helm.readme     writes it
"""

from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.helm.chart import CHART

VALUES = CHART / "values.yaml"
README = CHART / "README.md"
BEGIN, END = "<!-- values -->\n", "<!-- end of values -->\n"
LONGEST_DEFAULT = 60
"""A longer default is to be looked up in the file."""
GIVEN_WHOLE = {"podSecurityContext", "securityContext", "resources", "people.resources", "policy"}
"""Values that are somebody else's structure, with one comment for all of it."""


def table(text: str) -> str:
    """A row for each value, and for each group of values that has a comment."""
    rows = [
        f"| `{key}` | {_default(node)} | {comment} |"
        for key, node, comment in _values(text)
        if comment or not _is_group(node)
    ]
    return "\n".join(["| value | default | |", "|---|---|---|", *rows, ""])


def undocumented(text: str) -> list[str]:
    """Values without a comment."""
    return [key for key, node, comment in _values(text) if not (comment or _is_group(node))]


def with_table(readme: str) -> str:
    """The README with today's table of values."""
    return between(readme, BEGIN, table(VALUES.read_text()), END)


def between(readme: str, begin: str, text: str, end: str) -> str:
    """The README with a text between two lines of it. Raises ValueError where its place is not marked."""
    before, found, rest = readme.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the README must have the lines {begin!r} and {end!r}")
    return before + begin + text + end + after


def _values(text: str) -> Iterator[tuple[str, yaml.Node, str]]:
    """Each value's path, node and comment, from top to bottom."""
    lines = text.splitlines()

    def below(group: yaml.Node | None, path: str) -> Iterator[tuple[str, yaml.Node, str]]:
        assert isinstance(group, yaml.MappingNode)
        for key, value in group.value:
            name = f"{path}{key.value}"
            yield name, value, _comment(lines, key.start_mark.line)
            if _is_group(value) and name not in GIVEN_WHOLE:
                yield from below(value, f"{name}.")

    return below(yaml.compose(text), "")


def _is_group(node: yaml.Node) -> bool:
    return isinstance(node, yaml.MappingNode) and bool(node.value)


def _default(node: yaml.Node) -> str:
    if _is_group(node):
        return ""
    text = yaml.serialize(node).removesuffix("...\n").strip()
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT and "\n" not in text else "see values.yaml"


def _comment(lines: list[str], line: int) -> str:
    comment: list[str] = []
    while line > 0 and lines[line - 1].lstrip().startswith("#"):
        line -= 1
        comment.insert(0, lines[line].lstrip().removeprefix("#").strip())
    return " ".join(comment).replace("|", "\\|")


if __name__ == "__main__":
    Path(README).write_text(with_table(README.read_text()))
