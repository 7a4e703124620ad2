"""Proxies and private authorities as an operator meets them: `check`, `config` and `offsets --url`, each a process."""

import ast
import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import consumer
from consumer.commands.check import check
from consumer.commands.check.findings import exit_status, lines
from consumer.commands.offsets import open_records
from consumer.emulator import EmulatorSettings, running
from consumer.emulator.errors import ServiceError
from consumer.emulator.parameters import ImageUrl
from consumer.emulator.sources import open_source
from consumer.errors import Misconfigured
from consumer.proxies import Proxies
from tests.commands.cli import Ended, command
from tests.emulator.imagehost import serving
from tests.rig.emulated import KEY
from tests.rig.pictures import picture
from tests.rig.proxying import PrivateAuthority, proxy, tls_in_front_of
from tests.rig.replica import ROOT

NOBODY = "127.0.0.1:9"  # the broker is none of these tests' concern


@pytest.fixture(scope="module")
def authority() -> PrivateAuthority:
    """Nobody trusts it by itself."""
    return PrivateAuthority()


@asynccontextmanager
async def provider(authority: PrivateAuthority, *hosts: str, expired: bool = False) -> AsyncIterator[str]:
    """The emulated provider over TLS: its port."""
    async with running(EmulatorSettings()) as emulator:
        port = int(emulator.endpoint.rpartition(":")[2])
        async with tls_in_front_of(port, authority.context(*hosts, expired=expired)) as tls_port:
            yield f"https://localhost:{tls_port}"


async def checked(endpoint: str, *settings: str, **environment: str) -> Ended:
    overrides = [f"provider.endpoint={endpoint}", f"kafka.bootstrap_servers={NOBODY}", *settings]
    arguments = [part for each in overrides for part in ("--set", each)]
    return await command("check", "--config", "config/consumer.yaml", *arguments, environment={**KEY, **environment})


async def looked_at(endpoint: str, *settings: str, **environment: str) -> tuple[bool, str]:
    """As `checked`, in this process: whether something is wrong, and what it says."""
    overrides = [f"provider.endpoint={endpoint}", f"kafka.bootstrap_servers={NOBODY}", *settings]
    file = ROOT / "config" / "consumer.yaml"
    findings = await check(file, {**KEY, **environment}, overrides, latency=0.3, outage=1.0)
    return exit_status(findings) != 0, " ".join(str(line) for line in lines(findings))


async def test_check_calls_the_provider_through_the_proxy(authority: PrivateAuthority, tmp_path: Path) -> None:
    """
    By setting or environment, with the private authority; it says through which, and no user or password.
    """
    ca_file = authority.write(tmp_path / "ca.pem")
    async with provider(authority) as endpoint, proxy(user="ada:canary") as server:
        told = f"http://ada:canary@{server.address}"
        by_setting, by_environment = await asyncio.gather(
            checked(endpoint, f"provider.ca_file={ca_file}", MODERATION__PROVIDER__PROXY=told),
            checked(endpoint, HTTPS_PROXY=told, SSL_CERT_FILE=str(ca_file), SSL_CERT_DIR=""),
        )

    assert f"called through http://{server.address} (provider.proxy)" in by_setting.output
    assert f"called through http://{server.address} (HTTPS_PROXY)" in by_environment.output
    for ended in (by_setting, by_environment):
        assert "the key is accepted" in ended.output
        assert "canary" not in ended.output + ended.errors
    assert len(server.asked) == 2


async def test_check_names_the_step_that_fails(authority: PrivateAuthority, tmp_path: Path) -> None:
    """
    dns, connect, tls or proxy, with what to look at.
    """
    ca_file = authority.write(tmp_path / "ca.pem")
    trusted = f"provider.ca_file={ca_file}"
    async with (
        provider(authority) as endpoint,
        provider(authority, expired=True) as expired,
        provider(authority, "other.example.com") as another,
        proxy(user="ada:canary") as server,
    ):
        ended = await asyncio.gather(
            looked_at("https://provider.invalid"),
            looked_at("https://127.0.0.1:9"),
            looked_at(endpoint),
            looked_at(expired, trusted),
            looked_at(another, trusted),
            looked_at(endpoint, trusted, HTTPS_PROXY=f"http://{server.address}"),
            looked_at(endpoint, trusted, ALL_PROXY="http://eve:canary@127.0.0.1:9"),
            looked_at(endpoint, trusted, ALL_PROXY="socks5://eve:canary@127.0.0.1:9"),
        )

    expected = [
        "cannot be reached: dns: the name is not known: see this machine's DNS",
        "cannot be reached: connect: connection refused: see the network",
        "cannot be reached: tls: unable to get local issuer certificate: see provider.ca_file",
        "cannot be reached: tls: certificate has expired: see provider.ca_file",
        "cannot be reached: tls: Hostname mismatch, certificate is not valid for 'localhost'.: see provider.ca_file",
        "cannot be reached: proxy: 407: wants a user: see provider.proxy, or HTTPS_PROXY",
        "cannot be reached: proxy: connection refused: see provider.proxy, or HTTPS_PROXY",
        "ALL_PROXY: must begin with http:// or https://",
    ]
    for (wrong, said), words in zip(ended, expected, strict=True):
        assert words in " ".join(said.split())
        assert wrong
        assert "canary" not in said


