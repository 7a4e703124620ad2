"""Every example in docs/events.md does what the page says, and the page leaves nothing out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from jsonschema import Draft202012Validator

from consumer.commands.arguments import SchemaName
from consumer.commands.decode import read_headers, show
from consumer.commands.schema import schema
from consumer.config import Config
from consumer.intake.decode import Omission, Rejection
from consumer.intake.decode.format import TEXT
from consumer.intake.decode.formats import FORMATS
from tests.commands.test_schema import closing
from tests.rig.replica import ROOT

PAGE = (ROOT / "docs" / "events.md").read_text()
BLOCK = re.compile(r"^```(?P<kind>[^\n]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(found["kind"], found["text"]) for found in BLOCK.finditer(PAGE)]


@dataclass(frozen=True)
class Example:
    """A message on the page, and the lines that follow it."""

    message: str
    headers: str
    decoded: list[dict[str, Any]]
    config: Config | None


def examples() -> Iterator[Example]:
    """Each message with the headers before it and the outcome after it."""
    bound = Config.model_validate(yaml.safe_load(blocks("yaml bindings")[0]))
    message, headers = "", "[]"
    for kind, text in BLOCKS:
        if kind == "json headers":
            headers = text
        elif kind == "json message":
            assert not message, f"no outcome stands behind {message}"
            message = text
        elif kind.startswith("json decoded"):
            told = [orjson.loads(line) for line in text.splitlines()]
            yield Example(message, headers, told, bound if kind.endswith("with bindings") else None)
            message, headers = "", "[]"


def blocks(kind: str) -> list[str]:
    return [text for each, text in BLOCKS if each == kind]


EXAMPLES = list(examples())


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_decodes_as_the_page_says(example: Example) -> None:
    """
    Line by line, in every member that the page shows.
    """
    headers = read_headers(Path("events.md"), example.headers.encode())

    lines, _ = show(example.message.encode(), headers, example.config)

    shown = [{member: line.get(member) for member in told} for line, told in zip(lines, example.decoded, strict=True)]
    assert shown == example.decoded


def test_every_block_is_looked_at() -> None:
    """
    No example is of a kind that nothing here reads, and there are as many outcomes as messages.
    """
    kinds = {kind for kind, _ in BLOCKS}

    assert kinds == {
        "sh", "text", "python verify", "java verify", "go verify", "python order", "java order", "go order",
        "yaml", "yaml bindings",
        "json message", "json headers", "json decoded", "json decoded with bindings",
        "json verdict", "json hits", "json dead-letter-headers",
    }  # fmt: skip
    assert len(EXAMPLES) == len(blocks("json message")) == 15


@pytest.mark.parametrize(
    ("kind", "name"), [("json verdict", SchemaName.VERDICT), ("json dead-letter-headers", SchemaName.DEAD_LETTER)]
)
def test_what_is_written_follows_its_schema(kind: str, name: SchemaName) -> None:
    """
    The page's verdicts and headers are valid.
    """
    validator = Draft202012Validator(schema(name))

    problems = [error.message for text in blocks(kind) for error in validator.iter_errors(orjson.loads(text))]

    assert blocks(kind)
    assert problems == []


def test_what_was_met_follows_its_schema() -> None:
    """
    The page's example has no member that the schema does not name.
    """
    [example] = blocks("json hits")
    validator = Draft202012Validator(closing(schema(SchemaName.VERDICT)["properties"]["hits"]))

    assert [error.message for error in validator.iter_errors(orjson.loads(example))] == []


def test_native_examples_follow_their_schema() -> None:
    """
    So do its native events, but for the one that shows a rejection.
    """
    validator = Draft202012Validator(schema(SchemaName.EVENTS))
    natives = [document for text in blocks("json message") if "schema" in (document := orjson.loads(text))]

    assert [validator.is_valid(document) for document in natives] == [True, False]


def test_every_format_has_its_row() -> None:
    """
    In the order in which they are tried: first what headers tell, then what shapes do, and texts last.
    """
    rows = re.findall(
        r"^\| (.+) \| .* \| `(\w+)` \|$", PAGE.partition("## Formats")[2].partition("###")[0], re.MULTILINE
    )

    assert [name for by, name in rows if by.startswith("header")] == [each.name for each in FORMATS.by_headers]
    assert [name for by, name in rows if not by.startswith("header")] == [
        *(each.name for each in FORMATS.by_shape), TEXT,
    ]  # fmt: skip


@pytest.mark.parametrize("reason", [*Omission, *Rejection])
def test_every_reason_is_explained(reason: Omission | Rejection) -> None:
    """
    In the words that the code has for it.
    """
    assert f"| `{reason}` | {reason.sentence} |" in PAGE


def test_every_member_of_a_verdict_is_explained() -> None:
    """
    The table names each member, and each member of a member, that the schema has.
    """
    names = _explained("## Verdicts", "### What was met")

    members = schema(SchemaName.VERDICT)["properties"]
    below = {name: _below(part) for name, part in members.items()}
    assert set(names) == set(members)
    assert {name: [each for each in inner if f"`{each}`" not in names[name]] for name, inner in below.items()} == {
        name: [] for name in members
    }


def test_every_member_of_what_a_service_met_is_explained() -> None:
    """
    In a table of its own.
    """
    names = _explained("### What was met", "### What is not looked at")

    members = schema(SchemaName.VERDICT)["properties"]["hits"]["properties"]["services"]["items"]["properties"]
    assert {*names, "service"} == set(members)
    for name, part in members.items():
        inner = part.get("items", {}).get("properties", {})
        assert [each for each in inner if f"`{each}`" not in names[name]] == []


def _explained(begin: str, end: str) -> dict[str, str]:
    """What the tables of a section say, by the names that they explain."""
    section = PAGE.partition(begin)[2].partition(end)[0]
    rows = dict(re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (.*) \|$", section, re.MULTILINE))
    return {name: text for row, text in rows.items() for name in re.findall(r"`(\w+)`", row)}


_SHARED = {"service", "label", "confidence", "level", "frame"}
"""A reason is a finding with two members more: the page explains what is the same once."""


def _below(part: dict[str, Any]) -> list[str]:
    inner = part.get("items", part).get("properties", {})
    shared = _SHARED if "rule" in inner else set()
    deeper = [below for name, below in inner.items() if name != "services"]
    return [*inner.keys() - shared, *(each for below in deeper for each in _below(below))]


def test_every_header_of_a_dead_letter_is_explained() -> None:
    """
    The table names each that is added.
    """
    section = PAGE.partition("## Dead letters")[2].partition("## Verdicts")[0]

    assert [name for name in schema(SchemaName.DEAD_LETTER)["properties"] if f"`{name}`" not in section] == []
