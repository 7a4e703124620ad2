"""docs/emulator.md: every command and program on it is run as it stands, but for the ports, which are free ones."""

import asyncio
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from typer.main import get_command

from consumer.cli import app
from consumer.emulator import Emulator, EmulatorSettings, running
from consumer.emulator.faults import What
from tests.emulator.imagehost import ImageHost, serving
from tests.rig import children
from tests.rig.replica import ROOT

PAGE = (ROOT / "docs" / "emulator.md").read_text()
SDKS = Path(__file__).parent / "sdks"
SETTINGS = EmulatorSettings(rules=str(ROOT / "examples" / "rules.yaml"), regions=("ap-southeast-1", "cn-shanghai"))
KEY = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": SETTINGS.access_key_id,
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SETTINGS.access_key_secret.get_secret_value(),
}
JUDGED = "200 violent_explosion"
SCANNED = ["porn pass", "terrorism block"]


@pytest.fixture
async def images() -> AsyncIterator[ImageHost]:
    """What the page serves by `http.server`."""
    folder = ROOT / "examples" / "images"
    async with serving({f"/{each.name}": each.read_bytes() for each in folder.iterdir()}) as host:
        yield host


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """The one that the page starts."""
    async with running(SETTINGS) as emulator:
        yield emulator


def block(kind: str) -> str:
    """A program of the page; its commands, of `sh`."""
    return "".join(re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


def program(kind: str, emulator: Emulator, images: ImageHost) -> str:
    """The same, with today's ports."""
    port = emulator.endpoint.rpartition(":")[2]
    text = block(kind).replace("http://127.0.0.1:8099", images.url).replace("127.0.0.1:8090", emulator.endpoint)
    return text.replace("port=8090", f"port={port}")


async def output_of(*arguments: str, folder: Path) -> list[str]:
    """The lines that a program prints, with the emulator's key and without proxies around it."""
    surroundings = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    process = await asyncio.create_subprocess_exec(
        *arguments, cwd=folder, env={**surroundings, **KEY}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    printed, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    return printed.decode().splitlines()


def test_every_option_is_explained_and_none_is_made_up() -> None:
    """
    Of the command.
    """
    options = get_command(app).commands["emulator"].params  # type: ignore[attr-defined]
    table = PAGE.partition("| option | |")[2].partition("\n\n")[0]

    assert set(re.findall(r"--[a-z]+(?:-[a-z]+)*", table)) == {each.opts[0] for each in options} - {"--help"}


def test_every_fault_is_explained_and_none_is_made_up() -> None:
    """
    Each effect has its row.
    """
    table = PAGE.partition("| fault (`what`)")[2].partition("\n\n")[0]
    told = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split(" | ")[0])}

    values = {"before_reading", "after_reading", "after_judging", "retry_after", "lost", "twice", "tampered"}
    values |= {"missing", "of_another", "unnamed", "unknown_suggestion"}
    assert told - values == set(What.model_fields)