async def test_config_shows_no_user_of_a_proxy() -> None:
    """
    Neither where it takes effect nor where it is refused.
    """
    shown, refused = await asyncio.gather(
        command("config", environment={"MODERATION__PROVIDER__PROXY": "http://ada:canary@proxy:3128"}),
        command("config", environment={"MODERATION__PROVIDER__PROXY": "socks5://ada:canary@proxy:3128"}),
    )

    assert "proxy:3128" in shown.output
    assert "MODERATION__PROVIDER__PROXY: must begin with http:// or https://" in " ".join(refused.errors.split())
    assert refused.status == 2
    assert "canary" not in shown.output + refused.output + refused.errors


@pytest.mark.parametrize("user", [None, "ada:p@ss"])
async def test_offsets_asks_replicas_through_the_proxy(user: str | None) -> None:
    """
    `offsets --url`: by HTTP_PROXY, but for what NO_PROXY exempts.
    """

    reading = {"topic": "uploads", "partition": 0, "open": 0, "oldest": [], "taken_over": True}

    async def answer(_: web.Request) -> web.Response:
        return web.json_response([reading])

    app = web.Application()
    app.router.add_get("/offsets", answer)
    async with TestServer(app) as replica, proxy(user=user) as server:
        url = str(replica.make_url("/"))
        through = "http://ada:p%40ss@" if user else "http://"
        environment = {"HTTP_PROXY": f"{through}{server.address}"}
        found = await open_records([url], environment)
        asked = list(server.asked)
        await open_records([url], {**environment, "NO_PROXY": "127.0.0.1"})

    assert found == {("uploads", 0): reading}
    assert asked == [f"GET {url}offsets HTTP/1.1"] == server.asked
    with pytest.raises(Misconfigured, match="HTTP_PROXY: must begin with"):
        await open_records([url], {"HTTP_PROXY": "socks5://proxy:1080"})


async def test_the_emulator_downloads_images_through_the_proxy(authority: PrivateAuthority) -> None:
    """
    As its command does it by the environment: in clear text with a user, and not at all where the proxy is none.
    """
    files = {"/a.png": picture("blue", "PNG", (8, 8))}
    async with serving(files) as host, proxy(user="ada:p@ss") as server, contextlib.AsyncExitStack() as stack:
        told = {"HTTP_PROXY": f"http://ada:p%40ss@{server.address}"}
        through = await stack.enter_async_context(open_source({}, timeout=5.0, proxies=Proxies.of(told)))
        nobody = Proxies.of({"HTTP_PROXY": "http://127.0.0.1:9"})
        without = await stack.enter_async_context(open_source({}, timeout=5.0, proxies=nobody))
        found = await through.fetch(ImageUrl(f"{host.url}/a.png"))
        with pytest.raises(ServiceError):
            await without.fetch(ImageUrl(f"{host.url}/a.png"))

    assert found == files["/a.png"]
    assert server.asked == [f"GET {host.url}/a.png HTTP/1.1"]


CLIENTS = {
    "http/transport.py": "ClientSession",
    "emulator/sources.py": "ClientSession",
    "emulator/server.py": "ClientSession",  # callbacks: to loopback or hosts that are named, through no proxy
    "demo/process.py": "ClientSession",
    "commands/offsets.py": "AsyncClient",
    "tracing/spans.py": "Session",
    "images/fetch.py": "ClientSession",
    "images/stores/reader.py": "ClientSession",
}
"""Every place where an HTTP client is opened. Each has its test of proxies, here or beside its own."""


def test_no_client_reads_the_environment_by_itself() -> None:
    """
    Proxies are read by `consumer/proxies.py`: a client that reads them itself would read ~/.netrc too. A new one is
    listed here, and tested.
    """
    found = {}
    for folder in consumer.__path__:
        for path in Path(folder).rglob("*.py"):
            source = path.read_text()
            for call in (each for each in ast.walk(ast.parse(source)) if isinstance(each, ast.Call)):
                name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
                if name in ("ClientSession", "AsyncClient", "Client", "Session", "urlopen", "PoolManager"):
                    place = path.relative_to(folder).as_posix()
                    found[place] = name
                    told = {word.arg: ast.unparse(word.value) for word in call.keywords}
                    assert told.get("trust_env") == "False" or "session.trust_env = False" in source, place
                assert name not in ("request", "get", "post") or not ast.unparse(call.func).startswith(
                    ("requests.", "httpx.", "aiohttp.")
                ), path

    assert found == CLIENTS
