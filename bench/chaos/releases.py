"""
Earlier releases of the service, each from this repository's history, with an environment of its own in `.releases/`.
"""

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.rig.replica import ROOT, Release

RELEASES = ROOT / ".releases"
BEFORE_SIGNATURES = "1c6ae3c"  # knew no signatures, one port, and no windows of the journal


class NoHistory(Exception):
    """The commit is not in this checkout: a shallow clone, or no repository."""


async def earlier(commit: str) -> Release:
    """Return that release; the first time it is installed, which takes a minute. `NoHistory` escapes."""
    folder = RELEASES / commit
    python = folder / ".venv" / "bin" / "python"
    if not (folder / "ready").exists():
        await asyncio.to_thread(_install, commit, folder, python)
    return Release(folder, python, has_metrics_port=False)


def _install(commit: str, folder: Path, python: Path) -> None:
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        raise NoHistory(f"{commit} is not in this checkout: fetch the whole history (git fetch --unshallow)")
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder / ".venv")], check=True)
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    locks = [f"--requirement={folder / 'locks' / name}" for name in ("run.txt", "build.txt")]
    subprocess.run([*pip, "--require-hashes", *locks], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", str(folder)], check=True)
    (folder / "ready").touch()