async def test_the_command_starts_it() -> None:
    """
    As it stands on the page, with its two regions and the rules of the example.
    """
    [started] = re.findall(r"^moderation-consumer (emulator .*)$", PAGE, re.MULTILINE)
    arguments = [sys.executable, "-m", "consumer", *shlex.split(started), "--port", "0"]
    async with children.running(arguments, environment=KEY, output=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = [(await process.stdout.readline()).decode() for _ in range(3)]

    assert "Rules: 2." in told[0]
    assert [line.partition(" listens on ")[0] for line in told[1:]] == ["ap-southeast-1", "cn-shanghai"]


async def test_the_context_for_tests_is_one() -> None:
    """
    The function of the page passes.
    """
    page: dict[str, Any] = {}
    exec(block("python test"), page)

    await page["test_my_client"]()


async def test_in_python(emulator: Emulator, images: ImageHost, tmp_path: Path) -> None:
    """
    The tea SDKs: an image is judged, a library created.
    """
    (tmp_path / "sdk.py").write_text(program("python sdk", emulator, images))

    assert await output_of(sys.executable, "sdk.py", folder=tmp_path) == [JUDGED, "True"]
    assert [each.name for each in emulator.libraries.of("image")] == ["from-python"]


async def test_the_core_sdk_in_python(emulator: Emulator, images: ImageHost, tmp_path: Path) -> None:
    """
    A request of any operation.
    """
    (tmp_path / "core.py").write_text(program("python core", emulator, images))

    assert await output_of(sys.executable, "core.py", folder=tmp_path) == ["True"]


async def test_the_scan_api_in_python(emulator: Emulator, images: ImageHost, tmp_path: Path) -> None:
    """
    The 1.0 API, by its typed request.
    """
    (tmp_path / "scan.py").write_text(program("python scan", emulator, images))

    assert await output_of(sys.executable, "scan.py", folder=tmp_path) == SCANNED


@pytest.mark.scenario
async def test_in_java(javac: str, maven: str, emulator: Emulator, images: ImageHost, tmp_path: Path) -> None:
    """
    Both SDKs, from Maven: an image is judged by each API, a library created.
    """
    copied = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={tmp_path / 'jars'}"]
    pom = str(SDKS / "java" / "pom.xml")
    await output_of(maven, "--quiet", "--batch-mode", "--file", pom, *copied, folder=tmp_path)
    for name in ("Judge", "Libraries", "Scan"):
        (tmp_path / f"{name}.java").write_text(program(f"java {name}", emulator, images))
    path = ["-cp", f"jars/*{os.pathsep}."]
    await output_of(javac, "-proc:none", *path, "Judge.java", "Libraries.java", "Scan.java", folder=tmp_path)
    java = str(Path(javac).with_name("java"))

    assert await output_of(java, *path, "Judge", folder=tmp_path) == [JUDGED]
    assert await output_of(java, *path, "Libraries", folder=tmp_path) == ["true"]
    assert await output_of(java, *path, "Scan", folder=tmp_path) == SCANNED
    assert [each.name for each in emulator.libraries.of("image")] == ["from-java"]


@pytest.mark.scenario
async def test_in_go(go: str, emulator: Emulator, images: ImageHost, tmp_path: Path) -> None:
    """
    The client below the typed modules, and the older SDK: an image is judged by each API, a library created.
    """
    for name in ("go.mod", "go.sum"):
        shutil.copy(SDKS / "go" / name, tmp_path)
    for name, kind in (("judge", "go"), ("scan", "go scan")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "main.go").write_text(program(kind, emulator, images))
    await output_of(go, "build", "-o", "built/", "./judge", "./scan", folder=tmp_path)

    assert await output_of("built/judge", folder=tmp_path) == [JUDGED, "true"]
    assert await output_of("built/scan", folder=tmp_path) == SCANNED
    assert [each.name for each in emulator.libraries.of("image")] == ["from-go"]


async def test_what_it_says_about_itself(emulator: Emulator, images: ImageHost, tmp_path: Path) -> None:
    """
    Each line with `curl` does what the page says of it.
    """
    lines = [line for line in program("sh", emulator, images).splitlines() if line.startswith("curl")]
    emulator.libraries.create("image", {"name": "a", "category": "BLACK", "scene": "AD", "service_module": "open_api"})
    answers = {}
    async with aiohttp.ClientSession() as http:
        for line in lines:
            method, url, data, account = read_curl(line)
            if data == "@state.json":
                data = (tmp_path / "state.json").read_text()
                assert '"a"' in data
            async with http.request(method, f"http://{url}", data=data, headers=account) as response:
                assert response.status in (200, 204), line
                answers[method, url.rpartition("/")[2]] = await response.read()
                if "-o" in line:
                    (tmp_path / "state.json").write_bytes(answers["GET", "state"])

    assert orjson.loads(answers["GET", "stats"])["billed"] == 0
    assert b'"a"' in answers["GET", "libraries"]
    assert [each["fired"] for each in orjson.loads(answers["GET", "faults"])] == [0]
    assert emulator.libraries.all() == []


def read_curl(line: str) -> tuple[str, str, str | None, dict[str, str]]:
    """Method, URL, body and headers of a command of curl's."""
    for name, value in KEY.items():
        line = line.replace(f"${name}", value)
    words = iter(shlex.split(line)[1:])
    method, url, data = "GET", "", None
    account: dict[str, str] = {}
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-d":
            data = next(words)
        elif word == "-o":
            next(words)
        elif word == "-u":
            account = {"Authorization": aiohttp.encode_basic_auth(*next(words).split(":"))}
        else:
            url = word
    return method, url, data, account
