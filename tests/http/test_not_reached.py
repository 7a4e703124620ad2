"""The way to the provider on real sockets: proxies, private authorities, and at which step it fails."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prometheus_client import REGISTRY

from consumer.alibaba.client import ImageModerationClient
from consumer.clock import SystemClock
from consumer.config import Config
from consumer.emulator import Emulator, running
from consumer.errors import CallFailed, Misconfigured, ProviderFailed
from consumer.http.exchange import Exchanges, Timeouts
from consumer.http.transport import Ways, open_transport
from consumer.keys import FixedKeys
from tests.alibaba.test_client import ACCOUNT, KEY, REQUEST
from tests.moderation.requests import context
from tests.rig.proxying import PrivateAuthority, ProxyServer, proxy, tls_in_front_of

TIMEOUTS = Timeouts(connect=1.0, read=1.0)


@pytest.fixture(scope="module")
def authority() -> PrivateAuthority:
    """Nobody trusts it by itself."""
    return PrivateAuthority()


@pytest.fixture
def ca_file(authority: PrivateAuthority, tmp_path: Path) -> Path:
    """Its certificate."""
    return authority.write(tmp_path / "ca.pem")


@asynccontextmanager
async def provider_with_tls(authority: PrivateAuthority, **certificate: Any) -> AsyncIterator[tuple[Emulator, str]]:
    """The emulator behind TLS, and its URL."""
    hosts = certificate.pop("hosts", ("localhost",))
    async with running(ACCOUNT) as emulator:
        port = int(emulator.endpoint.rpartition(":")[2])
        async with tls_in_front_of(port, authority.context(*hosts, **certificate)) as tls_port:
            yield emulator, f"https://localhost:{tls_port}"


async def ask(url: str, environment: Mapping[str, str] | None = None, **settings: Any) -> str:
    """Ask a request once: the answer's risk, or `code (detail)` of a failure that is certain not to be billed."""
    provider = Config.model_validate({"provider": {"endpoint": url, **settings}}).provider
    async with open_transport(4, Ways.of(provider, environment or {})) as transport:
        asked = ImageModerationClient(
            Exchanges(transport, TIMEOUTS, SystemClock()), url, "ap-southeast-1", FixedKeys(KEY), SystemClock()
        )
        try:
            return (await asked.ask(REQUEST, context())).risk_level or ""
        except CallFailed as error:
            failure = error
    assert (type(failure), failure.billed) == (ProviderFailed, "no")
    return f"{failure.code} ({failure.detail})"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


# What is on the way, and what is said of it.


async def test_a_private_authority_is_trusted_once_it_is_named(authority: PrivateAuthority, ca_file: Path) -> None:
    """
    `provider.ca_file`; without it the certificate is refused, and so is the name of another host and an old one.
    """
    async with provider_with_tls(authority) as (_, url):
        trusted = await ask(url, ca_file=ca_file)
        unknown = await ask(url)
    async with provider_with_tls(authority, hosts=("other.example.com",)) as (_, url):
        another = await ask(url, ca_file=ca_file)
    async with provider_with_tls(authority, expired=True) as (_, url):
        expired = await ask(url, ca_file=ca_file)

    assert trusted == "none"
    assert unknown == "tls (unable to get local issuer certificate)"
    assert another == "tls (Hostname mismatch, certificate is not valid for 'localhost'.)"
    assert expired == "tls (certificate has expired)"


