"""The page about the policy: its example works as it says, and its tables name what there is."""

import re
from pathlib import Path

from consumer.commands.policy import fixtures, linting
from consumer.policy import language, lint, schema
from tests.rig.replica import ROOT

PAGE = (ROOT / "docs" / "policy.md").read_text()


def block(kind: str) -> str:
    """The page's block of a kind."""
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_way_from_a_wish_to_a_rule_works(tmp_path: Path) -> None:
    """
    The test fails without the rule and passes with it, and lint has no complaint.
    """
    policy = tmp_path / "policy.yaml"
    policy.with_name("policy.tests.yaml").write_text(block("yaml tests"))
    policy.write_text("policy: img-mod\nversion: 7\n")
    before = fixtures.run(policy, None)

    policy.write_text(block("yaml policy"))

    assert [each.passed for each in before] == [False, True]
    assert fixtures.as_text(fixtures.run(policy, None)) + "\n" == block("text tested")
    assert [each for each in linting.lint(policy, None, None) if each.code != "P006"] == []


def test_every_code_of_lint_has_a_row() -> None:
    """
    And no row is of a code that there is not.
    """
    sources = "".join(Path(str(module.__file__)).read_text() for module in (language, lint, linting, schema))

    assert set(re.findall(r"^\| (P\d{3}) \|", PAGE, re.MULTILINE)) == set(re.findall(r"P\d{3}", sources))


def test_every_member_of_a_test_has_a_row() -> None:
    """
    As the model has them.
    """
    section = PAGE.partition("## Tests")[2]

    assert [name for name in fixtures.Fixture.model_fields if f"`{name}`" not in section] == []
