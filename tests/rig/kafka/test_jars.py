"""
How a broker's Java and jars are found: fetched once, whole, and with the tools' own words when they are not.
"""

import asyncio
from pathlib import Path

import pytest

from tests.rig.kafka.jars import DownloadFailed, ToolMissing, jars, java, version

# A Maven that fetches one jar, slowly, and counts how often it was asked.
MAVEN = """#!/bin/bash
set -e
echo asked >> {calls}
for argument in "$@"; do case $argument in -DoutputDirectory=*) folder=${{argument#*=}};; esac; done
mkdir -p "$folder"
sleep 0.3
echo jar > "$folder/kafka_2.13.jar"
{end}
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first in the PATH, for commands of the test's own."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("KAFKA_JARS", raising=False)
    return folder


def install(folder: Path, name: str, script: str) -> None:
    """Put a command there."""
    (folder / name).write_text(script)
    (folder / name).chmod(0o755)


async def test_jars_are_fetched_once_however_many_ask(tmp_path: Path, tools: Path) -> None:
    """
    Of several that need the jars at once one fetches them and the others wait; later ones find them.
    """
    calls = tmp_path / "calls"
    install(tools, "mvn", MAVEN.format(calls=calls, end="exit 0"))

    found = await asyncio.gather(*(asyncio.to_thread(jars, tmp_path / "cache") for _ in range(3)))
    later = jars(tmp_path / "cache")

    assert {*found, later} == {tmp_path / "cache" / version()}
    assert (later / "kafka_2.13.jar").is_file()
    assert calls.read_text().splitlines() == ["asked"]


def test_half_a_download_does_not_count(tmp_path: Path, tools: Path) -> None:
    """
    When Maven fails midway its message is raised, and the next attempt starts anew.
    """
    calls = tmp_path / "calls"
    install(tools, "mvn", MAVEN.format(calls=calls, end="echo 'Could not transfer artifact'; exit 1"))
    with pytest.raises(DownloadFailed, match="Could not transfer artifact"):
        jars(tmp_path / "cache")
    install(tools, "mvn", MAVEN.format(calls=calls, end="exit 0"))

    folder = jars(tmp_path / "cache")

    assert (folder / "kafka_2.13.jar").is_file()
    assert calls.read_text().splitlines() == ["asked", "asked"]


def test_a_folder_without_kafka_is_refused(tmp_path: Path, tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    KAFKA_JARS is taken at its word, and must hold Kafka.
    """
    monkeypatch.setenv("KAFKA_JARS", str(tmp_path))

    with pytest.raises(DownloadFailed, match="KAFKA_JARS"):
        jars(tmp_path / "cache")


@pytest.mark.parametrize("printed", ['openjdk version "11.0.27" 2025-04-15', 'java version "1.8.0_452"', "garbage"])
def test_an_older_java_is_as_good_as_none(tools: Path, printed: str) -> None:
    """
    Below version 17 Java counts as missing, and the message says what was found.
    """
    install(tools, "java", printing(printed))

    with pytest.raises(ToolMissing) as missing:
        java()

    assert printed in str(missing.value)


@pytest.mark.parametrize("printed", ['openjdk version "17.0.15" 2025-04-15', 'openjdk version "25" 2025-09-16'])
def test_a_newer_java_is_taken(tools: Path, printed: str) -> None:
    """
    Version 17 and whatever follows it will do.
    """
    install(tools, "java", printing(printed))

    assert java() == str(tools / "java")


def printing(version: str) -> str:
    """A Java that only tells its version, where Java tells it."""
    return f"#!/bin/bash\necho '{version}' >&2\n"
