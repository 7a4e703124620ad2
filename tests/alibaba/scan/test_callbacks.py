"""Callbacks: which are believed, and what they can do."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from consumer.alibaba.scan.callback_listener import callbacks
from consumer.alibaba.scan.callbacks import Callback, CallbackSecret, read_callback
from consumer.moderation.open_tasks import OpenTasks
from consumer.observability import metrics
from consumer.observability.connections import Bounds
from consumer.observability.listening import Address

SECRET = CallbackSecret("1234567890", "a seed of ours")
CONTENT = '{"code":200,"taskId":"img5RFn$R@-1u3eGE","results":[{"suggestion":"pass"}]}'


def form(content: str = CONTENT, checksum: str | None = None, **more: str) -> bytes:
    return urlencode({"checksum": checksum or SECRET.checksum(content), "content": content, **more}).encode()


def test_a_checksum_is_the_hash_of_uid_seed_and_content() -> None:
    """Vendor: SHA256(UID + seed + content), in hex digits."""
    assert SECRET.checksum(CONTENT) == hashlib.sha256(b"1234567890a seed of ours" + CONTENT.encode()).hexdigest()
    assert "a seed" not in repr(SECRET)


def test_a_genuine_callback_names_its_task() -> None:
    """Digits may be in either case, and the form may have more fields."""
    assert read_callback(form(), SECRET) == Callback(["img5RFn$R@-1u3eGE"])
    assert read_callback(form(checksum=SECRET.checksum(CONTENT).upper(), other="1"), SECRET) == Callback(
        ["img5RFn$R@-1u3eGE"]
    )


@pytest.mark.parametrize(
    "secret", [CallbackSecret("1234567891", "a seed of ours"), CallbackSecret("1234567890", "a seed of theirs")]
)
def test_what_is_signed_with_another_secret_is_forged(secret: CallbackSecret) -> None:
    """Another account's UID or another seed makes another checksum."""
    assert read_callback(form(checksum=secret.checksum(CONTENT)), SECRET) == "forged"
    assert read_callback(form(CONTENT.replace("pass", "block"), SECRET.checksum(CONTENT)), SECRET) == "forged"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\xff", b"checksum=1", b"content=%7B%7D", form() + b"&content=%7B%7D", b"&".join([b"a=1"] * 100),
        form("{"), form("[]"), form("7"), form('{"taskId":7}'), form('{"taskId":"a b"}'), form('[{"taskId":"a"},{}]'),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_to_be(body: bytes) -> None:
    """Fields that are missing or stand twice, and a content that names no task."""
    assert read_callback(body, SECRET) == "unreadable"


@given(st.binary(max_size=200))
def test_nothing_escapes(body: bytes) -> None:
    """Whatever a stranger sends, it is refused in a word."""
    assert read_callback(body, SECRET) in ("forged", "unreadable")


@contextlib.asynccontextmanager
async def listening(tasks: OpenTasks, bounds: Bounds | None = None) -> AsyncIterator[tuple[int, metrics.Metrics]]:
    counted = metrics.Metrics(CollectorRegistry())
    metrics.count_in(counted)
    address = Address("host", "127.0.0.1", "port", 0)
    more = {} if bounds is None else {"bounds": bounds}
    async with callbacks(address, SECRET, lambda task_id: tasks.wake(task_id, 1.0), **more) as shown:
        yield int(shown.rpartition(":")[2]), counted


async def post(port: int, body: bytes, *, method: str = "POST", length: int | None = None, in_parts: int = 1) -> bytes:
    """All that comes back to a form, which is sent in so many parts."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.closing(writer):
        head = f"{method} /callback HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body) if length is None else length}"
        sent = f"{head}\r\ncontent-type: application/x-www-form-urlencoded\r\n\r\n".encode() + body
        size = -(-len(sent) // in_parts)
        for begin in range(0, len(sent), size):
            writer.write(sent[begin : begin + size])
            await writer.drain()
            await asyncio.sleep(0)
        try:
            return await asyncio.wait_for(reader.read(), 10.0)
        except ConnectionError:
            return b""


def count(counted: metrics.Metrics, outcome: str) -> float:
    return counted.registry.get_sample_value("moderation_scan_callbacks_total", {"outcome": outcome}) or 0.0


@pytest.mark.parametrize("in_parts", [1, 7])
async def test_a_callback_has_its_task_looked_at_and_a_repeated_one_has_not(in_parts: int) -> None:
    """
    Both are answered 200: the vendor repeats what is not, and whose task it is another replica may know.
    """
    tasks = OpenTasks(5.0, 3600.0)
    tasks.open("img5RFn$R@-1u3eGE", 0.0)
    async with listening(tasks) as (port, counted):
        first = await post(port, form(), in_parts=in_parts)
        again = await post(port, form(), in_parts=in_parts)
        stranger = await post(port, form(CONTENT.replace("img5", "img6")), in_parts=in_parts)

    assert [each.split()[1] for each in (first, again, stranger)] == [b"200"] * 3
    assert (count(counted, "woke"), count(counted, "not_open")) == (1, 2)
    assert tasks.take_due(1.0, 9) == ["img5RFn$R@-1u3eGE"]
    assert tasks.take_due(1.0, 9) == []


async def test_what_is_not_the_vendors_wakes_nothing() -> None:
    """A forged one, one that cannot be read and another method each have their status."""
    tasks = OpenTasks(5.0, 3600.0)
    tasks.open("img5RFn$R@-1u3eGE", 0.0)
    async with listening(tasks) as (port, counted):
        forged = await post(port, form(checksum="0" * 64))
        unreadable = await post(port, b"hello")
        got = await post(port, b"", method="GET")

    assert [each.split()[1] for each in (forged, unreadable, got)] == [b"403", b"400", b"405"]
    assert (count(counted, "forged"), count(counted, "unreadable"), count(counted, "woke")) == (1, 1, 0)
    assert tasks.take_due(1.0, 9) == []


async def test_a_body_that_is_too_long_or_too_slow_is_cut() -> None:
    """Memory and connections are bounded, whoever reaches the port."""
    bounds = Bounds(request_bytes=1_000, answer_seconds=0.2, reads_bodies=True)
    async with listening(OpenTasks(5.0, 3600.0), bounds) as (port, _):
        assert await post(port, form() + b"&x=" + b"y" * 2_000) == b""
        assert await post(port, form()[:9], length=500) == b""
