"""
What a test run says and does on a machine that lacks what some suites need.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]


class Lack(NamedTuple):
    """A suite, an environment that lacks what it needs, and what is said of it."""

    suite: str
    environment: dict[str, str]
    what: str
    missing: str
    remedy: str


KAFKA = Lack(
    suite="tests/contract/test_offsets.py",
    environment={"PATH": ""},
    what="a real Kafka",
    missing=r"no (java|mvn) in the PATH",  # Maven, where the jars were never fetched
    remedy="apt-get install default-jre-headless maven && make test",
)
HELM = Lack(
    suite="tests/helm/test_scenarios.py",
    environment={"HELM": "/nowhere/helm"},
    what="helm",
    missing="HELM is /nowhere/helm, which cannot be run",
    remedy="make helm && make test",
)
COMPILERS = Lack(
    suite="tests/docs/test_verifying.py",
    environment={"PATH": ""},
    what="the compilers of subscribers' languages",
    missing="(javac|go) is not in the PATH",
    remedy="apt-get install default-jdk-headless golang-go && make test",
)
MINIO = Lack(
    suite="tests/scenarios/test_minio.py",
    environment={"MINIO": "/nowhere/minio"},
    what="MinIO",
    missing="MINIO is /nowhere/minio, which cannot be run",
    remedy="make minio && make scenarios",
)
LACKS = {"kafka": KAFKA, "helm": HELM, "compilers": COMPILERS, "minio": MINIO}

each_lack = pytest.mark.parametrize("lack", LACKS.values(), ids=LACKS)


@cache
def run_all(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the suites where all of it is missing."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("CI", "JAVA_HOME", "KAFKA_JARS")}
    lacking: Mapping[str, str] = {name: value for lack in LACKS.values() for name, value in lack.environment.items()}
    suites = [lack.suite for lack in LACKS.values()]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", *options, *suites],
        cwd=ROOT,
        env={**inherited, **lacking, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def left_out(report: str) -> dict[str, int]:
    """How many tests of which suite, as a section of the report has it."""
    return {suite: int(count) for count, suite in re.findall(r"^ +(\d+)  (tests/\S+)$", report, re.MULTILINE)}


@pytest.mark.parametrize(
    "options",
    [(), pytest.param(("-n2", "--dist=loadgroup"), marks=pytest.mark.scenario)],
    ids=["one process", "two processes"],
)
@each_lack
def test_what_was_left_out_is_said_loudly(lack: Lack, options: tuple[str, ...]) -> None:
    """
    The run passes, and ends by saying how many tests of which suite it left out, why, and what to do: once for each
    thing that is missing, in however many processes it ran.
    """
    run = run_all(*options)

    _, *sections = run.stdout.split("NOT TESTED: ")
    (report,) = (section for section in sections if section.startswith(f"what needs {lack.what} "))
    assert run.returncode == 0
    assert left_out(report)[lack.suite] > 0
    assert f"Left out: {sum(left_out(report).values())} tests" in report
    assert re.search(lack.missing, report)
    assert lack.remedy in report
    # What needs two of them is skipped once.
    skipped = {suite: count for section in sections for suite, count in sorted(left_out(section).items())}
    assert f"{sum(skipped.values())} skipped" in run.stdout


@each_lack
def test_in_ci_what_is_missing_is_a_failure(lack: Lack) -> None:
    """
    With CI=true the same run fails, its tests saying what is missing.
    """
    run = run_all(CI="true")

    assert run.returncode == 1
    assert re.search(r" [1-9]\d* errors in", run.stdout)
    assert re.search(lack.missing, run.stdout)
    assert re.search(rf"^ERROR {lack.suite}::", run.stdout, re.MULTILINE)
    assert "NOT TESTED" not in run.stdout
