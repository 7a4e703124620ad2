"""When a scan gives up, because nothing is answered."""

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from fcntl import F_SETPIPE_SZ, fcntl
from pathlib import Path

import pytest

from consumer.commands.offsets import NotAnswered
from consumer.commands.scan.consoles import Consoles
from consumer.commands.scan.items import Item
from consumer.commands.scan.lines import Result
from consumer.commands.scan.outputs import written
from consumer.commands.scan.patience import LONGEST_LOOK, Patience, Reading
from consumer.commands.scan.scanning import or_unfinished
from consumer.emulator import Fault
from consumer.errors import Misconfigured
from tests.commands.scan.account import account, many
from tests.commands.scan.test_state import never
from tests.commands.scan.test_terminal import all_of
from tests.rig.children import running
from tests.rig.emulated import KEY
from tests.rig.replica import ROOT, surroundings


def looked(patience: Patience, *readings: Reading, every: float = 0.5) -> list[str | None]:
    return [patience.look(reading, every * number) for number, reading in enumerate(readings)]


def test_a_provider_that_fails_is_waited_for() -> None:
    """
    For so many seconds without any answer, from when its first failure was seen on.
    """
    failing = Reading(0, 1, 0)

    told = looked(Patience(1.5), Reading(0, 0, 0), failing, failing, failing)

    assert told == [None, None, None, "the provider has answered nothing for 2 s"]


