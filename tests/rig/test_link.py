"""A network that takes its time and can be cut, between a client and a server that repeats what it hears."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.rig.link import HOST, Link

_DEADLINE = 10.0  # seconds


@pytest_asyncio.fixture
async def link() -> AsyncIterator[Link]:
    """A link to the server."""

    async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while heard := await reader.read(1024):
            writer.write(heard)
        writer.close()

    async with await asyncio.start_server(repeat, HOST, 0) as server, Link.opened() as link:
        link.target = f"{HOST}:{server.sockets[0].getsockname()[1]}"
        yield link


async def connected(link: Link, stack: AsyncExitStack) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection through the link, closed with the stack."""
    reader, writer = await asyncio.open_connection(HOST, link.port)
    stack.callback(writer.close)
    return reader, writer


async def test_an_answer_takes_a_round_trip(link: Link) -> None:
    """
    Half of it on the way there, half on the way back.
    """
    link.round_trip = 0.2
    async with AsyncExitStack() as stack:
        reader, writer = await connected(link, stack)
        began = time.monotonic()
        writer.write(b"a")
        assert await asyncio.wait_for(reader.readexactly(1), _DEADLINE) == b"a"
        assert time.monotonic() - began >= 0.2


async def test_nothing_passes_a_cut_and_all_of_it_arrives_once_it_is_mended(link: Link) -> None:
    """
    On a connection from before the cut, and on one that was made since.
    """
    async with AsyncExitStack() as stack:
        before = await connected(link, stack)
        before[1].write(b"1")
        assert await asyncio.wait_for(before[0].readexactly(1), _DEADLINE) == b"1"
        link.cut()
        since = await connected(link, stack)
        for _, writer in (before, since):
            writer.write(b"2")
        heard = [asyncio.create_task(reader.readexactly(1)) for reader, _ in (before, since)]
        done, _ = await asyncio.wait(heard, timeout=0.2)
        assert not done

        link.mend()

        assert await asyncio.wait_for(asyncio.gather(*heard), _DEADLINE) == [b"2", b"2"]


async def test_a_link_that_is_closed_refuses(link: Link) -> None:
    """
    As an address does where nothing is any more.
    """
    link.close()

    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOST, link.port)
