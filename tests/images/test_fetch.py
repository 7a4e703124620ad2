"""
Fetching from real servers on loopback: which are reached, and what of them is taken.

A server that must not be reached keeps what it was asked; nothing waits longer than its own bound.
"""

import asyncio
import gzip
import io
import socket
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from consumer.authorities import Authorities
from consumer.images.addresses import Allowed
from consumer.images.errors import NotFetched
from consumer.images.fetch import Fetched, Fetcher, Limits, open_fetcher
from consumer.images.guard import MOST_ADDRESSES, OwnThreadsResolver, guarded_socket
from consumer.images.held import BytesHeld, Room
from consumer.proxies import DIRECT, Proxies
from tests.rig.freed import left_behind
from tests.rig.pictures import picture
from tests.rig.proxying import PrivateAuthority, proxy, tls_in_front_of

HERE = Allowed(networks=("127.0.0.1/32",))
IMAGE = picture(size=(10, 10))
PACKED = gzip.compress(IMAGE, mtime=0)  # the same in each process that collects tests
SOON = 5.0  # seconds that a test takes at the most
MEGABYTE = 1024 * 1024


class Host:
    """Answers each request with the same bytes, and keeps what it was asked."""

    def __init__(self, *parts: bytes, pause: float = 0.0, endless: bytes = b"") -> None:
        self.port = 0
        self.heads: list[str] = []
        self.connections = 0
        self._parts, self._pause, self._endless = parts, pause, endless

    @property
    def url(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}/image"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        for part in self._parts:
            writer.write(part.replace(b"{port}", str(self.port).encode()))
            await writer.drain()
            await asyncio.sleep(self._pause)
        while self._endless:
            writer.write(self._endless)
            await writer.drain()
            await asyncio.sleep(self._pause)


@asynccontextmanager
async def serving(host: Host, address: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Host]:
    """Run it, on any port or a certain one."""
    server = await asyncio.start_server(host.serve, address, port)
    host.port = server.sockets[0].getsockname()[1]
    try:
        yield host
    finally:
        server.close()


def answer(body: bytes = b"", status: str = "200 OK", length: int | None = None, **headers: str) -> bytes:
    """An answer whose length is told, rightly or not."""
    told = {"Content-Length": str(len(body) if length is None else length), "Connection": "close"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in (told | named).items() if value)
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    return answer(b"x", status, Location=location)


