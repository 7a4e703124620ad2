"""
What a test run says and does on a machine without Java and Maven.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUITE = "tests/contract/test_offsets.py"


def run_suite(**environment: str) -> subprocess.CompletedProcess[str]:
    """Run a suite that needs a real Kafka, with an empty PATH."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("CI", "JAVA_HOME", "KAFKA_JARS")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", SUITE],
        cwd=ROOT,
        env={**inherited, "PATH": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_was_left_out_is_said_loudly() -> None:
    """
    Without Java the run passes, and ends by saying how many tests of which suite it left out, why, and what to do.
    """
    run = run_suite()

    report = run.stdout.partition("NOT TESTED")[2]
    left_out = re.search(r"Left out: ([1-9]\d*) tests", report)
    assert run.returncode == 0
    assert left_out
    assert f"{left_out[1]} skipped" in report
    assert f"{left_out[1]}  {SUITE}" in report
    assert "no java in the PATH" in report
    assert "apt-get install default-jre-headless maven && make test" in report


def test_in_ci_a_missing_tool_is_a_failure() -> None:
    """
    With CI=true the same run fails, every test saying what is missing.
    """
    run = run_suite(CI="true")

    assert run.returncode == 1
    assert re.search(r"= [1-9]\d* errors in", run.stdout)
    assert re.search(r"no (java|mvn) in the PATH", run.stdout)  # Maven, where the jars were never fetched
    assert "NOT TESTED" not in run.stdout
