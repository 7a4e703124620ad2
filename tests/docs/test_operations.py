"""What docs/operations.md must not leave out, taken from the code: metrics, reasons, loops."""

import ast
import re
from collections.abc import Iterator

import pytest
import yaml
from prometheus_client import CollectorRegistry

from consumer.alibaba.codes import GATEWAY_CODES, SERVICE_CODES
from consumer.errors import AccountRefused
from consumer.intake.decode import Rejection
from consumer.observability import metrics
from tests.rig.replica import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text()
FLOWING = " ".join(PAGE.split())
"""The page without its line breaks."""

BEGINNINGS = (
    "kafka: ", "provider: ", "images: ", "quota: ", "stopping: ", "internal: ", "breaker_of_blocks: ", "canaries: ",
    "people: ",
)  # fmt: skip
"""Of every reason: the page is ordered by them."""


def wordings(node: ast.AST) -> Iterator[str]:
    """The texts below a node, `…` standing for what is filled in; docstrings are not among them."""
    if isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
        yield "".join(map(str, parts))
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from wordings(part.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            if not (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)):
                yield from wordings(child)


def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / "consumer" / path).read_text())


def functions(module: ast.Module, *names: str) -> Iterator[ast.AST]:
    found = [each for each in ast.walk(module) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    return (each for each in found if not names or each.name in names)


SOURCES = [path.read_text() for path in sorted((ROOT / "consumer").rglob("*.py"))]


def modules(*words: str) -> list[ast.Module]:
    """Those that have any of these words: to parse the others takes a second."""
    return [ast.parse(source) for source in SOURCES if any(word in source for word in words)]


ASKED = [
    text
    for module in modules("def reasons_not_ready")
    for function in functions(module, "reasons_not_ready")
    for text in wordings(function)
    if " " in text.strip(", ")
]
BEGUN = [text for module in modules(*BEGINNINGS) for text in wordings(module) if text.startswith(BEGINNINGS)]
REFUSED = [
    text
    for function in [
        *functions(tree("kafka/refusals.py")),
        *functions(tree("kafka/security.py"), "_probe_at", "_look_for_brokers", "_line"),
        *functions(tree("kafka/security.py"), "_read"),
    ]
    for text in wordings(function)
    if " " in text.strip("… ")
]
REASONS = sorted({*ASKED, *BEGUN, *REFUSED})


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_for_not_being_ready_has_an_entry(reason: str) -> None:
    """
    In the code's own words, so that who is woken by one can search for it.
    """
    assert " ".join(reason.split()) in FLOWING


def test_reasons_are_found() -> None:
    """
    The search reaches each place that they come from, so that its finding nothing elsewhere means something.
    """
    assert all(text.startswith(BEGINNINGS) or text in FLOWING for text in ASKED)
    assert {beginning for beginning in BEGINNINGS for text in BEGUN if text.startswith(beginning)} == {*BEGINNINGS}
    assert any("password" in text for text in REFUSED)


def test_every_reason_of_a_dead_letter_has_an_entry() -> None:
    """
    With what to do about it, and none is made up.
    """
    section = PAGE.partition("\n## Dead letters\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]

    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(Rejection)


def test_every_code_that_stops_the_account_is_named() -> None:
    """
    With what to do about it.
    """
    words = [word for word, failure in GATEWAY_CODES if issubclass(failure, AccountRefused)]
    numbers = [str(number) for number, failure in SERVICE_CODES.items() if issubclass(failure, AccountRefused)]

    assert [code for code in words + numbers if not re.search(rf"`{code}…?`", PAGE)] == []


OF_FEEDBACK = ("reviews", "feedback", "commands/feedback")
"""Packages whose log events are all rows: each is about a decision, or about what is told of one."""


def test_every_event_that_feedback_logs_has_a_row() -> None:
    """
    By the name that stands in the log, and none is made up.
    """
    trees = [
        ast.parse(path.read_text())
        for package in OF_FEEDBACK
        for path in sorted((ROOT / "consumer" / package).glob("*.py"))
    ]
    logged = {
        ast.literal_eval(call.args[0])
        for module in trees
        for call in ast.walk(module)
        if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("log.")
    }
    section = PAGE.partition("\n## What is logged\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    named = set(re.findall(r"`([\w.]+)`", " ".join(rows)))

    assert logged - named == set()
    assert {each for each in named if each.startswith(("review.", "feedback.", "people."))} <= logged


def test_every_loop_that_livez_looks_at_is_named() -> None:
    """
    In the words of its complaint.
    """
    calls = [node for module in modules("Heartbeat") for node in ast.walk(module) if isinstance(node, ast.Call)]
    loops = [ast.literal_eval(call.args[0]) for call in calls if ast.unparse(call.func) == "Heartbeat"]

    assert loops
    assert [loop for loop in loops if f"`{loop} has not completed an iteration for … s`" not in FLOWING] == []


def test_every_metric_has_a_row_and_none_is_made_up() -> None:
    """
    By the name that Prometheus shows.
    """
    declared = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for metric in metrics.DECLARED
        for family in metric.made(CollectorRegistry()).describe()
    }
    rows = {
        name
        for line in PAGE.splitlines()
        if line.startswith("| `moderation_")
        for name in re.findall(r"`(moderation_\w+)`", line.split("|")[1])
    }

    assert rows == declared
    assert set(re.findall(r"\bmoderation_\w+", PAGE)) == declared


def test_links_lead_somewhere() -> None:
    """
    Those within the page to a heading, the others to a file.
    """
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(([^)]+)\)", PAGE)

    assert [link for link in links if link.startswith("#") and link[1:] not in anchors] == []
    assert [link for link in links if link[0] != "#" and not (ROOT / "docs" / link.partition("#")[0]).exists()] == []


def test_the_alerts_are_rules_that_prometheus_can_load() -> None:
    """
    As far as YAML goes, each with a name and an expression about a metric of ours.
    """
    [text] = re.findall(r"^```yaml prometheus\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

    rules = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]

    assert rules
    assert [rule for rule in rules if not ("moderation_" in rule["expr"] and rule["alert"].isalpha())] == []