class Answers(AbstractResolver):
    """A resolver that finds other addresses each time."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
        self.asked.append(host)
        addresses = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [
            {"hostname": host, "host": each, "port": port, "proto": 0, "flags": 0,
             "family": socket.AF_INET6 if ":" in each else socket.AF_INET}
            for each in addresses
        ]  # fmt: skip

    async def close(self) -> None:
        return


@asynccontextmanager
async def fetcher(
    allowed: Allowed = HERE,
    *,
    proxies: Proxies = DIRECT,
    resolver: AbstractResolver | None = None,
    ca_file: Path | None = None,
    **limits: Any,
) -> AsyncIterator[Fetcher]:
    """A fetcher that ends soon."""
    bounds = Limits(**{"total_timeout": SOON, "connect_timeout": 1.0, "allowed": allowed, **limits})
    async with open_fetcher(bounds, proxies, Authorities(ca_file, {}), resolver) as opened:
        yield opened


async def fetch(url: str, allowed: Allowed = HERE, *, room: Room | None = None, **options: Any) -> Fetched:
    async with asyncio.timeout(SOON), fetcher(allowed, **options) as opened:
        return await opened.fetch(url, room)


async def failure(url: str, allowed: Allowed = HERE, **options: Any) -> NotFetched:
    """Why there is no image."""
    with pytest.raises(NotFetched) as failed:
        await fetch(url, allowed, **options)
    return failed.value


async def code(url: str, allowed: Allowed = HERE, **options: Any) -> str:
    """The word for it; whoever may try again is told by a star."""
    failed = await failure(url, allowed, **options)
    return f"{failed.code}{'*' if failed.again else ''}"


# What is fetched.


async def test_an_image_is_fetched() -> None:
    """
    Its bytes, what its server says that it is, and its version. We say who we are, and bring nothing else.
    """
    async with serving(Host(answer(IMAGE, Content_Type="Image/PNG; x=y", ETag='"abc"', Set_Cookie="a=b"))) as host:
        fetched = await fetch(f"{host.url}?a=%2F#part", referer="https://example.com/")

    assert fetched == Fetched(IMAGE, "image/png", '"abc"')
    assert "PNG" not in repr(fetched)
    lines = host.heads[0].split("\r\n")
    assert lines[0] == "GET /image?a=%2F HTTP/1.1"
    assert sorted(lines[1:-2]) == [
        "Accept-Encoding: identity", "Accept: */*", f"Host: 127.0.0.1:{host.port}", "Referer: https://example.com/",
        "User-Agent: moderation-consumer",
    ]  # fmt: skip


async def test_what_is_no_image_is_fetched_too() -> None:
    """
    What it is, is decided by whoever has it. Headers that make no sense are left out.
    """
    async with serving(Host(answer(b"<html>", Content_Type="\u2028", ETag="abc"))) as host:
        assert await fetch(host.url) == Fetched(b"<html>", None, None)


async def test_redirects_are_followed() -> None:
    """
    Three of them, to other paths and hosts; cookies do not come along.
    """
    there = Host(redirect("/next", "307 Temporary Redirect").replace(b"Location", b"Set-Cookie: a=b\r\nLocation"))
    async with (
        serving(Host(answer(IMAGE))) as last,
        serving(Host(redirect(last.url))) as second,
        serving(there) as first,
    ):
        chain = Host(redirect(second.url, "308 Permanent Redirect"))
        async with serving(chain):
            assert (await fetch(chain.url)).data == IMAGE
        assert await code(first.url) == "redirect_limit"

    assert [head.split()[1] for head in there.heads] == ["/image", "/next", "/next", "/next"]
    assert not any("Cookie" in head for head in there.heads)


async def test_a_redirect_to_nowhere_is_no_image() -> None:
    """
    One without a place, and other answers of the kind.
    """
    async with serving(Host(answer(status="302 Found"))) as host:
        assert await code(host.url) == "http_302"
    async with serving(Host(answer(b"", "304 Not Modified", Location="/b"))) as host:
        assert await code(host.url) == "http_304"


@pytest.mark.parametrize(
    ("status", "expected"),
    [("404 Not Found", "not_found"), ("410 Gone", "not_found"), ("403 Forbidden", "denied"), ("401 No", "denied"),
     ("206 Partial Content", "http_206"), ("400 Bad", "http_400"), ("407 Proxy", "http_407"), ("408 Slow", "http_408*"),
     ("429 Many", "http_429*"), ("500 Bug", "http_500*"), ("503 Busy", "http_503*")],
)  # fmt: skip
async def test_other_answers_are_no_image(status: str, expected: str) -> None:
    """
    Each has its word; of those that may pass it is said.
    """
    async with serving(Host(answer(IMAGE, status))) as host:
        assert await code(host.url) == expected


# Where nothing leads.


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f000001", "017700000001", "127.1", "127.0.0.1.", "localhost", "a.localhost",
     "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::1]", "[::]", "0.0.0.0", "0", "１２７.0.0.1",
     "169.254.169.254", "10.0.0.1", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1%25lo]"],
)  # fmt: skip
async def test_this_machine_is_not_asked(host: str) -> None:
    """
    Loopback, private and metadata, however they are written.
    """
    async with serving(Host(answer(IMAGE))) as here:
        direct = await code(f"http://{host}:{here.port}/", Allowed())
    async with serving(Host(answer(IMAGE)), "127.0.0.2") as there:
        # Only the server that redirects is allowed.
        leading = Host(redirect(f"http://{host}:{there.port}/"))
        async with serving(leading, "127.0.0.3") as leads:
            led = await code(f"http://127.0.0.3:{leads.port}/", Allowed(networks=("127.0.0.3/32",)))

    assert (direct, led) == ("address_refused", "address_refused")
    assert (here.connections, there.connections, leads.connections) == (0, 0, 1)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1:{port}/", "gopher://127.0.0.1:{port}/_GET"])
async def test_other_schemes_are_not_spoken(url: str) -> None:
    """
    Neither at once nor after a redirect.
    """
    async with serving(Host(answer(IMAGE))) as there, serving(Host(redirect(url))) as leading:
        assert await code(url.replace("{port}", str(there.port))) == "scheme"
        assert await code(leading.url) == "scheme"

    assert there.connections == 0


@pytest.mark.parametrize(
    "user", ["user", "user:pass", "example.com", "example.com:80", "example.com#", "example.com\\"]
)
async def test_users_get_nowhere(user: str) -> None:
    """
    What looks like another host before an @, in whatever way it is read.
    """
    async with serving(Host(answer(IMAGE))) as there:
        refused = await code(f"http://{user}@127.0.0.1:{there.port}/", resolver=Answers(["10.0.0.1"]))

    assert refused in ("userinfo", "url", "address_refused")
    assert there.connections == 0


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.100.100.200", "::1", "::ffff:127.0.0.1", "fd00:ec2::254",
     "64:ff9b::a9fe:a9fe", "fe80::1%1"],
)  # fmt: skip
async def test_a_name_that_has_such_an_address_is_not_asked(address: str) -> None:
    """
    The address is judged when its socket is made.
    """
    async with serving(Host(answer(IMAGE))) as there:
        resolver = Answers([address])
        failed = await failure(f"http://images.example:{there.port}/?canary", Allowed(), resolver=resolver)

    assert (failed.code, failed.again, there.connections) == ("address_refused", False, 0)
    assert f"images.example has {address}: " in failed.detail
    assert "canary" not in str(failed)
    assert resolver.asked == ["images.example"]


async def test_a_name_that_changes_its_address_is_not_asked() -> None:
    """
    The first look-up finds an address that is allowed, the second one of this machine, which is not reached.
    """
    allowed = Allowed(networks=("127.0.0.2/32",))
    resolver = Answers(["127.0.0.2"], ["127.0.0.1"])
    here = Host(answer(IMAGE))
    async with serving(Host(redirect("/again")), "127.0.0.2") as first, serving(here, port=first.port) as second:
        failed = await failure(f"http://rebinding.example:{first.port}/", allowed, resolver=resolver)

    assert (failed.code, failed.detail) == ("address_refused", "rebinding.example has 127.0.0.1: loopback")
    assert resolver.asked == ["rebinding.example"] * 2
    assert (first.connections, second.connections) == (1, 0)


async def test_of_several_addresses_the_refused_ones_are_left_out() -> None:
    """
    What is left is asked; if it cannot be reached either, that is the reason.
    """
    allowed = Allowed(networks=("127.0.0.2/32",))
    async with serving(Host(answer(IMAGE))) as here, serving(Host(answer(IMAGE)), "127.0.0.2", here.port) as there:
        url = f"http://images.example:{here.port}/"
        addresses = ["127.0.0.1", "::1", "127.0.0.2", "10.0.0.1"]
        assert (await fetch(url, allowed, resolver=Answers(addresses))).data == IMAGE
        assert await code(url, Allowed(), resolver=Answers(addresses)) == "address_refused"

    assert (here.connections, there.connections) == (0, 1)
    assert await code(url, allowed, resolver=Answers(addresses)) == "connect*"


async def test_hosts_that_are_allowed_may_be_anywhere() -> None:
    """
    By name, through DNS; metadata excepted, and others who have the same address.
    """
    allowed = Allowed(hosts=("*.storage.internal",))
    async with serving(Host(answer(IMAGE))) as host:
        url = f"http://a.storage.internal:{host.port}/"
        assert (await fetch(url, allowed, resolver=Answers(["127.0.0.1"]))).data == IMAGE
        assert await code(url, allowed, resolver=Answers(["169.254.169.254"])) == "address_refused"
        other = url.replace("a.storage", "storage")
        assert await code(other, allowed, resolver=Answers(["127.0.0.1"])) == "address_refused"

    assert host.connections == 1


def test_a_socket_of_no_request_is_not_made() -> None:
    """
    Whoever opens a connection says for what.
    """
    with pytest.raises(OSError, match="of no request"):
        guarded_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("8.8.8.8", 80)))


async def test_names_are_looked_up_as_the_system_does() -> None:
    """
    With a few of their addresses, in threads of their own.
    """
    resolver = OwnThreadsResolver()
    found = await resolver.resolve("localhost", 80, socket.AF_UNSPEC)
    with pytest.raises(socket.gaierror):
        await resolver.resolve("images.invalid", 80)
    await resolver.close()

    assert {each["host"] for each in found} <= {"127.0.0.1", "::1"}
    assert 0 < len(found) <= MOST_ADDRESSES
    assert await code("http://images.invalid/") in ("dns", "dns*")


# How much is taken.


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "GZIP"])
async def test_what_was_packed_unasked_is_unpacked(encoding: str) -> None:
    """
    Some servers do it whatever they are told.
    """
    packed = zlib.compress(IMAGE) if encoding == "deflate" else gzip.compress(IMAGE, mtime=0)
    head = answer(length=len(packed), Content_Encoding=encoding)
    async with serving(Host(head, *(packed[at : at + 1] for at in range(len(packed))))) as host:
        assert (await fetch(host.url)).data == IMAGE


async def test_deflate_without_its_frame_is_unpacked() -> None:
    """
    As some send it, and whatever was packed to more than is unpacked at once.
    """
    large = bytes(3 * MEGABYTE)
    packed = zlib.compress(large)[2:-4]
    async with serving(Host(answer(packed, Content_Encoding="deflate"))) as host:
        assert (await fetch(host.url)).data == large


@pytest.mark.parametrize(
    ("body", "encoding", "expected"),
    [(IMAGE, "br", "content_encoding"), (IMAGE, "gzip, gzip", "content_encoding"), (IMAGE, "gzip", "content_encoding"),
     (PACKED + b"x", "gzip", "content_encoding"), (PACKED[:-9], "gzip", "truncated*"),
     (gzip.compress(b"", mtime=0), "gzip", "empty"), (b"x", "deflate", "truncated*"), (b"", "gzip", "truncated*")],
)  # fmt: skip
async def test_what_cannot_be_unpacked_is_not_taken(body: bytes, encoding: str, expected: str) -> None:
    """
    Other encodings, several of them, and what is damaged.
    """
    async with serving(Host(answer(body, Content_Encoding=encoding))) as host:
        assert await code(host.url) == expected


@pytest.mark.parametrize("window", [zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS])
async def test_a_bomb_is_not_unpacked(window: int) -> None:
    """
    150 MB of zeros in 150 kB: it ends at the bound, and so does the memory that is taken.
    """
    packing = zlib.compressobj(wbits=window)
    bomb = b"".join([packing.compress(bytes(MEGABYTE)) for _ in range(150)]) + packing.flush()
    encoding = "gzip" if window > zlib.MAX_WBITS else "deflate"
    async with serving(Host(answer(bomb, Content_Encoding=encoding))) as host:
        tracemalloc.start()
        began = time.monotonic()
        refused = await code(host.url, max_bytes=4 * MEGABYTE)
        took, (_, peak) = time.monotonic() - began, tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert refused == "too_large"
    assert len(bomb) < MEGABYTE
    assert peak < 16 * MEGABYTE
    assert took < SOON


async def test_others_have_their_turn_while_much_is_unpacked() -> None:
    """
    It is done in steps.
    """
    packed = gzip.compress(bytes(20 * MEGABYTE))
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with serving(Host(answer(packed, Content_Encoding="gzip"))) as host:
        before = asyncio.ensure_future(take_turns())
        fetched = await fetch(host.url)
        before.cancel()

    assert len(fetched.data) == 20 * MEGABYTE
    assert turns >= 80


async def test_what_is_announced_to_be_too_large_is_not_read() -> None:
    """
    1 GB; of the body nothing has to come.
    """
    async with serving(Host(answer(length=1_000_000_000), pause=60.0)) as host:
        assert await code(host.url) == "too_large"


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"])
async def test_what_never_ends_is_ended(head: bytes) -> None:
    """
    Without a length, or in chunks.
    """
    chunk = bytes(65_536)
    endless = b"10000\r\n" + chunk + b"\r\n" if b"chunked" in head else chunk
    async with serving(Host(head, endless=endless)) as host:
        assert await code(host.url) == "too_large"


async def test_an_image_comes_once_there_is_room_for_it() -> None:
    """
    As much as its server announces, and else as much as an image may have; the wait is not counted in the time.
    """
    held = BytesHeld(len(IMAGE) + 100)
    async with serving(Host(answer(IMAGE))) as host:
        with held.room() as others, held.room() as room:
            await others.take(101)
            fetching = asyncio.ensure_future(fetch(host.url, room=room, total_timeout=0.3))
            done, _ = await asyncio.wait({fetching}, timeout=0.6)  # twice as long as a fetch may take
            assert not done
            others.shrink(100)

            assert (await fetching).data == IMAGE
            assert room.taken == len(IMAGE)
    assert held.taken == 0


async def test_of_the_room_for_an_unannounced_image_the_rest_is_given_back() -> None:
    """
    What it takes is known once it is there.
    """
    held = BytesHeld(1_000_000)
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(IMAGE), IMAGE)
    async with serving(Host(chunked)) as host:
        with held.room() as room:
            assert (await fetch(host.url, room=room, max_bytes=1_000_000)).data == IMAGE
            assert room.taken == len(IMAGE)


async def test_what_came_of_a_broken_image_is_freed_at_once() -> None:
    """
    aiohttp keeps the error in the stream that the reading has; yet nothing waits for the garbage collector.
    """
    codes = []
    async with serving(Host(answer(IMAGE, length=len(IMAGE) + 1))) as host:

        async def fails() -> None:
            try:
                await fetch(host.url)
            except NotFetched as error:
                codes.append(error.code)

        with left_behind(io.BytesIO) as found:
            for _ in range(4):
                await asyncio.create_task(fails())

    assert codes == ["truncated"] * 4
    assert found == []


async def test_less_than_announced_is_not_taken() -> None:
    """
    Half of an image is another image. Of more than announced, only that is taken, or nothing of it.
    """
    async with serving(Host(answer(IMAGE, length=len(IMAGE) + 1))) as host:
        assert await code(host.url) == "truncated*"
    async with serving(Host(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n")) as host:
        assert await code(host.url) == "truncated*"
    async with serving(Host(answer(IMAGE), endless=b"more", pause=0.01)) as host:
        assert (await fetch(host.url)).data == IMAGE
    async with serving(Host(answer(IMAGE + b"more", length=len(IMAGE)))) as host:
        assert await code(host.url) == "not_http"
    async with serving(Host(answer(b""))) as host:
        assert await code(host.url) == "empty"


# How long it takes.


@pytest.mark.parametrize(
    "host",
    [Host(answer(length=1_000), endless=b"x", pause=0.02),
     Host(b"HTTP/1.1 200 OK\r\n", endless=b"a: b\r\n", pause=0.02),
     Host(b"", pause=60.0),
     Host(b"HTTP/1.1 100 Continue\r\n\r\n", endless=b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.02)],
    ids=["body", "head", "silence", "continuing"],
)  # fmt: skip
async def test_a_slow_drip_is_ended(host: Host) -> None:
    """
    Whatever comes byte by byte, or never.
    """
    async with serving(host):
        began = time.monotonic()
        assert await code(host.url, total_timeout=0.3) == "timeout*"

    assert time.monotonic() - began < 2.0


async def test_all_redirects_share_one_time() -> None:
    """
    The bound is for the whole fetch.
    """
    async with serving(Host(b"", redirect("/next"), pause=0.2)) as host:
        assert await code(host.url, total_timeout=0.5) == "timeout*"

    assert len(host.heads) < 4


async def test_a_head_that_never_ends_is_ended() -> None:
    """
    By its length, long before the time.
    """
    async with serving(Host(b"HTTP/1.1 200 OK\r\n", endless=b"a: " + b"b" * 1_000 + b"\r\n")) as host:
        assert await code(host.url) == "not_http"


async def test_a_host_that_is_not_reached_in_time_is_named() -> None:
    """
    Looking its name up is part of it.
    """

    class Slow(Answers):
        async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
            await asyncio.sleep(60.0)
            raise AssertionError

    failed = await failure("http://slow.example/", resolver=Slow([]), connect_timeout=0.2)

    assert (failed.code, failed.again, failed.detail) == ("timeout", True, "while connecting")


async def test_what_is_no_answer_is_named() -> None:
    """
    Nobody there, a connection that is closed, and no HTTP.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert await code(f"http://127.0.0.1:{port}/") == "connect*"
    async with serving(Host()) as host:
        assert await code(host.url) == "connect*"
    async with serving(Host(b"SSH-2.0-OpenSSH_9.6\r\n")) as host:
        failed = await failure(host.url)
    assert (failed.code, failed.again, failed.detail) == ("not_http", False, "answers no HTTP")


