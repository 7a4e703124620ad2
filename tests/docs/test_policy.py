"""The page about the policy: its example works as it says, and its tables name what there is."""

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.console import Console
from structlog.testing import capture_logs

from consumer.commands.policy import diffing, explaining, linting, testing
from consumer.commands.policy.backtesting.command import Options, backtest
from consumer.commands.policy.backtesting.progress import watched
from consumer.commands.policy.backtesting.text import shown
from consumer.config import PolicyFiles
from consumer.config.loading import load_config
from consumer.errors import Misconfigured
from consumer.policy import schema
from consumer.policy.candidate import Candidate
from consumer.policy.decide import Deciding
from consumer.policy.in_force import InForce, ReadyPolicy
from consumer.policy_files import fixtures
from consumer.policy_files.loading import load_policies, policy_of
from consumer.policy_files.watching import PolicyWatch
from consumer.records import Assessment, Label, ModerationResult, SourceId, Submission
from consumer.verdicts.encode import Encoding
from tests.rig.clock import ManualClock
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


def backtested(policy: str, current: str, verdicts: str) -> str:
    """What a backtest prints on a terminal of a hundred columns."""
    options = Options(candidate=Path(policy), current=Path(current), verdicts=[Path(verdicts)])
    terminal = Console(width=100, file=StringIO())
    with terminal.capture() as printed:
        terminal.print(shown(backtest(options, {}, lambda total: watched(Console(file=StringIO()), total))))
    return printed.get()


COMMANDS: Mapping[str, Callable[..., str]] = {
    "cp": lambda source, to: str(shutil.copy(ROOT / source, to)) and "",
    "moderation-consumer policy lint": linted,
    "moderation-consumer policy test": lambda policy: testing.as_text(fixtures.run(Path(policy), None)),
    "moderation-consumer policy backtest": lambda policy, _, current, __, verdicts: backtested(
        policy, current, verdicts
    ),
    "moderation-consumer policy explain": lambda policy, file: explaining.explain(Path(policy), Path(file)),
}
"""What the page's commands print."""


def printed(line: str) -> str:
    """What a command of the page prints."""
    name = next(name for name in COMMANDS if line.startswith(f"{name} "))
    return COMMANDS[name](*line.removeprefix(name).split())


def prints_what_it_shows(console: str) -> None:
    """Each command prints what follows it; `…` stands for lines that are left out. Blanks at ends do not count."""
    for step in console.split("$ ")[1:]:
        line, _, expected = step.partition("\n")
        pattern = re.escape(expected.rstrip("\n")).replace("…\\\n", "(?s:.*?\n)")
        pattern = pattern.removesuffix("…") + "(?s:.*)" if pattern.endswith("…") else pattern
        found = "\n".join(each.rstrip() for each in printed(line).splitlines())
        assert re.fullmatch(pattern, found), (line, found)


def test_the_way_from_an_example_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Each command prints what the page shows; `…` stands for lines that it leaves out.
    """
    monkeypatch.chdir(tmp_path)
    example = ROOT / "config" / "policies" / "marketplace.yaml"
    (swim,) = (each for each in fixtures.read_fixtures(example.with_suffix(".tests.yaml")) if "swim shop" in each.name)
    verdict = fixtures.decided(schema.load_policy(example), swim)
    Path("verdict.json").write_bytes(Encoding(group="moderation-consumer").verdict(verdict).value or b"")

    prints_what_it_shows(block("console"))


def in_the_shop(number: int) -> Submission:
    """An upload of the swim shop's, or of another one's."""
    made = submission()
    return replace(
        made,
        id=SourceId(f"{number:032x}"),
        tenant="swim-shop" if number % 10 == 0 else "shop",
        event_id=f"e{number}",
        subject=replace(made.subject, id=f"s{number}"),
        delivery=replace(made.delivery, offset=number),
    )


def publish(policy: Path, verdicts: Path) -> None:
    """Write what the service publishes by a policy: underwear in every image of the swim shop's, and in some others."""
    deciding, encoding = Deciding(schema.load_policy(policy)), Encoding(group="moderation-consumer")
    with verdicts.open("wb") as lines:
        for number in range(400):
            met = number % 10 == 0 or number % 50 == 1
            label = Label("sexual_femaleUnderwear", 91.0, "high") if met else Label("nonLabel")
            answer = ModerationResult(
                service="baselineCheck_global", request_id="R", risk_level=label.level or "none", labels=(label,)
            )
            verdict = deciding.decide(in_the_shop(number), Assessment(answers=(answer,)), 1_795_000_000.0)
            lines.write((encoding.verdict(verdict).value or b"") + b"\n")


async def at_once(function: Callable[..., Any], /, *arguments: Any) -> Any:
    """Call it here."""
    return function(*arguments)


async def test_the_way_goes_on_to_a_rule_that_is_deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A backtest shows what the page shows, the service takes the file by itself, and a verdict is explained.
    """
    monkeypatch.chdir(tmp_path)
    deployed, policy = Path("deployed.yaml"), Path("policy.yaml")
    deployed.write_text("policy: img-mod\nversion: 7\n")
    policy.write_text(block("yaml policy"))
    publish(deployed, Path("verdicts.jsonl"))
    in_force, clock = InForce(ReadyPolicy(schema.load_policy(deployed))), ManualClock()
    watch = PolicyWatch(PolicyFiles(file=deployed), policy_of, in_force, clock, in_thread=at_once)

    prints_what_it_shows(block("console wish"))
    policy.replace(deployed)
    with capture_logs() as log:
        await clock.run(watch.look())
    deployed.replace(policy)
    publish(policy, Path("verdicts.jsonl"))
    Path("verdict.json").write_text(Path("verdicts.jsonl").read_text().splitlines()[0])
    prints_what_it_shows(block("console wish explained"))

    told = [each for each in log if each["event"] == "policy.in_force"]
    assert [f"{each['event']} id={each['id']} version={each['version']}\n" for each in told] == [block("text in force")]
    assert in_force.ready().name.version == 8


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
