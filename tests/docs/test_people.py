"""docs/people.md and docs/feedback.md: each command is one, and every word that they explain is the code's."""

import re
from typing import get_args

import pytest
from typer.main import get_command

from consumer.cli import app
from consumer.commands.arguments import SchemaName
from consumer.feedback import REASONS
from consumer.reviews.judging import Conflict
from consumer.reviews.refusals import Refusal
from tests.rig.replica import ROOT

PEOPLE, FEEDBACK = ((ROOT / "docs" / f"{name}.md").read_text() for name in ("people", "feedback"))
FOLLOWED = re.compile(r"(?:moderation-consumer |`)((?:feedback|schema)(?: (?:--)?[a-z][a-z-]*)*)(?=[`\s])")


@pytest.mark.parametrize("command", sorted({each for page in (PEOPLE, FEEDBACK) for each in FOLLOWED.findall(page)}))
def test_a_command_of_these_pages_can_be_followed(command: str) -> None:
    """
    Its subcommands, options and schemas are there.
    """
    found = get_command(app)
    for word in command.split():
        if word.startswith("--"):
            assert word in {name for each in found.params for name in each.opts}
        elif word in getattr(found, "commands", {}):
            found = found.commands[word]  # type: ignore[attr-defined]
        else:
            assert word in set(SchemaName)


def test_every_word_is_explained_and_none_is_made_up() -> None:
    """
    Why a decision is a dead letter, what decisions meet, and why nothing is sent.
    """

    def rows(page: str, heading: str) -> list[str]:
        section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)

    assert rows(PEOPLE, "A decision") == ["approve", "remove", "escalate", "dlq_reason", *Refusal]
    assert sorted(rows(PEOPLE, "When decisions meet")) == sorted(set(get_args(Conflict)) - {"none"})
    assert sorted(rows(FEEDBACK, "What is not sent")) == sorted(REASONS)