# On the way.


@pytest.fixture(scope="module")
def authority() -> PrivateAuthority:
    """Nobody trusts it by itself."""
    return PrivateAuthority()


async def speak_first(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Clear text, whatever comes."""
    writer.write(b"220 mail.example.com\r\n")
    await writer.drain()
    writer.close()


async def test_certificates_are_checked(authority: PrivateAuthority, tmp_path: Path) -> None:
    """
    An authority that is trusted, one that is not, another host's name; and no way from there to clear text.
    """
    ca_file = authority.write(tmp_path / "ca.pem")
    async with serving(Host(answer(IMAGE))) as host, tls_in_front_of(host.port, authority.context()) as port:
        url = f"https://localhost:{port}/"
        assert (await fetch(url, ca_file=ca_file)).data == IMAGE
        assert await code(url) == "tls"
        assert await code(url.replace("localhost", "127.0.0.1"), ca_file=ca_file) == "tls"
    async with await asyncio.start_server(speak_first, "127.0.0.1", 0) as server:
        assert await code(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", ca_file=ca_file) == "tls*"
    async with serving(Host(redirect(host.url))) as host, tls_in_front_of(host.port, authority.context()) as port:
        assert await code(f"https://localhost:{port}/", ca_file=ca_file) == "redirect_downgrade"


@pytest.mark.parametrize("tls", [True, False])
async def test_images_are_fetched_through_a_proxy(authority: PrivateAuthority, tmp_path: Path, tls: bool) -> None:
    """
    Its own address may be private. What stands in the URL is judged, and what names have is not known here.
    """
    ca_file = authority.write(tmp_path / "ca.pem")
    allowed = Allowed(hosts=("localhost",))
    async with serving(Host(answer(IMAGE))) as host, proxy(user="ada:pass") as server:
        proxies = Proxies.of({}, f"http://ada:pass@{server.address}")
        async with tls_in_front_of(host.port, authority.context()) as port:
            url = f"https://localhost:{port}/" if tls else f"http://localhost:{host.port}/"
            fetched = await fetch(url, allowed, proxies=proxies, ca_file=ca_file)
        asked = len(server.asked)
        refused = [
            await code(f"http://{name}/", Allowed(), proxies=proxies)
            for name in ("127.0.0.1", "0x7f.1", "[::1]", "localhost", "metadata.google.internal")
        ]

    assert fetched.data == IMAGE
    assert refused == ["address_refused"] * 5
    assert (asked, len(server.asked)) == (1, 1)
    assert "Proxy-Authorization" not in "".join(host.heads) or not tls


async def test_what_a_proxy_does_instead_is_named() -> None:
    """
    It wants another user, forbids the host, or is not there.
    """
    async with serving(Host(answer(IMAGE))) as host:
        async with proxy(user="ada:pass") as server:
            proxies = Proxies.of({}, f"http://{server.address}")
            assert await code(host.url, proxies=proxies) == "proxy*"
            assert await code(host.url.replace("http:", "https:"), proxies=proxies) == "proxy*"
        assert await code(host.url, proxies=proxies) == "proxy*"
        async with proxy(manner="forbids") as server:
            proxies = Proxies.of({}, f"http://{server.address}")
            assert await code(host.url.replace("http:", "https:"), proxies=proxies) == "proxy"
        assert await code(host.url, proxies=Proxies.of({}, "socks5://a:1")) == "proxy*"

    assert host.connections == 0


async def test_the_environment_plays_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Neither a proxy nor a password is taken from it.
    """
    (tmp_path / ".netrc").write_text("default login ada password canary\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with serving(Host(answer(IMAGE))) as host:
        assert (await fetch(host.url)).data == IMAGE

    assert "Authorization" not in host.heads[0]


async def test_many_are_fetched_at_once() -> None:
    """
    Each is judged by its own host, whatever the others may.
    """
    allowed = Allowed(hosts=("good.example",))
    resolver, patience = Answers(["127.0.0.1"]), 30.0  # on some machines a second may pass at once
    async with (
        serving(Host(answer(IMAGE))) as host,
        fetcher(allowed, resolver=resolver, connect_timeout=patience, total_timeout=patience) as opened,
    ):
        names = ["good.example", "bad.example"] * 20
        fetches = [opened.fetch(f"http://{name}:{host.port}/") for name in names]
        done = await asyncio.gather(*fetches, return_exceptions=True)

    good, bad = done[::2], done[1::2]
    assert [each for each in good if not isinstance(each, Fetched)] == []
    assert not any(isinstance(each, Fetched) for each in bad)
    assert host.connections == 20
