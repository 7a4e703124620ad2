"""
What suites need of a machine, and what happens to their tests where it is missing.

A test that asks for a fixture of a need, through whatever fixtures, gets the need's marker. Where the machine lacks
something such tests are skipped, and the end of the run says loudly which and why; with CI=true they fail instead,
each in its fixture, which says what is missing.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.rig.go_tools import HELM, MINIO
from tests.rig.kafka.jars import missing_tools


@dataclass(frozen=True, slots=True)
class Need:
    """Something that not every machine has."""

    marker: str
    what: str
    fixtures: frozenset[str]
    missing: Callable[[], list[str]]
    """What this machine lacks, a phrase each; empty where nothing is missing."""
    remedy: tuple[str, ...]
    """How to get it, lines."""


NEEDS = (
    Need(
        marker="kafka",
        what="a real Kafka",
        fixtures=frozenset({"kafka", "kafka_cluster", "secured_kafka"}),
        missing=missing_tools,
        remedy=(
            "To run them, on Debian and Ubuntu:",
            "  apt-get install default-jre-headless maven && make test",
        ),
    ),
    Need(
        marker="helm",
        what="helm",
        fixtures=frozenset({"helm_charts"}),
        missing=HELM.missing,
        remedy=(
            "To run them, with any Go installed (on Debian and Ubuntu: apt-get install golang-go):",
            "  make helm && make test",
        ),
    ),
    Need(
        marker="minio",
        what="MinIO",
        fixtures=frozenset({"minio"}),
        missing=MINIO.missing,
        remedy=(
            "To run them, with any Go installed (on Debian and Ubuntu: apt-get install golang-go):",
            "  make minio && make scenarios",
        ),
    ),
    Need(
        marker="compilers",
        what="the compilers of subscribers' languages",
        fixtures=frozenset({"javac", "go"}),
        missing=lambda: [f"{name} is not in the PATH" for name in ("javac", "go") if shutil.which(name) is None],
        remedy=(
            "To run them, on Debian and Ubuntu:",
            "  apt-get install default-jdk-headless golang-go && make test",
        ),
    ),
    Need(
        marker="maven",
        what="Maven",
        fixtures=frozenset({"maven"}),
        missing=lambda: [] if shutil.which("mvn") else ["mvn is not in the PATH"],
        remedy=(
            "To run them, on Debian and Ubuntu:",
            "  apt-get install default-jdk-headless maven && make scenarios",
        ),
    ),
)
LEFT_OUT = pytest.StashKey[dict[str, Counter[str]]]()


@pytest.hookimpl(tryfirst=True)  # before -m looks at the markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for need in NEEDS:
            if need.fixtures & set(getattr(item, "fixturenames", ())):
                item.add_marker(need.marker)


def pytest_collection_finish(session: pytest.Session) -> None:
    left_out = session.config.stash[LEFT_OUT] = {}
    if os.environ.get("CI") == "true":
        return
    for need in NEEDS:
        needing = [item for item in session.items if item.get_closest_marker(need.marker)]
        missing = need.missing() if needing else []
        if missing:
            left_out[need.marker] = Counter(item.nodeid.partition("::")[0] for item in needing)
        for item in needing if missing else ():
            item.add_marker(pytest.mark.skip(reason=f"needs {need.what}; missing: {'; '.join(missing)}"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):  # of pytest-xdist: the end of the run is told by another process
        session.config.workeroutput["left_out"] = {name: dict(suites) for name, suites in _left_out(session.config)}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    told = getattr(node, "workeroutput", {}).get("left_out", {})
    node.config.stash[LEFT_OUT] = {name: Counter(suites) for name, suites in told.items()}  # every worker's is the same


def _left_out(config: pytest.Config) -> Iterable[tuple[str, Counter[str]]]:
    return config.stash.get(LEFT_OUT, {}).items()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for need in NEEDS:
        suites = dict(_left_out(config)).get(need.marker)
        if suites is None:
            continue
        terminalreporter.section(f"NOT TESTED: what needs {need.what}", sep="!", red=True, bold=True)
        for phrase in need.missing():
            terminalreporter.line(f"Missing on this machine: {phrase}")
        terminalreporter.line(f"Left out: {suites.total()} tests")
        for suite, tests in suites.items():
            terminalreporter.line(f"  {tests:4}  {suite}")
        for line in need.remedy:
            terminalreporter.line(line)
