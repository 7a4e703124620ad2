"""
What a test run says and does on a machine that lacks what some suites need.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]


class Lack(NamedTuple):
    """A suite, an environment that lacks what it needs, and what is said of it."""

    suite: str
    environment: dict[str, str]
    missing: str
    remedy: str


KAFKA = Lack(
    suite="tests/contract/test_offsets.py",
    environment={"PATH": ""},
    missing=r"no (java|mvn) in the PATH",  # Maven, where the jars were never fetched
    remedy="apt-get install default-jre-headless maven && make test",
)
HELM = Lack(
    suite="tests/helm/test_scenarios.py",
    environment={"HELM": "/nowhere/helm"},
    missing="HELM is /nowhere/helm, which cannot be run",
    remedy="make helm && make test",
)

COMPILERS = Lack(
    suite="tests/docs/test_verifying.py",
    environment={"PATH": ""},
    missing="(javac|go) is not in the PATH",
    remedy="apt-get install default-jdk-headless golang-go && make test",
)

each_lack = pytest.mark.parametrize("lack", [KAFKA, HELM, COMPILERS], ids=["kafka", "helm", "compilers"])


def run_suite(lack: Lack, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a suite where something is missing."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("CI", "JAVA_HOME", "KAFKA_JARS")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", *options, lack.suite],
        cwd=ROOT,
        env={**inherited, **lack.environment, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("options", [(), ("-n2", "--dist=loadgroup")], ids=["one process", "two processes"])
@each_lack
def test_what_was_left_out_is_said_loudly(lack: Lack, options: tuple[str, ...]) -> None:
    """
    The run passes, and ends by saying how many tests of which suite it left out, why, and what to do: once, in however
    many processes it ran.
    """
    run = run_suite(lack, *options)

    report = run.stdout.partition("NOT TESTED")[2]
    left_out = re.search(r"Left out: ([1-9]\d*) tests", report)
    assert run.returncode == 0
    assert run.stdout.count("NOT TESTED") == 1
    assert left_out
    assert f"{left_out[1]} skipped" in report
    assert f"{left_out[1]}  {lack.suite}" in report
    assert re.search(lack.missing, report)
    assert lack.remedy in report


@each_lack
def test_in_ci_what_is_missing_is_a_failure(lack: Lack) -> None:
    """
    With CI=true the same run fails, every test saying what is missing.
    """
    run = run_suite(lack, CI="true")

    assert run.returncode == 1
    assert re.search(r" [1-9]\d* errors in", run.stdout)
    assert re.search(lack.missing, run.stdout)
    assert "NOT TESTED" not in run.stdout
