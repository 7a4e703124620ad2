"""
Contestants that are built: each once, into a folder of the cache, and again where what it is built from is different.
"""

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".bench"
TIMEOUT = 1800.0  # seconds


class BuildFailed(Exception):
    """A contestant could not be built; the message is its tool's own."""


def built_once(name: str, sources: Sequence[Path], build: Callable[[Path], None]) -> Path:
    """
    Return the folder where `build` has left what it makes of `sources`; it is called if nothing is there yet.

    Raises:
        BuildFailed: a tool is missing, or failed.
    """
    digest = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    folder = CACHE / f"{name}-{digest}"
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        build(partial)
        partial.rename(folder)
    return folder


def tool(name: str) -> str:
    """Return the path of a tool. Raises `BuildFailed` where there is none."""
    found = shutil.which(name)
    if found is None:
        raise BuildFailed(f"{name} is not in the PATH")
    return found


def run(command: Sequence[str], folder: Path) -> None:
    """Run a tool in a folder. Raises `BuildFailed` with its own words."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if done.returncode != 0:
        raise BuildFailed(f"{' '.join(command)} failed:\n{done.stdout[-4_000:]}{done.stderr[-4_000:]}")