def test_each_answer_begins_the_wait_anew() -> None:
    """
    Failures among answers are no outage, however long they go on.
    """
    told = looked(Patience(1.0), *(Reading(number // 2, number, 0) for number in range(40)))

    assert set(told) == {None}


def test_while_nothing_fails_nothing_is_given_up() -> None:
    """
    A slow pace is none of the provider's faults.
    """
    assert set(looked(Patience(1.0), *[Reading(3, 2, 0)] * 40)) == {None}


def test_a_refused_account_is_given_up_soon() -> None:
    """
    After three refusals without an answer, unless one comes within two seconds.
    """
    refused = [Reading(0, number, number) for number in range(8)]

    assert "the account is refused" in looked(Patience(60.0), *refused)
    assert set(looked(Patience(60.0), *refused[:3])) == {None}


def test_a_machine_that_slept_was_not_waiting() -> None:
    """
    Between two looks a second counts at the most.
    """
    patience = Patience(10.0)

    told = [
        patience.look(Reading(0, failed, 0), at) for failed, at in ((0, 0.0), (1, 1.0), (1, 5_000.0), (1, 10_000.0))
    ]

    assert LONGEST_LOOK == 1.0
    assert set(told) == {None}


@pytest.mark.scenario
@pytest.mark.parametrize("images", [1, 40])
async def test_a_refused_account_ends_a_scan(tmp_path: Path, images: int) -> None:
    """
    However many images there are; nothing was billed, and it says which refusal it was.
    """
    async with account(tmp_path) as provider:
        many(provider.images, images)
        wrong = {**KEY, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "another"}
        ended, lines = await provider.scan(provider.images, "--alone", environment=wrong)

    told = " ".join(ended.errors.split())
    assert (ended.status, lines, provider.billed) == (3, [], 0)
    assert "not finished: the account is refused; provider: " in told
    assert "SignatureDoesNotMatch" in told
    assert f"{images} of {images} images are left; what was judged is paid for and not remembered" in told


@pytest.mark.scenario
async def test_a_provider_that_is_away_ends_a_scan_after_its_patience(tmp_path: Path) -> None:
    """
    No image is to blame: none goes to review for it.
    """
    async with account(tmp_path) as provider:
        many(provider.images, 5)
        await provider.emulator.stop_listening()
        ended, lines = await provider.scan(provider.images, "--alone", "--patience", 1)

    assert (ended.status, lines) == (3, [])
    assert "the provider has answered nothing for 1 s" in ended.errors


@pytest.mark.scenario
async def test_a_proxy_that_is_away_ends_a_scan_after_its_patience(tmp_path: Path) -> None:
    """
    Images that it does not bring are tried for as long as it takes, since none is to blame: these are no answers.
    """
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        away = f"127.0.0.1:{unused.getsockname()[1]}"
        async with account(tmp_path, {"images": {"proxy": f"http://{away}"}}) as provider:
            urls = [f"http://images.example/{number}.png" for number in range(5)]
            ended, lines = await provider.scan(*urls, "--upload", "--alone", "--patience", 7)

    told = " ".join(ended.errors.split())
    assert (ended.status, lines) == (3, [])
    assert "the proxy of images.proxy has answered nothing for 7 s" in told
    assert f"; images: images.proxy, which is {away}, lets nothing through for" in told


@pytest.mark.scenario
async def test_a_temporary_store_that_is_away_ends_a_scan_after_its_patience(tmp_path: Path) -> None:
    """
    It is named.
    """
    away = {
        "match": {"action": "PutObject"},
        "what": {"store_code": {"code": "ServiceUnavailable", "http_status": 503}},
    }
    async with account(tmp_path, faults=[Fault.model_validate(away)]) as provider:
        many(provider.images, 5)
        ended, lines = await provider.scan(provider.images, "--alone", "--patience", 1)

    assert (ended.status, lines) == (3, [])
    assert "the provider has answered nothing for 1 s" in ended.errors
    assert "temporary store" in ended.errors


@pytest.mark.scenario
async def test_a_provider_that_comes_back_in_time_is_waited_for(tmp_path: Path) -> None:
    """
    Every image is judged then, and billed once.
    """
    away = Fault.model_validate({"what": {"gateway_code": "ServiceUnavailable", "http_status": 503}})
    async with account(tmp_path, faults=[away]) as provider:
        many(provider.images, 30)
        scan = asyncio.create_task(provider.scan(provider.images, "--alone"))
        async with asyncio.timeout(30):
            while len(list(provider.emulator.calls)) < 8:
                await asyncio.sleep(0.05)
        provider.emulator.faults.replace([])
        ended, lines = await scan

    assert (ended.status, len(lines), provider.billed) == (0, 30, 30)
    assert {line["error"] and line["error"]["code"] for line in lines} == {None}


@pytest.mark.scenario
@pytest.mark.parametrize("option", ["--json", "--html"])
async def test_a_full_disk_ends_a_scan(tmp_path: Path, option: str) -> None:
    """
    It is no wrong use, and nothing that --fail-on looks for: the exit status is 3.
    """
    async with account(tmp_path) as provider:
        many(provider.images, 3)
        ended, _ = await provider.scan(provider.images, "--alone", option, "/dev/full")

    assert ended.status == 3
    assert "No space left on device" in ended.errors


@pytest.mark.scenario
async def test_a_reader_that_is_slow_holds_up_no_call(tmp_path: Path) -> None:
    """
    More is judged than its pipe holds, and all of it is told once it reads.
    """
    async with account(tmp_path) as provider:
        many(provider.images, 150)
        reader, writer = os.pipe()
        fcntl(writer, F_SETPIPE_SZ, 4_096)
        command = [sys.executable, "-m", "consumer", *provider.arguments(provider.images, "--alone")]
        async with running(command, environment=KEY, output=writer) as process:
            os.close(writer)
            await provider.until_billed(150)
            told = await asyncio.to_thread(all_of, reader)
            status = await process.wait()

    assert (status, len(told.splitlines())) == (0, 150)


def raising(error: Exception) -> Callable[[], int]:
    def scan() -> int:
        raise error

    return scan


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyError("https://user:secret@example.com"), "not finished: unexpected error: KeyError at "),
        (ExceptionGroup("of tasks", [ExceptionGroup("", [ValueError("secret")])]), "unexpected error: ValueError at "),
        (FileNotFoundError(2, "No such file or directory", "a"), "not finished: No such file or directory: a"),
        (NotAnswered("a broker is away"), "not finished: a broker is away"),
    ],
)
def test_what_ends_a_scan_is_no_finding(error: Exception, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """
    The exit status is 3 and not 1, with one line; its frames are told where that is asked for, its text is not.
    """
    assert or_unfinished(raising(error), Consoles.usual(), verbose=False) == 3
    line = " ".join(capsys.readouterr().err.split())
    assert or_unfinished(raising(error), Consoles.usual(), verbose=True) == 3
    more = capsys.readouterr().err

    assert told in line
    assert ("please report" in line) == ("unexpected" in told)
    assert "secret" not in line + more
    assert len(more.splitlines()) > 1
    with pytest.raises(Misconfigured):
        or_unfinished(raising(Misconfigured(["a"])), Consoles.usual(), verbose=False)


def line(name: str) -> Result:
    return Result(Item(name=name, source="https://example.com/"), {"image": name})


async def test_so_many_lines_wait_for_their_reader(tmp_path: Path) -> None:
    """
    Then nothing new begins until it reads, or the scan is given up. All that was told is written in the end.
    """
    reader, writer = os.pipe()
    size = fcntl(writer, F_SETPIPE_SZ, 4_096)
    async with written(tmp_path / "lines", writer, never, most_waiting=3) as lines:
        lines.told(line("a" * 2 * size))
        for _ in range(2):
            await lines.room()
            lines.told(line("b"))
        blocked = asyncio.create_task(lines.room())
        await asyncio.sleep(0.05)
        is_blocked = not blocked.done()
        lines.give_up()
        await blocked
        reading = asyncio.create_task(asyncio.to_thread(all_of, reader))
    os.close(writer)

    assert is_blocked
    assert len((await reading).splitlines()) == 3
    assert len((tmp_path / "lines").read_bytes().splitlines()) == 3


async def test_a_pipe_that_does_not_wait_is_waited_for() -> None:
    """
    As one is that another program has made non-blocking.
    """
    reader, writer = os.pipe()
    size = fcntl(writer, F_SETPIPE_SZ, 4_096)
    os.set_blocking(writer, False)
    async with written(None, writer, never) as lines:
        lines.told(line("a" * 3 * size))
        reading = asyncio.create_task(asyncio.to_thread(all_of, reader))
    os.close(writer)

    assert len(await reading) > 3 * size


async def test_an_error_elsewhere_loses_no_line(tmp_path: Path) -> None:
    """
    What was told before it is written.
    """

    async def scan() -> None:
        async with written(tmp_path / "lines", None, never) as lines:
            for _ in range(500):
                lines.told(line("a"))
            raise ValueError("elsewhere")

    with pytest.raises(ValueError, match="elsewhere"):
        await scan()

    assert len((tmp_path / "lines").read_bytes().splitlines()) == 500


async def test_what_cannot_be_written_is_said_once() -> None:
    """
    And nothing is waited for after it.
    """
    reader, writer = os.pipe()
    os.close(reader)
    failures: list[str | None] = []
    async with written(None, writer, lambda error: failures.append(error.strerror)) as lines:
        for _ in range(5):
            lines.told(line("a"))
    os.close(writer)

    assert failures == ["Broken pipe"]


@pytest.mark.scenario
@pytest.mark.parametrize("more", [["--dry-run"], ["--alone"]])
async def test_nobody_reads_what_a_scan_says(tmp_path: Path, more: list[str]) -> None:
    """
    Neither its results nor its last words: it could not finish, and nothing was found.
    """
    async with account(tmp_path) as provider:
        many(provider.images, 3)
        reader, writer = os.pipe()
        os.close(reader)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "consumer", *provider.arguments(provider.images, *more), cwd=ROOT,
            env={**surroundings(), **KEY}, stdout=writer, stderr=writer,
        )  # fmt: skip
        os.close(writer)
        async with asyncio.timeout(60):
            status = await process.wait()

    assert status == 3


@pytest.mark.scenario
async def test_a_reader_that_leaves_ends_a_scan(tmp_path: Path) -> None:
    """
    Such as `head`: what nobody reads is not paid for.
    """
    async with account(tmp_path) as provider:
        many(provider.images, 60)
        reader, writer = os.pipe()
        command = [sys.executable, "-m", "consumer", *provider.arguments(provider.images, "--qps", 20)]
        async with running(command, environment=KEY, output=writer) as process:
            os.close(writer)
            await provider.until_billed(5)
            os.close(reader)
            status = await process.wait()

    assert status == 3
    assert provider.billed < 60
