"""Who may call the emulator, who may change what it does, and what it does not tell of the network it stands in."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import ValidationError

from consumer.emulator import EmulatorSettings, running
from consumer.emulator.access import is_called_by
from consumer.emulator.sources import NOT_FETCHED
from tests.commands.cli import command
from tests.emulator.asking import account, ask, oss
from tests.emulator.imagehost import serving
from tests.rig.pictures import picture

BUCKET = "emulated-uploads-eu-west-1"
FAULTS = [{"what": {"code": 500}}]


@pytest.mark.parametrize(
    "host", ["localhost:8090", "127.0.0.1", "[::1]:8090", "10.1.2.3:8090", "Emulator:8090", BUCKET + ".emulator:80"]
)
def test_names_that_it_has(host: str) -> None:
    """
    Loopback, every address, and those that were given to it.
    """
    assert is_called_by(host, {"emulator"})


@pytest.mark.parametrize(
    "host", [None, "", "evil.example.com:8090", "localhost.example.com", "[::1", "emulator.evil", BUCKET + ".evil"]
)
def test_names_that_it_has_not(host: str | None) -> None:
    """
    Those of others that lead here, and none at all.
    """
    assert not is_called_by(host, {"emulator"})


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/"), ("GET", "/emulator/calls"), ("DELETE", "/emulator/calls"), ("PUT", "/emulator/faults")],
)
async def test_a_page_of_a_foreign_site_reaches_nothing(http: aiohttp.ClientSession, method: str, path: str) -> None:
    """
    Under a name of its own every request is refused before it is read, counted or answered.
    """
    settings = EmulatorSettings(names=("Emulator.Test",))
    async with running(settings) as emulator:
        await ask(http, emulator.endpoint, **oss("a.png"))
        async with http.request(method, emulator.url + path, headers={"Host": "rebound.example.com"}) as refused:
            text = await refused.text()
        async with http.get(f"{emulator.url}/emulator/stats", headers={"Host": "emulator.test:80"}) as named:
            calls = (await named.json())["calls"]

    assert refused.status == 421
    assert "rebound" not in text
    assert (named.status, calls) == (200, 1)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "emulator.example.com"])
def test_listening_beyond_loopback_is_a_choice(host: str) -> None:
    """
    It is refused with why, and what to say.
    """
    with pytest.raises(ValidationError, match=r"beyond loopback: whoever reaches it .* say --beyond-loopback"):
        EmulatorSettings(host=host)

    assert EmulatorSettings(host=host, beyond_loopback=True).host == host
    assert EmulatorSettings(host="localhost").host == "localhost"


async def test_the_command_refuses_to_listen_beyond_loopback() -> None:
    """
    Status 2 and one line that names the option.
    """
    ended = await command("emulator", "--host", "0.0.0.0", "--port", "0")

    assert (ended.status, ended.output) == (2, "")
    assert ended.errors.startswith("✗ --host: is beyond loopback: ")
    assert "say --beyond-loopback" in ended.errors


@pytest.mark.parametrize(
    "auth", [None, ("emulated-access-key-id", "wrong"), ("other", "chosen"), ("id", ""), ("", "chosen")]
)
async def test_faults_are_the_accounts(http: aiohttp.ClientSession, auth: tuple[str, str] | None) -> None:
    """
    Without its key none is set, however the key was given; with it they are.
    """
    settings = EmulatorSettings.model_validate({"access_key_id": "id", "access_key_secret": "chosen"})
    async with running(settings) as emulator:
        page = f"{emulator.url}/emulator/faults"
        stranger = {"Authorization": aiohttp.encode_basic_auth(*auth)} if auth else {}
        async with http.put(page, json=FAULTS, headers=stranger) as refused:
            text = await refused.text()
        before = list(emulator.faults)
        async with http.put(page, json=FAULTS, headers=account(settings)) as accepted:
            await accepted.read()
        after = list(emulator.faults)

    assert (refused.status, before) == (401, [])
    assert "chosen" not in text
    assert (accepted.status, len(after)) == (200, 1)


@pytest.mark.parametrize("header", ["Basic", "Basic é", "Basic %%%", "Bearer chosen", "basic aWQ6"])
async def test_what_is_no_key_is_none(http: aiohttp.ClientSession, header: str) -> None:
    """
    Whatever stands in the header.
    """
    settings = EmulatorSettings.model_validate({"access_key_id": "id", "access_key_secret": "chosen"})
    async with running(settings) as emulator:
        page = f"{emulator.url}/emulator/faults"
        async with http.put(page, json=FAULTS, headers={"Authorization": header}) as refused:
            await refused.read()

    assert refused.status == 401


async def test_every_failure_of_fetching_has_one_text(http: aiohttp.ClientSession) -> None:
    """
    A closed port, a page that is not there, one that never ends, one that is too large, a missing object and a missing
    bucket: the text tells none from another.
    """
    large = {"/big.png": picture() + bytes(20 * 1024 * 1024)}
    async with serving({}) as images:
        gone = images.url
    settings = EmulatorSettings(oss={"uploads": {}}, download_timeout=2.0)

    async with serving(large) as images, running(settings) as emulator:
        answers = [
            await ask(http, emulator.endpoint, **asked)
            for asked in (
                {"imageUrl": f"{gone}/a.png"},
                {"imageUrl": f"{images.url}/a.png"},
                {"imageUrl": f"{images.url}/never/a.png"},
                {"imageUrl": f"{images.url}/big.png"},
                {"imageUrl": "http://in..valid/a.png"},
                oss("a.png"),
                oss("../a.png"),
                oss("a.png", bucket="unknown"),
            )
        ]

    assert {answer.code for answer in answers} == {404, 405, 406}
    assert {answer.json["Msg"] for answer in answers} == {NOT_FETCHED}


@asynccontextmanager
async def redirecting(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/")).rstrip("/")


async def test_no_redirect_leads_to_another_host(http: aiohttp.ClientSession) -> None:
    """
    On the same host and port they are followed, some times; to another host, port or scheme none is.
    """
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        to = {"/here": "/there.png", "/loop": "/loop", "/out": f"{elsewhere.url}/a.png", "/scheme": "ftp://127.0.0.1/a"}
        if request.path == "/name":
            return web.Response(status=302, headers={"Location": f"http://localhost:{request.url.port}/there.png"})
        if request.path in to:
            return web.Response(status=307, headers={"Location": to[request.path]})
        return web.Response(body=picture())

    async with (
        serving({"/a.png": picture()}) as elsewhere,
        redirecting(answer) as url,
        running(EmulatorSettings()) as emulator,
    ):
        codes = {
            path: (await ask(http, emulator.endpoint, imageUrl=url + path)).code
            for path in ("/here", "/loop", "/out", "/scheme", "/name")
        }

    assert codes == {"/here": 200, "/loop": 404, "/out": 404, "/scheme": 404, "/name": 404}
    assert elsewhere.referers == []
    assert asked.count("/loop") == 6
    assert asked.count("/there.png") == 1
