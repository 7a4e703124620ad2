"""
The bytes of an image as they come: no more than are wanted, and only once there is room for them.
"""

import asyncio
import io

import aiohttp

from consumer.errors import without_frames
from consumer.images.errors import NotFetched
from consumer.images.failures import of_broken_body
from consumer.images.held import Room
from consumer.images.turns import Turns
from consumer.images.unpacking import unpacking

PATIENCE = 5.0
"""Seconds for which a host is expected to wait before it sends an image."""


async def read_image(
    response: aiohttp.ClientResponse, encodings: list[str], bound: int, room: Room | None, deadline: asyncio.Timeout
) -> bytes | None:
    """
    Read the body of an answer whose head has come, at most `bound` bytes, before and after unpacking `encodings`.

    The wait for room is not counted in the time until `deadline`. None: it was so long that the host may have given up
    by now; the room stays, and the host must be asked again.

    Raises:
        NotFetched: `too_large`, `truncated`, `empty` or `content_encoding`.
    """
    if (response.content_length or 0) > bound:
        raise _too_large(bound)
    if room is not None:
        length = response.content_length
        wanted = bound if length is None or encodings else length
        if wanted > room.taken:
            room.clear()  # what holds some and waits for more would wait for others that do the same
            if await _take(room, wanted, deadline) > PATIENCE:
                return None
    data = await _read(response, encodings, bound, Turns() if room is None else room.turns)
    if room is not None:
        room.shrink(len(data))
    return data


async def _take(room: Room, count: int, deadline: asyncio.Timeout) -> float:
    """Wait for room, for as long as it takes; return how many seconds that was."""
    loop, ends = asyncio.get_running_loop(), deadline.when()
    began = loop.time()
    deadline.reschedule(None)
    await room.take(count)
    deadline.reschedule(None if ends is None else ends + loop.time() - began)
    return loop.time() - began


async def _read(response: aiohttp.ClientResponse, encodings: list[str], bound: int, turns: Turns) -> bytes:
    unpacked = unpacking(encodings)
    # Written into the room that it will have: to grow and to copy megabytes took up to 10 ms of the loop at a time.
    data = io.BytesIO(bytes(response.content_length or 0))
    came = 0
    try:
        async for chunk in response.content.iter_any():
            came += len(chunk)
            for piece in unpacked.pieces(chunk):
                data.write(piece)
                if max(came, data.tell()) > bound:
                    raise _too_large(bound)
                await turns.turn()
    except (aiohttp.ClientError, OSError) as error:
        raise of_broken_body(without_frames(error)) from None
    unpacked.finish()
    data.truncate()
    if not data.tell():
        raise NotFetched("empty", detail="has no bytes", answered=True)
    return data.getvalue()


def _too_large(bound: int) -> NotFetched:
    return NotFetched("too_large", detail=f"has more than {bound:,} bytes", answered=True)
