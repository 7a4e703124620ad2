"""
How helm and MinIO are found and built: once, whole, by whatever Go there is, and with Go's own words when it fails.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.rig.go_tools import GO_VERSION, HELM, MINIO, GoTool, ToolMissing

# A Go that tells its version, "installs" a tool into GOBIN, and "downloads" a newer Go: all of it noted down.
GO = """#!/bin/bash
set -e
echo "$@" >> {calls}
case $1 in
    version) echo "go version go{version} linux/amd64" ;;
    env) echo {modules} ;;
    mod)
        root={modules}/$3
        mkdir -p "$root/bin" "$root/pkg/tool/linux" "$root/src"
        touch "$root/src/_go.mod"
        echo compiler > "$root/pkg/tool/linux/compile"
        sed 's/go{version}/gonewer/' "$0" > "$root/bin/go"
        ;;
    install)
        mkdir -p "$GOBIN"
        tool=${{4%@*}}
        echo "$0" > "$GOBIN/${{tool##*/}}"
        chmod +x "$GOBIN/${{tool##*/}}"
        {end}
        ;;
esac
"""


@pytest.fixture(params=[HELM, MINIO], ids=lambda tool: tool.name)
def tool(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GoTool:
    """With a cache of the test's own, and a PATH that has the system's commands, and first a folder of the test's."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    tool: GoTool = replace(request.param, cache=tmp_path / "cache")
    monkeypatch.delenv(tool.variable, raising=False)
    return tool


def install_go(folder: Path, version: str = GO_VERSION, end: str = "exit 0") -> None:
    """Put a Go there."""
    go = folder / "bin" / "go"
    go.write_text(GO.format(calls=folder / "calls", modules=folder / "modules", version=version, end=end))
    go.chmod(0o755)


def test_a_tool_is_built_once(tmp_path: Path, tool: GoTool) -> None:
    """
    The first build installs the version that is named, two compilers at a time; the second finds it, and so do tests.
    """
    install_go(tmp_path)

    first, second = tool.build(), tool.build()

    assert first == second == tmp_path / "cache" / tool.version / tool.name
    assert tool.command() == str(first)
    installed = [call for call in (tmp_path / "calls").read_text().splitlines() if call.startswith("install")]
    assert installed == [f"install -p 2 {tool.package}@{tool.version}"]


def test_half_a_build_does_not_count(tmp_path: Path, tool: GoTool) -> None:
    """
    When Go fails its words are raised, and the next attempt starts anew.
    """
    install_go(tmp_path, end="echo 'no space left' >&2; exit 1")
    with pytest.raises(ToolMissing, match="no space left"):
        tool.build()
    install_go(tmp_path)

    assert tool.build().is_file()


@pytest.mark.parametrize("version", ["1.19.8", "1.24.13"])
def test_an_older_go_fetches_a_newer_one(tmp_path: Path, tool: GoTool, version: str) -> None:
    """
    A Go that is too old downloads one that is not, made fit to run, and that one builds.
    """
    install_go(tmp_path, version)

    built = tool.build()

    (newer,) = (tmp_path / "modules").glob(f"golang.org/toolchain@v0.0.1-go{GO_VERSION}.*")
    assert built.read_text().strip() == str(newer / "bin" / "go")
    assert (newer / "pkg" / "tool" / "linux" / "compile").stat().st_mode & 0o111
    assert [file.name for file in (newer / "src").iterdir()] == ["go.mod"]


@pytest.mark.parametrize("version", [GO_VERSION, "1.30", "2.0"])
def test_a_newer_go_builds_itself(tmp_path: Path, tool: GoTool, version: str) -> None:
    """
    A Go that is new enough downloads no other.
    """
    install_go(tmp_path, version)

    built = tool.build()

    assert built.read_text().strip() == str(tmp_path / "bin" / "go")
    assert not (tmp_path / "modules").exists()


def test_without_go_nothing_is_built(tmp_path: Path, tool: GoTool, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Without Go the build says what is missing, and so does the search for the tool.
    """
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    with pytest.raises(ToolMissing, match="no go in the PATH"):
        tool.build()
    with pytest.raises(ToolMissing, match=f"make {tool.name}"):
        tool.command()


def test_a_tool_of_ones_own_is_taken(tmp_path: Path, tool: GoTool, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The variable is taken at its word, and what it names must be there.
    """
    monkeypatch.setenv(tool.variable, str(tmp_path / "my-own"))
    before = tool.missing()
    (tmp_path / "my-own").touch(0o755)

    assert [str(tmp_path / "my-own") in phrase for phrase in before] == [True]
    assert tool.command() == str(tmp_path / "my-own")
    assert tool.missing() == []
