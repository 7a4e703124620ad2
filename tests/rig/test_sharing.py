"""
Which tests of a run share a process.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = ("tests/rig/test_windows.py", "tests/test_keys.py", "tests/rig/test_link.py")


def test_a_file_stays_in_one_process_and_what_takes_long_comes_first() -> None:
    """
    In a run of several processes, as `make test` is, each file's tests run in one of them, so that its fixtures are
    made once, and files that have few long tests are given out before others.
    """
    options = re.search(r"^SHARED := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert options is not None
    arguments = ["-n", "2", *options[1].split()]  # fewer than the files: one is given out last

    run = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, "-v", "-p", "no:cacheprovider", "--color=no", *FILES],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        check=False,
    )

    passed = re.findall(r"^\[(gw\d)\] .* PASSED (\S+?)::", run.stdout, re.MULTILINE)
    assert run.returncode == 0, run.stdout
    assert {file for _, file in passed} == set(FILES)
    assert len(passed) > len(set(passed)) == len(FILES)
    assert passed[0][1].startswith("tests/rig/")