async def test_authorities_of_the_environment_are_trusted(
    authority: PrivateAuthority, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    SSL_CERT_FILE, which OpenSSL reads; one that is not there is said at the start, as is a ca_file that holds nothing.
    """
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    async with provider_with_tls(authority) as (_, url):
        assert await ask(url) == "none"

    settings = Config.model_validate({"provider": {"ca_file": ca_file.with_name("none.pem")}}).provider
    with pytest.raises(Misconfigured, match=r"none\.pem: cannot be read: .* \(provider.ca_file\)"):
        Ways.of(settings, {})
    with pytest.raises(Misconfigured, match=r"none\.pem: cannot be read: .* \(SSL_CERT_FILE\)"):
        Ways.of(Config().provider, {"SSL_CERT_FILE": str(ca_file.with_name("none.pem"))})
    empty = ca_file.with_name("empty.pem")
    empty.write_text("")
    with pytest.raises(Misconfigured, match=r"empty\.pem: holds no certificate in PEM \(provider.ca_file\)"):
        Ways.of(settings.model_copy(update={"ca_file": empty}), {})


async def test_a_new_authority_in_the_file_is_trusted_without_a_restart(
    authority: PrivateAuthority, tmp_path: Path
) -> None:
    """
    The file is read again once TLS has failed with what it held.
    """
    ca_file = PrivateAuthority().write(tmp_path / "ca.pem")
    async with provider_with_tls(authority) as (_, url):
        provider = Config.model_validate({"provider": {"endpoint": url, "ca_file": ca_file}}).provider
        async with open_transport(4, Ways.of(provider, {})) as transport:
            asked = ImageModerationClient(
                Exchanges(transport, TIMEOUTS, SystemClock()), url, "ap-southeast-1", FixedKeys(KEY), SystemClock()
            )
            authority.write(ca_file)
            with pytest.raises(ProviderFailed, match="tls"):
                await asked.ask(REQUEST, context())

            assert (await asked.ask(REQUEST, context())).risk_level == "none"


async def test_each_step_of_the_way_is_named(authority: PrivateAuthority, ca_file: Path) -> None:
    """
    A name that nobody has, a port where nobody listens, one that speaks no TLS, and one that breaks it off.
    """

    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    steps = {step: _not_reached(step) for step in ("dns", "connect", "tls")}
    async with running(ACCOUNT) as emulator, await asyncio.start_server(break_off, "127.0.0.1", 0) as server:
        clear = await ask(emulator.url.replace("http:", "https:"))
        broken = await ask(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        unknown = await ask("https://provider.invalid")
        nobody = await ask(f"https://127.0.0.1:{free_port()}")

    assert unknown == "dns (the name is not known)"
    assert nobody == "connect (connection refused)"
    assert clear.startswith("tls (")
    assert broken.startswith("tls (")
    assert {step: _not_reached(step) - before for step, before in steps.items()} == {"dns": 1, "connect": 1, "tls": 2}


def _not_reached(step: str) -> float:
    return REGISTRY.get_sample_value("moderation_provider_not_reached_total", {"step": step}) or 0.0


class Way(NamedTuple):
    """Where a proxy and the provider are."""

    proxy: ProxyServer
    emulator: Emulator
    url: str


@asynccontextmanager
async def way(
    authority: PrivateAuthority, *, tls: bool = True, proxy_tls: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[Way]:
    """A provider, over TLS or in clear text, and a proxy."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(proxy(tls=proxy_tls, **options))
        if tls:
            emulator, url = await stack.enter_async_context(provider_with_tls(authority))
        else:
            emulator = await stack.enter_async_context(running(ACCOUNT))
            url = emulator.url
        yield Way(server, emulator, url)


@pytest.mark.parametrize("tls", [True, False])
async def test_the_provider_is_called_through_the_proxy(authority: PrivateAuthority, ca_file: Path, tls: bool) -> None:
    """
    By the setting or the environment, with user and password where it has them; what is exempt is called directly.
    """
    async with way(authority, tls=tls, user="ada:p@ss/é") as (server, emulator, url):
        told = f"http://ada:p%40ss%2F%C3%A9@{server.address}"
        variable = "HTTPS_PROXY" if tls else "HTTP_PROXY"
        by_setting = await ask(url, ca_file=ca_file, proxy=told)
        by_environment = await ask(url, {variable: told}, ca_file=ca_file)
        by_lower_case = await ask(url, {"all_proxy": told}, ca_file=ca_file)
        asked = list(server.asked)
        exempt = await ask(url, {variable: told, "NO_PROXY": "localhost,127.0.0.0/8"}, ca_file=ca_file)
        chosen = await ask(url, {variable: told}, ca_file=ca_file, proxy="none")
        calls = list(emulator.calls)

    assert [by_setting, by_environment, by_lower_case, exempt, chosen] == ["none"] * 5
    host = url.partition("://")[2]
    assert asked == [f"CONNECT {host} HTTP/1.1" if tls else f"POST {url}/ HTTP/1.1"] * 3
    assert server.asked == asked
    assert len(calls) == 5


async def test_a_proxy_is_spoken_to_over_tls(authority: PrivateAuthority, ca_file: Path) -> None:
    """
    An `https://` proxy; its certificate must come from the same authorities.
    """
    async with way(authority, proxy_tls=authority.context("localhost")) as (server, _, url):
        trusted = await ask(url, ca_file=ca_file, proxy=f"https://localhost:{server.port}")
        unknown = await ask(url, proxy=f"https://localhost:{server.port}")

    assert trusted == "none"
    assert unknown == "proxy (unable to get local issuer certificate)"


@pytest.mark.parametrize("tls", [True, False])
async def test_a_proxy_that_wants_another_user_is_named(authority: PrivateAuthority, ca_file: Path, tls: bool) -> None:
    """
    In a tunnel and in clear text.
    """
    async with way(authority, tls=tls, user="ada:pass") as (server, emulator, url):
        nobody = await ask(url, ca_file=ca_file, proxy=f"http://{server.address}")
        another = await ask(url, ca_file=ca_file, proxy=f"http://eve:canary@{server.address}")

    assert nobody == "proxy (407: wants a user)"
    assert another == "proxy (407: refuses the user and password)"
    assert len(emulator.calls) == 0


@pytest.mark.parametrize(
    ("manner", "said"),
    [
        ("forbids", "proxy (refuses with 403)"),
        ("closes", "proxy (closed the connection)"),
        ("garbles", "proxy (answers no HTTP)"),
        ("hangs", "proxy (timeout)"),
    ],
)
async def test_a_proxy_that_makes_no_tunnel_is_named(
    authority: PrivateAuthority, ca_file: Path, manner: Any, said: str
) -> None:
    """
    Whatever it does instead: nothing was sent to the provider, so nothing is billed.
    """
    async with way(authority, manner=manner) as (server, _, url):
        assert await ask(url, ca_file=ca_file, proxy=f"http://{server.address}") == said


async def test_a_proxy_that_cannot_be_reached_is_named(authority: PrivateAuthority, ca_file: Path) -> None:
    """
    Its name, its port; and TLS with the provider, through a proxy, is not the proxy's.
    """
    async with way(authority) as (server, _, url):
        unknown = await ask(url, ca_file=ca_file, proxy="http://proxy.invalid:3128")
        nobody = await ask(url, ca_file=ca_file, proxy=f"http://127.0.0.1:{free_port()}")
        untrusted = await ask(url, proxy=f"http://{server.address}")

    assert unknown == "proxy (the name is not known)"
    assert nobody == "proxy (connection refused)"
    assert untrusted == "tls (unable to get local issuer certificate)"


async def test_what_the_environment_names_wrongly_is_said_at_the_start() -> None:
    """
    A proxy that cannot be used, where it would be; what it was given is not shown.
    """
    with pytest.raises(Misconfigured) as wrong:
        Ways.of(Config().provider, {"HTTPS_PROXY": "socks5://ada:canary@proxy:1080"})

    assert wrong.value.problems == (
        "HTTPS_PROXY: must begin with http:// or https://: other kinds of proxy, such as SOCKS, are not supported",
    )
    Ways.of(Config().provider, {"HTTPS_PROXY": "socks5://proxy:1080", "NO_PROXY": "aliyuncs.com"})


async def test_no_password_is_taken_from_netrc(
    authority: PrivateAuthority, ca_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A file for other programs: neither the proxy nor the provider is told what stands in it.
    """
    (tmp_path / ".netrc").write_text("default login ada password canary\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    async with way(authority, tls=False) as (server, _, url):
        assert await ask(url, {"HTTP_PROXY": f"http://{server.address}"}) == "none"

    assert b"ACS3-HMAC-SHA256" in server.heads[0]
    assert b"Basic" not in server.heads[0]
