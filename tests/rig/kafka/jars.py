"""
What a broker is made of: the machine's Java, and Kafka's jars, fetched once through Maven. Starts no broker.
"""

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

POM = Path(__file__).with_name("pom.xml")
CACHE = Path(__file__).parents[3] / ".kafka"
OLDEST_JAVA = 17
DOWNLOAD_TIMEOUT = 600.0


class ToolMissing(Exception):
    """This machine lacks Java or Maven; the message says which, and what was found instead."""


class DownloadFailed(Exception):
    """Maven could not fetch the jars; the message is Maven's own."""


def version() -> str:
    """The Kafka release that `pom.xml` names."""
    found = ElementTree.parse(POM).findtext(".//{*}kafka.version")
    assert found, f"{POM} names no kafka.version"
    return found


def java() -> str:
    """The `java` to run: JAVA_HOME's, else the PATH's. Raises `ToolMissing` unless it is 17 or newer."""
    home = os.environ.get("JAVA_HOME")
    command = shutil.which("java", path=f"{home}/bin" if home else None)
    if command is None:
        raise ToolMissing(f"Java {OLDEST_JAVA} or newer: no java in {'JAVA_HOME' if home else 'the PATH'}")
    said = subprocess.run([command, "-version"], capture_output=True, text=True, check=False).stderr
    major = re.search(r'version "(\d+)', said)
    if major is None or int(major[1]) < OLDEST_JAVA:
        raise ToolMissing(f"Java {OLDEST_JAVA} or newer: {command} says {said.strip().splitlines()[:1]}")
    return command


def jars(cache: Path = CACHE) -> Path:
    """
    The folder with Kafka's jars: KAFKA_JARS as it is, else one in `cache` named by version, filled by Maven once.

    Blocks while another process fetches. Raises `ToolMissing` without Maven, `DownloadFailed` when Maven fails.
    """
    if given := os.environ.get("KAFKA_JARS"):
        if not list(Path(given).glob("kafka_*.jar")):
            raise DownloadFailed(f"KAFKA_JARS is {given}, where there is no kafka_*.jar")
        return Path(given)
    folder = cache / version()
    if not _is_current(folder):
        maven = _maven()
        cache.mkdir(exist_ok=True)
        with (cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_current(folder):  # nobody fetched it while we waited
                _fetch(maven, folder)
    return folder


def missing_tools() -> list[str]:
    """What this machine lacks for running a broker, a phrase each; empty when nothing is missing."""
    missing = []
    try:
        java()
    except ToolMissing as error:
        missing.append(str(error))
    if not os.environ.get("KAFKA_JARS") and not _is_current(CACHE / version()):
        try:
            _maven()
        except ToolMissing as error:
            missing.append(str(error))
    return missing


def _maven() -> str:
    command = shutil.which("mvn")
    if command is None:
        raise ToolMissing("Maven: no mvn in the PATH")
    return command


def _is_current(folder: Path) -> bool:
    """Whether the folder holds what today's `pom.xml` asks for. Its copy of the pom is the last file to get there."""
    copy = folder / POM.name
    return copy.is_file() and copy.read_bytes() == POM.read_bytes()


def _fetch(maven: str, folder: Path) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    for stale in (partial, folder):
        shutil.rmtree(stale, ignore_errors=True)
    copy_dependencies = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={partial}"]
    done = subprocess.run(
        [maven, "--quiet", "--batch-mode", "-Dstyle.color=never", "--file", str(POM), *copy_dependencies],
        capture_output=True,
        text=True,
        timeout=DOWNLOAD_TIMEOUT,
        check=False,
    )
    if done.returncode != 0:
        raise DownloadFailed(f"Maven could not fetch Kafka {version()}:\n{done.stdout}{done.stderr}")
    shutil.copy(POM, partial)
    partial.rename(folder)
