"""
How helm is found and built: once, whole, by whatever Go there is, and with Go's own words when it fails.
"""

from pathlib import Path

import pytest

from tests.rig.helm import GO_VERSION, VERSION, HelmMissing, build, helm, missing_helm

# A Go that tells its version, "installs" a helm into GOBIN, and "downloads" a newer Go: all of it noted down.
GO = """#!/bin/bash
set -e
echo "$1 $2 $3" >> {calls}
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
    install) mkdir -p "$GOBIN"; echo "$0" > "$GOBIN/helm"; chmod +x "$GOBIN/helm"; {end} ;;
esac
"""


@pytest.fixture(autouse=True)
def no_helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH that has the system's commands, and first a folder of the test's own."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    monkeypatch.delenv("HELM", raising=False)


def install_go(folder: Path, version: str = GO_VERSION, end: str = "exit 0") -> None:
    """Put a Go there."""
    go = folder / "bin" / "go"
    go.write_text(GO.format(calls=folder / "calls", modules=folder / "modules", version=version, end=end))
    go.chmod(0o755)


def test_helm_is_built_once(tmp_path: Path) -> None:
    """
    The first build installs the release that is named; the second finds it, and so do the tests.
    """
    install_go(tmp_path)

    first, second = build(tmp_path / "cache"), build(tmp_path / "cache")

    assert first == second == tmp_path / "cache" / VERSION / "helm"
    assert helm(tmp_path / "cache") == str(first)
    assert (tmp_path / "calls").read_text().count("install") == 1


def test_half_a_build_does_not_count(tmp_path: Path) -> None:
    """
    When Go fails its words are raised, and the next attempt starts anew.
    """
    install_go(tmp_path, end="echo 'no space left' >&2; exit 1")
    with pytest.raises(HelmMissing, match="no space left"):
        build(tmp_path / "cache")
    install_go(tmp_path)

    assert build(tmp_path / "cache").is_file()


@pytest.mark.parametrize("version", ["1.19.8", "1.24.13"])
def test_an_older_go_fetches_a_newer_one(tmp_path: Path, version: str) -> None:
    """
    A Go that is too old downloads one that is not, made fit to run, and that one builds.
    """
    install_go(tmp_path, version)

    built = build(tmp_path / "cache")

    (newer,) = (tmp_path / "modules").glob(f"golang.org/toolchain@v0.0.1-go{GO_VERSION}.*")
    assert built.read_text().strip() == str(newer / "bin" / "go")
    assert (newer / "pkg" / "tool" / "linux" / "compile").stat().st_mode & 0o111
    assert [file.name for file in (newer / "src").iterdir()] == ["go.mod"]


@pytest.mark.parametrize("version", [GO_VERSION, "1.30", "2.0"])
def test_a_newer_go_builds_itself(tmp_path: Path, version: str) -> None:
    """
    A Go that is new enough downloads no other.
    """
    install_go(tmp_path, version)

    built = build(tmp_path / "cache")

    assert built.read_text().strip() == str(tmp_path / "bin" / "go")
    assert not (tmp_path / "modules").exists()


def test_without_go_nothing_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Without Go the build says what is missing, and so does whoever looks for helm.
    """
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    with pytest.raises(HelmMissing, match="no go in the PATH"):
        build(tmp_path / "cache")
    with pytest.raises(HelmMissing, match="make helm"):
        helm(tmp_path / "cache")


def test_a_helm_of_ones_own_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    HELM is taken at its word, and must be there.
    """
    monkeypatch.setenv("HELM", str(tmp_path / "my-helm"))
    before = missing_helm()
    (tmp_path / "my-helm").touch(0o755)

    assert [str(tmp_path / "my-helm") in phrase for phrase in before] == [True]
    assert helm() == str(tmp_path / "my-helm")
    assert missing_helm() == []
