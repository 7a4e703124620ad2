import subprocess
import sys
from pathlib import Path

from tests.rig.replica import ROOT


def test_a_worker_that_dies_is_told_with_its_status(tmp_path: Path) -> None:
    """
    By a signal, or by itself: without it nobody knows what to look for.
    """
    (tmp_path / "test_it.py").write_text(
        "import os, signal\n\ndef test_it():\n    os.kill(os.getpid(), signal.SIGTERM)\n"
    )

    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-n", "1", "--max-worker-restart", "0", "-p", "no:cacheprovider"),
            *("-p", "tests.rig.telling", "-c", "/dev/null", "--rootdir", str(tmp_path), str(tmp_path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "gw0 ended with status -15" in done.stdout, done.stdout + done.stderr
