"""
Every example of a notification that the stores' and CloudEvents' own pages show is read as those pages say.

Each file in `documented/` names its page (`source`), what is learned from it (`fact`), the message, and what it says.
Names and ids in them are examples' own or made up.
"""

from pathlib import Path
from typing import Any

import orjson
import pytest

from consumer.commands.decode import read_headers, show

EXAMPLES = {
    path.stem: orjson.loads(path.read_bytes()) for path in (Path(__file__).parent / "documented").glob("*.json")
}


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_is_read_as_its_page_says(name: str) -> None:
    """
    Bucket, decoded key, region, version and size, or why there is nothing to judge.
    """
    example: dict[str, Any] = EXAMPLES[name]
    headers = read_headers(Path(name), orjson.dumps(example.get("headers", [])))

    lines, was_read = show(orjson.dumps(example["value"]), headers, config=None)

    says = example["says"]
    told = [says] if isinstance(says, dict) else says
    assert [{member: line[member] for member in expected} for line, expected in zip(lines, told, strict=True)] == told
    assert was_read == ("rejected" not in lines[0])
    assert example["source"].startswith("https://")
