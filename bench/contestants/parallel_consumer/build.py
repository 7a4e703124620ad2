"""Fetches the jars through Maven and compiles the contestant, once."""

from pathlib import Path

from bench.contestants.built import built_once, run, tool

HERE = Path(__file__).parent
POM, SOURCE = HERE / "pom.xml", HERE / "Contestant.java"


def command() -> list[str]:
    """Return the command that starts it. Raises `BuildFailed`."""
    folder = built_once("parallel-consumer", (POM, SOURCE), _build)
    return [tool("java"), "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{folder}:{folder}/*", "Contestant"]


def _build(folder: Path) -> None:
    wanted = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    run([tool("mvn"), "--quiet", "--batch-mode", "-Dstyle.color=never", "--file", str(POM), *wanted], folder)
    run([tool("javac"), "-cp", f"{folder}/*", "-d", str(folder), str(SOURCE)], folder)
