"""
The Dockerfile, read: a build needs an engine, which tests do without.
"""

import json
import re
from fnmatch import fnmatch

from tests.deployment.compose import COMMAND, ENTRYPOINT, ROOT, SERVICES

TEXT = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
INSTRUCTIONS = [(line.split()[0], line.split(maxsplit=1)[1]) for line in TEXT.splitlines() if line and line[0] != "#"]
STAGES = [arguments.split() for instruction, arguments in INSTRUCTIONS if instruction == "FROM"]
COMMANDS = [
    command.strip()
    for instruction, arguments in INSTRUCTIONS
    if instruction == "RUN"
    for command in arguments.split("&&")
]


def arguments_of(instruction: str) -> list[str]:
    """The arguments of each instruction of a kind."""
    return [arguments for name, arguments in INSTRUCTIONS if name == instruction]


def test_every_stage_comes_from_one_image_of_an_exact_version() -> None:
    """
    The base is a patch release of Python on a release of Debian, unless another is named, by its digest say; the other
    stages build on it.
    """
    (base, *others) = STAGES

    assert base[0] == "${BASE}"
    assert INSTRUCTIONS[0][0] == "ARG"
    assert re.fullmatch(r"BASE=python:3\.\d+\.\d+-slim-[a-z]+", INSTRUCTIONS[0][1])
    assert {source for source, _, _ in others} <= {name for _, _, name in STAGES}


def test_the_service_is_what_is_built_by_default() -> None:
    """
    The last stage is the service; the targets that compose.yaml builds exist.
    """
    names = [name for _, _, name in STAGES]
    targets = {service["build"]["target"] for service in SERVICES.values() if "build" in service}

    assert names[-1] == "service"
    assert targets <= set(names)


def test_everything_installed_has_a_hash() -> None:
    """
    Hashes are required of all that pip fetches; the exceptions fetch nothing: they build and install our own package.
    """
    environment = " ".join(arguments_of("ENV"))
    commands = [command for command in COMMANDS if re.search(r"\bpip\b.* (install|wheel|download) ", command)]
    locks = [lock for command in commands for lock in re.findall(r"-r (\S+)", command)]
    unlocked = [command for command in commands if "-r " not in command]

    assert "PIP_REQUIRE_HASHES=1" in environment
    names = ("build", "images", "otel", "stores", "demo")
    assert locks == [f"locks/{name}.txt" for name in names]
    assert all("--hash=sha256:" in (ROOT / lock).read_text() for lock in locks)
    assert [command for command in COMMANDS if "PIP_REQUIRE_HASHES=0" in command] == unlocked
    assert len(unlocked) == 2
    assert all("--no-index --no-deps" in command for command in unlocked)
    assert "--no-build-isolation" in unlocked[0]


def test_the_image_has_no_pip() -> None:
    """
    The environment that is copied into it was made without pip and is filled by another's. The base's own is removed,
    with what could bring it back, before either target begins.
    """
    made = [command for command in COMMANDS if "-m venv" in command]
    stages = {name: source for source, _, name in STAGES}
    start = INSTRUCTIONS.index(("FROM", "base AS runtime"))
    [removal] = [arguments for name, arguments in INSTRUCTIONS[start:] if name == "RUN"]

    assert made == ["python -m venv /opt/build", "python -m venv --without-pip /opt/venv"]
    assert {arguments.split()[1] for arguments in arguments_of("COPY") if "--from=" in arguments} == {"/opt/venv"}
    assert stages["service"] == stages["demo"] == "runtime"
    assert "pip uninstall --yes --quiet pip setuptools wheel" in removal
    assert "import ensurepip" in removal


def test_it_runs_as_a_numbered_nobody() -> None:
    """
    The user is a number, so that Kubernetes can see that it is not root, and is set after the last command.
    """
    users = arguments_of("USER")
    order = [name for name, _ in INSTRUCTIONS]

    assert users == ["10001:10001"]
    assert "RUN" not in order[order.index("USER") :]


def test_it_starts_as_the_chart_and_compose_expect() -> None:
    """
    The entry point is the command line, so that arguments are enough to say what to run.
    """
    assert [json.loads(arguments) for arguments in arguments_of("ENTRYPOINT")] == [ENTRYPOINT]
    assert [json.loads(arguments) for arguments in arguments_of("CMD")] == [COMMAND]


def test_what_is_copied_is_sent_to_the_builder() -> None:
    """
    Each file that is copied exists and is let through by .dockerignore, which lets nothing else through.
    """
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source
        for arguments in arguments_of("COPY")
        if not arguments.startswith("--from=")
        for source in arguments.split()[:-1]
    }

    assert all((ROOT / source).exists() for source in copied)
    assert {source.split("/")[0] for source in copied} == let_through
    assert not any(fnmatch(".git", pattern) or fnmatch(".venv", pattern) for pattern in let_through)
