"""
The emulator as a server: its pages, its ports, its start and end.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from io import BytesIO

import aiohttp
import orjson
import pytest

from consumer.emulator import EmulatorSettings, running
from consumer.emulator.listening import listening
from tests.emulator.asking import ask, oss
from tests.rig.pictures import picture

SETTINGS = EmulatorSettings(oss={"uploads": {"a.png": picture()}})


async def test_the_log_is_served_as_json_lines(http: aiohttp.ClientSession) -> None:
    """
    The page of calls has one JSON object a line, in order of arrival, the time to the microsecond.
    """
    before = time.time()

    async with running(SETTINGS) as emulator:
        for data_id in ("one", "two", "three"):
            await ask(http, emulator.endpoint, **oss("a.png", dataId=data_id))
        async with http.get(f"{emulator.url}/emulator/calls") as page:
            lines = [orjson.loads(line) for line in (await page.read()).splitlines()]

    arrivals = [line["arrival"] for line in lines]
    assert [line["data_id"] for line in lines] == ["one", "two", "three"]
    assert arrivals == sorted(arrivals)
    assert before - 0.1 < arrivals[0] < time.time() + 0.1
    assert lines == [call.json() for call in emulator.calls]


async def test_a_long_log_is_served_whole(http: aiohttp.ClientSession) -> None:
    """
    A log of more lines than are written at once arrives complete.
    """
    body = b"not a call"

    async with running(SETTINGS) as emulator:
        for _ in range(25):
            await asyncio.gather(*(http.post(emulator.url, data=body) for _ in range(100)))
        async with http.get(f"{emulator.url}/emulator/calls") as page:
            lines = (await page.read()).splitlines()

    assert len(lines) == 2500


async def test_totals_say_that_nothing_is_judged(http: aiohttp.ClientSession) -> None:
    """
    The page of totals counts the calls and says that the emulator answers by rules.
    """
    async with running(SETTINGS) as emulator:
        await ask(http, emulator.endpoint, **oss("a.png"))
        async with http.get(f"{emulator.url}/emulator/stats") as page:
            stats = await page.json()

    assert "It judges nothing" in stats["about"]
    assert (stats["calls"], stats["billed"], stats["in_progress"]) == (1, 1, 0)
    assert (stats["busiest_second"], stats["images_billed"]) == (1, 1)


async def test_calls_can_be_forgotten(http: aiohttp.ClientSession) -> None:
    """
    Deleting the calls empties log and totals.
    """
    async with running(SETTINGS) as emulator:
        await ask(http, emulator.endpoint, **oss("a.png"))
        async with http.delete(f"{emulator.url}/emulator/calls") as page:
            status = page.status

        stats = emulator.stats()
        assert status == 204
        assert (len(emulator.calls), stats["calls"], stats["billed"], stats["by_code"]) == (0, 0, 0, {})


async def test_what_is_asked_about_the_emulator_is_no_call(http: aiohttp.ClientSession) -> None:
    """
    Reading the pages is not counted.
    """
    async with running(SETTINGS) as emulator:
        for page in ("stats", "calls"):
            async with http.get(f"{emulator.url}/emulator/{page}"):
                pass

        assert emulator.stats()["calls"] == 0


async def test_a_call_is_in_progress_until_it_is_answered(http: aiohttp.ClientSession) -> None:
    """
    A call shows up in log and totals when it arrives, without a code until it has one.
    """
    settings = SETTINGS.model_copy(update={"latency": 0.3})

    async with running(settings) as emulator:
        asking = asyncio.create_task(ask(http, emulator.endpoint, **oss("a.png")))
        async with asyncio.timeout(5):
            while not (open_calls := [call.json() for call in emulator.calls]):
                await asyncio.sleep(0.01)
        during = emulator.stats()
        await asking

    assert (open_calls[0]["code"], open_calls[0]["http_status"]) == (None, None)
    assert (during["calls"], during["in_progress"]) == (1, 1)
    assert emulator.stats()["in_progress"] == 0


async def test_a_call_whose_client_went_away_is_billed(http: aiohttp.ClientSession) -> None:
    """
    The provider judges what it has begun, whether or not anybody waits for it.
    """
    settings = SETTINGS.model_copy(update={"latency": 0.3})

    async with running(settings) as emulator:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await ask(http, emulator.endpoint, **oss("a.png"))
        async with asyncio.timeout(5):
            while emulator.stats()["in_progress"]:
                await asyncio.sleep(0.01)

        assert (emulator.stats()["calls"], emulator.stats()["billed"]) == (1, 1)


async def test_a_client_may_leave_in_the_middle_of_its_request(caplog: pytest.LogCaptureFixture) -> None:
    """
    A request that never arrives whole is counted as such and leaves no error behind.
    """
    async with running(SETTINGS) as emulator:
        _, writer = await asyncio.open_connection(*emulator.endpoint.split(":"))
        writer.write(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\npart")
        async with asyncio.timeout(5):
            while not emulator.stats()["in_progress"]:
                await asyncio.sleep(0.01)
            writer.close()
            while emulator.stats()["in_progress"]:
                await asyncio.sleep(0.01)

    assert emulator.stats()["by_code"] == {"ClientLeft": 1}
    assert caplog.records == []


async def test_a_request_has_a_longest_body(http: aiohttp.ClientSession) -> None:
    """
    A body of more than a megabyte is refused, and logged so.
    """
    async with running(SETTINGS) as emulator:
        async with http.post(emulator.url, data=BytesIO(bytes(2 * 1024 * 1024))) as response:
            status = response.status
        (call,) = emulator.calls

    assert (status, call.http_status, call.code) == (413, 413, "RequestTooLarge")


async def test_a_provider_that_went_away_refuses_and_comes_back(http: aiohttp.ClientSession) -> None:
    """
    While the emulator does not listen, open connections are cut and new ones refused; then it answers on its old port.
    """
    async with running(SETTINGS) as emulator:
        endpoint = emulator.endpoint
        await ask(http, endpoint, **oss("a.png"))

        await emulator.stop_listening()
        with pytest.raises(aiohttp.ClientConnectionError):
            await ask(http, endpoint, **oss("a.png"))
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*endpoint.split(":"))
        await emulator.resume_listening()

        assert (await ask(http, endpoint, **oss("a.png"))).code == 200
        assert emulator.endpoint == endpoint


async def test_calls_in_progress_are_cut_when_the_provider_goes_away(http: aiohttp.ClientSession) -> None:
    """
    A client that waits for an answer when the emulator stops listening gets none.
    """
    settings = SETTINGS.model_copy(update={"latency": 30.0})

    async with running(settings) as emulator:
        asking = asyncio.create_task(ask(http, emulator.endpoint, **oss("a.png")))
        async with asyncio.timeout(5):
            while not emulator.stats()["in_progress"]:
                await asyncio.sleep(0.01)

        await emulator.stop_listening()

        with pytest.raises(aiohttp.ClientConnectionError):
            await asking


async def test_one_region_may_go_away_alone(http: aiohttp.ClientSession) -> None:
    """
    A region that does not listen leaves the others as they are.
    """
    settings = SETTINGS.model_copy(update={"regions": ("ap-southeast-1", "eu-west-1")})

    async with running(settings) as emulator:
        await emulator.stop_listening("ap-southeast-1")

        with pytest.raises(aiohttp.ClientConnectionError):
            await ask(http, emulator.endpoints["ap-southeast-1"], **oss("a.png"))
        assert (await ask(http, emulator.endpoints["eu-west-1"], **oss("a.png"))).code == 200


async def test_stopping_and_resuming_twice_changes_nothing(http: aiohttp.ClientSession) -> None:
    """
    A region that is already away, or already there, stays so.
    """
    async with running(SETTINGS) as emulator:
        await emulator.resume_listening()
        await emulator.stop_listening()
        await emulator.stop_listening()
        await emulator.resume_listening()

        assert (await ask(http, emulator.endpoint, **oss("a.png"))).code == 200


async def test_a_taken_port_is_an_error_that_leaves_nothing_open() -> None:
    """
    When a port is taken the emulator does not start, and gives back the ports that it had.
    """
    async with running(SETTINGS) as emulator:
        taken = int(emulator.endpoint.split(":")[1])

        with pytest.raises(OSError):
            async with running(SETTINGS.model_copy(update={"port": taken})):
                pass

    async with running(SETTINGS.model_copy(update={"port": taken})) as emulator:
        assert emulator.endpoint.endswith(f":{taken}")


async def test_the_application_can_be_served_by_others(http: aiohttp.ClientSession) -> None:
    """
    The application alone answers like the emulator, in its first region.
    """
    from consumer.emulator import build_app

    async with listening(build_app(SETTINGS), "127.0.0.1", [0]) as (_, ports):
        answer = await ask(http, f"127.0.0.1:{ports[0]}", **oss("a.png"))
        async with http.get(f"http://127.0.0.1:{ports[0]}/emulator/calls") as page:
            call = orjson.loads(await page.read())

    assert (answer.code, call["region"]) == (200, "ap-southeast-1")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server(number: int) -> None:
    """
    The server says where it listens, that it judges nothing and whom it knows, and ends in good order on either signal.
    """
    program = (
        "import asyncio; from consumer.emulator import EmulatorSettings, serve; asyncio.run(serve(EmulatorSettings()))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        os.kill(process.pid, number)
        status = process.wait(timeout=10)

    assert "It judges nothing" in lines[0]
    assert "listens on http://127.0.0.1:" in lines[1]
    assert "KEY_ID=emulated-access-key-id" in lines[2]
    assert status == 0


def test_a_chosen_secret_is_not_told() -> None:
    """
    The server tells of its made-up account alone, never a secret that it was given.
    """
    program = (
        "import asyncio; from consumer.emulator import EmulatorSettings, serve; "
        "asyncio.run(serve(EmulatorSettings(access_key_secret='chosen')))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = process.stdout.readline() + process.stdout.readline()
        process.terminate()
        told += process.stdout.read()

    assert "listens on http://127.0.0.1:" in told
    assert "chosen" not in told
    assert process.returncode == 0


@pytest.mark.parametrize(("command", "missing"), [("emulator", "PIL"), ("broker", "confluent_kafka"), ("demo", "PIL")])
def test_a_missing_extra_is_named(command: str, missing: str) -> None:
    """
    Without its extra's packages a command says in one line what to install.
    """
    without = f"import sys; sys.modules[{missing!r}] = None; sys.argv[1:] = [{command!r}]"
    program = f"{without}; from consumer.cli import main; main()"

    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)

    assert run.returncode == 2
    [said] = run.stderr.splitlines()
    assert missing in said
    assert said.endswith("pip install 'moderation-consumer[demo]'")
