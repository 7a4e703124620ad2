"""Builds the contestant with Go, once: a few minutes, as long as Go has compiled nothing of it yet."""

from pathlib import Path

from bench.contestants.built import built_once, run, tool

HERE = Path(__file__).parent
SOURCES = (*sorted(HERE.glob("*.go")), HERE / "go.mod", HERE / "go.sum")


def built() -> Path:
    """Return the program. Raises `BuildFailed`."""
    return built_once("benthos", SOURCES, _build) / "contestant"


def _build(folder: Path) -> None:
    run([tool("go"), "build", "-p", "2", "-ldflags=-s", "-o", str(folder / "contestant"), "."], HERE)
