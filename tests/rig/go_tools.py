"""
Tools that tests run and that are built once by the machine's Go, from their modules: helm, which renders the chart, and
MinIO, a store that speaks like Amazon's S3. Runs none of them.

    python -m tests.rig.go_tools helm      builds one (`make helm`, `make minio`)
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
GO_VERSION = "1.25.5"
"""The Go that builds them where the machine's own is older than this."""
BUILD_TIMEOUT = 1800.0
COMPILERS = 2
"""How many run at a time: one takes up to a gigabyte."""


class ToolMissing(Exception):
    """A tool is not here, or cannot be built; the message says why."""


@dataclass(frozen=True, slots=True)
class GoTool:
    """A command that is built from a version of a module."""

    name: str
    package: str
    version: str
    """As Go has it: its module's tag, or the commit's time and name where it has no such tags."""
    cache: Path
    """Where it stays, in a folder of its version."""

    @property
    def variable(self) -> str:
        """The variable of the environment that names another one to run."""
        return self.name.upper()

    @property
    def built(self) -> Path:
        """Where `build` leaves it."""
        return self.cache / self.version / self.name

    def command(self) -> str:
        """The one to run: the variable's as it is, else the one that was built, else PATH's. Raises `ToolMissing`."""
        if given := os.environ.get(self.variable):
            if not os.access(given, os.X_OK):
                raise ToolMissing(f"{self.name}: {self.variable} is {given}, which cannot be run")
            return given
        command = str(self.built) if self.built.is_file() else shutil.which(self.name)
        if command is None:
            built = self.built.relative_to(self.cache.parent)
            raise ToolMissing(f"{self.name}: neither {built}, which `make {self.name}` builds, nor in the PATH")
        return command

    def missing(self) -> list[str]:
        """What this machine lacks for running it, a phrase each; empty where nothing is missing."""
        try:
            self.command()
        except ToolMissing as error:
            return [str(error)]
        return []

    def build(self) -> Path:
        """
        Build it unless it is there: a few minutes, once. Go keeps what it downloads and compiles where it always does.

        Raises: ToolMissing, without Go or when it fails, with Go's own words.
        """
        if not self.built.is_file():
            partial = self.built.parent.with_name(f"{self.version}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            _run(
                [_go(), "install", "-p", str(COMPILERS), f"{self.package}@{self.version}"],
                GOBIN=str(partial), GOTOOLCHAIN="local", GOFLAGS="-modcacherw -ldflags=-s", CGO_ENABLED="0",
            )  # fmt: skip
            partial.rename(self.built.parent)
        return self.built


HELM = GoTool("helm", "helm.sh/helm/v3/cmd/helm", "v3.20.2", ROOT / ".helm")
MINIO = GoTool("minio", "github.com/minio/minio", "v0.0.0-20260212201848-7aac2a2c5b7c", ROOT / ".minio")
"""The last one that is free: AGPL-3.0, run by tests alone, changed in nothing, and no part of what is shipped."""


def _go() -> str:
    """A Go that is new enough: the machine's, or one that the machine's fetches as a module."""
    command = shutil.which("go")
    if command is None:
        raise ToolMissing("Go: no go in the PATH")
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
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT,
        check=False,
    )
    if done.returncode != 0:
        raise ToolMissing(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    for tool in (HELM, MINIO):
        if tool.name in sys.argv[1:]:
            try:
                print(f"{tool.name} {tool.version}: {tool.build()}")
            except ToolMissing as error:
                sys.exit(f"No {tool.name}: {error}")
