"""
The wheel, installed where there is no checkout: every command works or says in one line what is missing.
"""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from consumer.demo.uploads import FEWEST
from consumer.emulator import EmulatorSettings, running
from tests.rig.emulated import KEY as EMULATED
from tests.rig.pictures import picture
from tests.rig.replica import KEY

pytestmark = pytest.mark.scenario  # whole commands, started from nothing, dozens of times

ROOT = Path(__file__).parents[2]
BOUND_TO_UPLOAD = '--set=bindings=[{bucket: b, via: upload, url: "https://cdn.example.com/{key}"}]'
BOUND_TO_A_STORE = "--set=bindings=[{bucket: b, via: upload, store: a}]"
NOWHERE = "--set=kafka.bootstrap_servers=127.0.0.1:1"
FREE_PORTS = ("--set=health.port=0", "--set=health.metrics_port=0")  # the default ones may be another program's


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended."""

    status: int | None
    output: str
    errors: str


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment with the wheel and what it requires."""

    program: Path
    extras: Path
    """Packages of the extra `demo`."""

    async def run(
        self, *arguments: str, folder: Path, demo: bool = False, until: str = "", environment: Mapping[str, str] = KEY
    ) -> Said:
        """Run a command in a folder; with `until`, send SIGTERM once that is written. Not longer than half a minute."""
        process = await asyncio.create_subprocess_exec(
            self.program,
            *arguments,
            cwd=folder,
            env={
                "PATH": os.environ["PATH"], "COLUMNS": "200", **environment,
                **({"PYTHONPATH": str(self.extras)} if demo else {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(60):
                seen = b""
                while until and until.encode() not in seen:
                    assert process.stderr is not None
                    line = await process.stderr.readline()
                    assert line, seen
                    seen += line
                if until:
                    process.send_signal(signal.SIGTERM)
                output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        return Said(process.returncode, output.decode(), (seen + errors).decode())


def packages_of(lock: str) -> set[str]:
    """The distributions that a lock names, of those that this machine needs."""
    names = re.findall(r"^([a-z0-9._-]+)==\S+(.*)$", (ROOT / "locks" / lock).read_text(), re.MULTILINE)
    return {
        name
        for name, marker in names
        if "sys_platform == 'win32'" not in marker and "python_full_version" not in marker
    }


def link(names: set[str], folder: Path) -> None:
    """Put what is installed of these distributions into a folder of packages, without copying it."""
    installed = Path(sysconfig.get_path("purelib"))
    for name in names:
        files = distribution(name).files or ()
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            if not (folder / top).exists():
                (folder / top).symlink_to(installed / top)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel of this checkout, built, and installed beside the packages of locks/run.txt alone."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = (folder / "dist").glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    [site] = (folder / "venv" / "lib").glob("python*/site-packages")
    needed = packages_of("run.txt")
    link(needed, site)
    extras = folder / "extras"
    extras.mkdir()
    link(packages_of("demo.txt") - needed, extras)
    return Installed(python.with_name("moderation-consumer"), extras)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A folder with nothing in it."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("command", ["--version", "--help", "schema", "config", "run --help"])
async def test_what_needs_no_file_works_anywhere(installed: Installed, empty: Path, command: str) -> None:
    """
    Every setting has a default, and what the commands read came with the wheel.
    """
    said = await installed.run(*command.split(), folder=empty)

    assert (said.status, said.errors) == (0, "")
    assert said.output
    assert list(empty.iterdir()) == []


async def test_a_scan_needs_no_file_and_no_pillow(installed: Installed, empty: Path) -> None:
    """
    The page and its images come with the wheel; without Pillow a small image is shown as it is.
    """
    (empty / "a.png").write_bytes(picture("blue", "PNG", (240, 240)))
    async with running(EmulatorSettings()) as emulator:
        endpoint = f"--set=provider.endpoint={emulator.url}"
        arguments = ("scan", "a.png", "--alone", "--html", "page.html", endpoint)
        said = await installed.run(*arguments, folder=empty, environment=EMULATED)

    assert said.status == 0, said.errors
    assert orjson.loads(said.output)["decision"] == "pass"
    assert "data:image/png;base64," in (empty / "page.html").read_text("utf-8")


async def test_the_example_policies_come_with_it(installed: Installed, empty: Path) -> None:
    """
    Where the page about the policy says, each with its tests.
    """
    [folder] = installed.program.parents[1].glob("lib/python*/site-packages/consumer/shipped_files/policies")
    tests = sorted(folder.glob("*.tests.yaml"))
    policies = [each.with_name(each.name.replace(".tests", "")) for each in tests]
    said = await asyncio.gather(*(installed.run("policy", "test", str(each), folder=empty) for each in policies))

    assert len(policies) == len(list((ROOT / "config" / "policies").iterdir())) / 2
    assert [(each.status, each.errors) for each in said] == [(0, "")] * len(policies)


async def test_the_service_runs_without_a_file(installed: Installed, empty: Path) -> None:
    """
    With the defaults and the policy of the release; here on free ports, without a broker, and until it is told to stop.
    """
    said = await installed.run("run", NOWHERE, *FREE_PORTS, folder=empty, until="kafka.unreachable")

    assert said.status == 0
    assert "Traceback" not in said.errors


async def test_a_check_without_a_file_says_what_it_looked_at(installed: Installed, empty: Path) -> None:
    """
    The defaults, and what does not answer.
    """
    elsewhere = "--set=provider.endpoint=http://127.0.0.1:1"
    said = await installed.run("check", NOWHERE, elsewhere, folder=empty)

    assert said.status == 1
    assert "no file: the defaults" in said.output
    assert "127.0.0.1:1" in said.output
    assert "Traceback" not in said.errors


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (("demo",), "demo"),
        (("broker",), "demo"),
        (("emulator",), "demo"),
        (("run", NOWHERE, *FREE_PORTS, "--set=tracing.enabled=true"), "otel"),
        (("run", NOWHERE, *FREE_PORTS, "--set=stores={a: {type: s3, region: eu-west-1}}", BOUND_TO_A_STORE), "stores"),
        (("run", NOWHERE, *FREE_PORTS, "--set=images.frames=2", BOUND_TO_UPLOAD), "images"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else value,
)
async def test_what_an_extra_installs_is_named_in_one_line(
    installed: Installed, empty: Path, command: tuple[str, ...], extra: str
) -> None:
    """
    With the command that installs it, and status 2.
    """
    said = await installed.run(*command, folder=empty)

    assert said.status == 2
    assert said.errors.strip().splitlines()[-1].endswith(f"pip install 'moderation-consumer[{extra}]'")
    assert "Traceback" not in said.errors


def unreadable(folder: Path) -> dict[str, str]:
    """Files that are no configuration, by what they are."""
    (folder / "binary").write_bytes(bytes(range(256)))
    (folder / "list").write_text("- a\n- b\n")
    (folder / "broken").write_text("kafka: {")
    return {"missing": "missing.yaml", "a folder": ".", "binary": "binary", "a list": "list", "broken": "broken"}


@pytest.mark.parametrize("command", ["run", "demo"])
async def test_a_file_that_is_no_configuration_is_named_in_one_line(
    installed: Installed, tmp_path: Path, command: str
) -> None:
    """
    Missing, a folder, binary, of another shape, or broken: status 2, and no traceback.
    """
    files = unreadable(tmp_path)
    answers = await asyncio.gather(
        *(installed.run(command, "--config", file, folder=tmp_path, demo=True) for file in files.values())
    )

    for (what, file), said in zip(files.items(), answers, strict=True):
        assert said.status == 2, what
        assert len(said.errors.strip().splitlines()) == 1, said.errors
        assert file in said.errors


async def test_what_cannot_be_written_or_asked_is_named_in_one_line(installed: Installed, tmp_path: Path) -> None:
    """
    A folder that is a file, URLs and brokers that are none, hosts that no name server knows: no traceback.
    """
    (tmp_path / "file").write_text("")
    long = "x" * 80
    commands = {
        "--write: file": ("schema", "--write", "file"),
        "--host": ("emulator", "--port", "0", "--host", long),
        "health.host": (
            "run",
            NOWHERE,
            *FREE_PORTS,
            f"--set=health.host={long}",
        ),
        "kafka.bootstrap_servers": ("offsets", "--set=kafka.bootstrap_servers=kafka:ninety"),
    }
    answers = await asyncio.gather(*(installed.run(*each, folder=tmp_path, demo=True) for each in commands.values()))

    for what, said in zip(commands, answers, strict=True):
        assert said.status == 2, said.errors
        assert len(said.errors.strip().splitlines()) == 1, said.errors
        assert what in said.errors


@pytest.mark.parametrize("module", ["typer", "rich", "pydantic"])
async def test_an_interrupt_while_modules_are_loaded_ends_without_a_traceback(
    installed: Installed, empty: Path, tmp_path: Path, module: str
) -> None:
    """
    Ctrl-C in the first second, here when the interpreter comes to this module: status 130, nothing said.
    """
    # A shell that starts the tests in the background lets them, and what they start, ignore SIGINT.
    heard = "import os, signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    (tmp_path / f"{module}.py").write_text(heard + "os.kill(os.getpid(), signal.SIGINT)\n")

    said = await installed.run("check", folder=empty, environment={"PYTHONPATH": str(tmp_path)})

    assert (said.status, said.output, said.errors) == (130, "", "")


def test_a_full_disk_below_standard_output_is_one_line(installed: Installed, empty: Path) -> None:
    """
    With status 1.
    """
    with open("/dev/full", "wb") as full:
        said = subprocess.run(
            [installed.program, "schema"], cwd=empty, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert said.returncode == 1
    assert len(said.stderr.strip().splitlines()) == 1
    assert "No space left on device" in said.stderr


async def test_a_port_that_is_taken_is_named_with_its_option(installed: Installed, empty: Path) -> None:
    """
    That of the emulator, and that of the health pages.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        emulator, service = await asyncio.gather(
            installed.run("emulator", "--port", str(port), folder=empty, demo=True),
            installed.run(
                "run", NOWHERE, *FREE_PORTS, "--set=health.host=127.0.0.1", f"--set=health.port={port}", folder=empty
            ),
        )

    assert (emulator.status, service.status) == (2, 2)
    assert f"--port: 127.0.0.1:{port}" in emulator.errors
    assert f"health.port: 127.0.0.1:{port} is taken" in service.errors
    assert "Traceback" not in emulator.errors + service.errors


async def test_the_demo_runs_from_the_wheel_alone(installed: Installed, empty: Path) -> None:
    """
    With the extra installed and no checkout near.
    """
    said = await installed.run(
        "demo", "--events", str(FEWEST), folder=empty, demo=True, environment={"TMPDIR": str(empty.parent)}
    )

    assert said.status == 0, said.output + said.errors
    assert f"✓ All {FEWEST} uploads came to what they must" in said.output
    assert list(empty.iterdir()) == []
