"""The page about the policy: its example works as it says, and its tables name what there is."""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson
import pytest

from consumer.commands.policy import diffing, explaining, linting, testing
from consumer.config.loading import load_config
from consumer.errors import Misconfigured
from consumer.policy import schema
from consumer.policy.candidate import Candidate
from consumer.policy.decide import Deciding
from consumer.policy_files import fixtures
from consumer.policy_files.loading import load_policies
from consumer.records import Assessment, Label, ModerationResult
from consumer.verdicts.encode import Encoding
from tests.rig.events import submission
from tests.rig.replica import ROOT

PAGE = (ROOT / "docs" / "policy.md").read_text()


def block(kind: str) -> str:
    """The page's block of a kind."""
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def undigested(text: str) -> str:
    """Without digests: they are others with each setting that policies get."""
    return re.sub(r"\b[0-9a-f]{12}…", "…", text)


def test_the_way_from_a_wish_to_a_rule_works(tmp_path: Path) -> None:
    """
    The test fails without the rule and passes with it, the page shows what is different, and lint has no complaint.
    """
    policy = tmp_path / "policy.yaml"
    policy.with_name("policy.tests.yaml").write_text(block("yaml tests"))
    policy.write_text("policy: img-mod\nversion: 7\n")
    deployed = Path(shutil.copy(policy, tmp_path / "deployed.yaml"))
    before = fixtures.run(policy, None)

    policy.write_text(block("yaml policy"))

    assert [each.passed for each in before] == [False, True]
    assert testing.as_text(fixtures.run(policy, None)) + "\n" == block("text tested")
    assert undigested(diffing.as_text(diffing.diff(deployed, policy)) + "\n") == undigested(block("text compared"))
    assert [each for each in linting.lint(policy) if each.code != "P006"] == []


def linted(policy: str) -> str:
    """What lint says, but for days that have come since."""
    path = Path(policy)
    return linting.as_text([each for each in linting.lint(path) if each.code != "P006"], path)


COMMANDS: Mapping[str, Callable[..., str]] = {
    "cp": lambda source, to: str(shutil.copy(ROOT / source, to)) and "",
    "moderation-consumer policy lint": linted,
    "moderation-consumer policy test": lambda policy: testing.as_text(fixtures.run(Path(policy), None)),
    "moderation-consumer policy explain": lambda policy, file: explaining.explain(Path(policy), Path(file)),
}
"""What the page's commands print."""


def printed(line: str) -> str:
    """What a command of the page prints."""
    name = next(name for name in COMMANDS if line.startswith(f"{name} "))
    return COMMANDS[name](*line.removeprefix(name).split())


def test_the_way_from_an_example_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Each command prints what the page shows; `…` stands for lines that it leaves out.
    """
    monkeypatch.chdir(tmp_path)
    example = ROOT / "config" / "policies" / "marketplace.yaml"
    (swim,) = (each for each in fixtures.read_fixtures(example.with_suffix(".tests.yaml")) if "swim shop" in each.name)
    verdict = fixtures.decided(schema.load_policy(example), swim)
    Path("verdict.json").write_bytes(Encoding(group="moderation-consumer").verdict(verdict).value or b"")

    for shown in block("console").split("$ ")[1:]:
        line, _, expected = shown.partition("\n")
        pattern = re.escape(expected.rstrip("\n")).replace("…\\\n", "(?s:.*?\n)")
        assert re.fullmatch(pattern, printed(line)), (line, printed(line))


def test_the_way_to_try_a_rule_out_works(tmp_path: Path) -> None:
    """
    The page's tests pass, lint has no complaint, and a verdict about a QR code says what the page shows.
    """
    policy = tmp_path / "policy.yaml"
    policy.write_text(block("yaml trial policy"))
    tests = policy.with_name("policy.tests.yaml")
    tests.write_text(block("yaml trial tests"))
    first = fixtures.read_fixtures(tests)[0]

    verdict = fixtures.decided(schema.load_policy(policy), first)

    assert [each.differences for each in fixtures.run(policy, None)] == [(), ()]
    assert linting.lint(policy) == []
    value = orjson.loads(Encoding(group="group").verdict(verdict).value or b"")
    assert value["shadow"] == orjson.loads(block("json trial shadow"))


def test_what_is_asked_and_known_of_an_image_can_be_tested(tmp_path: Path) -> None:
    """
    The page's policy is sound, and its tests pass.
    """
    policy = tmp_path / "policy.yaml"
    policy.write_text(block("yaml conditions policy"))
    policy.with_name("policy.tests.yaml").write_text(block("yaml conditions tests"))

    assert [each.differences for each in fixtures.run(policy, None)] == [(), (), (), ()]
    assert [each for each in linting.lint(policy) if each.kind != "warning"] == []


def test_a_policy_in_shadow_says_what_the_page_shows(tmp_path: Path) -> None:
    """
    With the page's configuration and candidate, about an image of low risk.
    """
    (tmp_path / "consumer.yaml").write_text(block("yaml shadow config"))
    (tmp_path / "policy.yaml").write_text("policy: img-mod\nversion: 9\n")
    (tmp_path / "candidate.yaml").write_text(block("yaml shadow candidate"))
    policy = load_policies(load_config(tmp_path / "consumer.yaml", {}).policies)
    assert policy.shadow is not None
    low = ModerationResult(
        service="baselineCheck_global", request_id="R", risk_level="low", labels=(Label("pt_logo", 90.0),)
    )

    deciding = Deciding(policy)
    candidate = Candidate(deciding.decide, deciding.asked, policy.shadow)
    verdict = candidate.decide(submission(), Assessment(answers=(low,)), 0.0)

    value = orjson.loads(Encoding(group="group").verdict(verdict).value or b"")
    shown = block("json shadow candidate").replace("SHA256", policy.shadow.sha256)
    assert (value["decision"], value["shadow"]) == ("pass", orjson.loads(shown))


def test_a_policy_that_is_reloaded_is_taken_with_its_tests(tmp_path: Path) -> None:
    """
    The page's configuration with the page's policy and tests; and in its own words what is refused is no start, either.
    """
    for name, kind in {"consumer": "yaml reload config", "policy": "yaml policy", "policy.tests": "yaml tests"}.items():
        (tmp_path / f"{name}.yaml").write_text(block(kind))
    files = load_config(tmp_path / "consumer.yaml", {}).policies

    policy = load_policies(files)
    (tmp_path / "policy.yaml").write_text(block("yaml policy").replace("then: pass", "then: review"))
    with pytest.raises(Misconfigured):
        load_policies(files)

    assert (policy.settings.version, files.reload) == (8, 5)


def test_every_code_of_lint_has_a_row() -> None:
    """
    And no row is of a code that there is not.
    """
    folders = (ROOT / "consumer" / "policy", ROOT / "consumer" / "commands" / "policy")
    sources = "".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))

    assert set(re.findall(r"^\| (P\d{3}) \|", PAGE, re.MULTILINE)) == set(re.findall(r"P\d{3}", sources))


def test_every_member_of_a_test_has_a_row() -> None:
    """
    As the model has them.
    """
    section = PAGE.partition("## Tests")[2]

    assert [name for name in fixtures.Fixture.model_fields if f"`{name}`" not in section] == []
