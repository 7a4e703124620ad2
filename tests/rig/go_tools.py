"""
The helm that renders the chart: built once by the machine's Go (`make helm`), found by the tests. Renders nothing.

    python -m tests.rig.helm     builds it
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

VERSION = "v3.20.2"
MODULE = f"helm.sh/helm/v3/cmd/helm@{VERSION}"
GO_VERSION = "1.25.5"
"""The Go that builds it where the machine's own is older than this."""

CACHE = Path(__file__).parents[2] / ".helm"
BUILD_TIMEOUT = 1200.0


class HelmMissing(Exception):
    """There is no helm here, or none can be built; the message says why."""


def helm(cache: Path = CACHE) -> str:
    """The `helm` to run: HELM as it is, else the one that `make helm` built, else the PATH's. Raises `HelmMissing`."""
    if given := os.environ.get("HELM"):
        if not os.access(given, os.X_OK):
            raise HelmMissing(f"helm: HELM is {given}, which cannot be run")
        return given
    built = cache / VERSION / "helm"
    command = str(built) if built.is_file() else shutil.which("helm")
    if command is None:
        raise HelmMissing(f"helm: neither {built.relative_to(cache.parent)}, which `make helm` builds, nor in the PATH")
    return command


def missing_helm() -> list[str]:
    """What this machine lacks for rendering charts, a phrase each; empty where nothing is missing."""
    try:
        helm()
    except HelmMissing as error:
        return [str(error)]
    return []


def build(cache: Path = CACHE) -> Path:
    """
    Build helm into `cache` unless it is there: two minutes and half a gigabyte, once.

    Raises: HelmMissing, without Go or when it fails, with Go's own words.
    """
    folder = cache / VERSION
    if not (folder / "helm").is_file():
        partial = folder.with_name(f"{VERSION}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        _run(
            [_go(), "install", MODULE], GOBIN=str(partial), GOTOOLCHAIN="local", GOFLAGS="-modcacherw", CGO_ENABLED="0"
        )
        partial.rename(folder)
    return folder / "helm"


def _go() -> str:
    """A Go that is new enough: the machine's, or one that the machine's fetches as a module."""
    command = shutil.which("go")
    if command is None:
        raise HelmMissing("Go: no go in the PATH")
    found = re.search(r"go(\d+)\.(\d+)", _run([command, "version"], GOTOOLCHAIN="local"))
    if found and tuple(map(int, found.groups())) >= tuple(map(int, GO_VERSION.split(".")[:2])):
        return command
    return _fetch_go(command)


def _fetch_go(old: str) -> str:
    """
    The Go that `old` downloads through the module proxy, which checks its sum.

    By itself Go does so from 1.21 on only; Debian 12 has 1.19. To that it is a module like another, and a module has no
    permissions to execute and no modules inside: their go.mod files are called _go.mod there.
    """
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    module = f"golang.org/toolchain@v0.0.1-go{GO_VERSION}.{platform.system().lower()}-{architecture}"
    _run([old, "mod", "download", module], GOTOOLCHAIN="local", GOFLAGS="-modcacherw")
    root = Path(_run([old, "env", "GOMODCACHE"]).strip()) / module
    for folder in (root / "bin", root / "pkg" / "tool"):
        for file in folder.rglob("*"):
            file.chmod(0o755)
    for file in list(root.rglob("_go.mod")):
        file.rename(file.with_name("go.mod"))
    return str(root / "bin" / "go")


def _run(command: list[str], **environment: str) -> str:
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        cwd=CACHE.parent,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT,
        check=False,
    )
    if done.returncode != 0:
        raise HelmMissing(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    try:
        print(f"helm {VERSION}: {build()}")
    except HelmMissing as error:
        sys.exit(f"No helm: {error}")
