"""
What this service and the vendor's SDKs send to the object store is signed in the eyes of somebody who shares code with
neither, nor with the emulator.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import oss2
import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from consumer.alibaba.uploads import UploadStore, UploadTokens
from consumer.clock import SystemClock
from consumer.config import Config
from consumer.config.credentials import Credentials
from consumer.emulator import EmulatorSettings, build_app
from consumer.emulator.buckets import etag_of, version_of
from consumer.emulator.listening import listening
from consumer.http.exchange import Exchanges, Timeouts
from consumer.http.transport import open_transport
from consumer.image_sources import open_stores
from consumer.images.held import BytesHeld
from consumer.keys import FixedKeys
from consumer.locations import StoredObject
from tests.emulator.local_files import Store, WithOss2, WithV2, WithV2Async
from tests.emulator.test_reading import configured, got
from tests.emulator.uploading import client
from tests.rig.emulated import KEY
from tests.rig.oss_signatures import Sent, is_signed
from tests.rig.pictures import picture

IMAGE = picture("red", "PNG", (8, 8))
ODD = "avatars/a b+c%20?#&=测~.png"
SETTINGS = EmulatorSettings(oss={"ugc": {ODD: IMAGE}})
REGION = "ap-southeast-1"


@dataclass(slots=True)
class Wire:
    """An emulator that keeps what the store is sent, and the secrets of the keys that sign it."""

    host: str = ""
    sent: list[Sent] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def recorded() -> AsyncIterator[Wire]:
    """Serve it."""
    wire = Wire(secrets={SETTINGS.access_key_id: SETTINGS.access_key_secret.get_secret_value()})

    @web.middleware
    async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if request.headers.get("Authorization", "").startswith("OSS"):
            assert answer.status == 200, answer
            headers = {name.lower(): value for name, value in request.headers.items()}
            wire.sent.append(Sent(request.method, request.raw_path, headers))
        return answer

    app = build_app(SETTINGS)
    app.middlewares.append(record)
    async with listening(app, "127.0.0.1", [0]) as (_, [port]):
        wire.host = f"127.0.0.1:{port}"
        yield wire


async def token_on(wire: Wire) -> Any:
    """A token to upload with, whose secret is kept."""
    data = (await client(wire.host).describe_upload_token_async()).body.data
    wire.secrets[data.access_key_id] = data.access_key_secret
    return data


async def we_upload(wire: Wire, folder: Path) -> None:
    account = Credentials(access_key_id=SETTINGS.access_key_id, access_key_secret=SETTINGS.access_key_secret)
    clock = SystemClock()
    async with open_transport(1) as transport:
        exchanges = Exchanges(transport, Timeouts(connect=1.0, read=5.0), clock)
        tokens = UploadTokens(exchanges, f"http://{wire.host}", FixedKeys(account), clock)
        for name in ("png", "ico"):
            await UploadStore(tokens, exchanges, REGION, clock).put(IMAGE, name)
        token = await tokens.current()
        wire.secrets[token.access_key_id] = token.access_key_secret


async def we_read(wire: Wire, folder: Path) -> None:
    config = Config.model_validate(
        {
            "stores": {"ugc": {"type": "oss", "endpoint": f"http://{wire.host}", "region": REGION}},
            "bindings": [{"bucket": "ugc", "via": "upload", "store": "ugc"}],
        }
    )
    async with open_stores(config, KEY, SystemClock()) as reader:
        with BytesHeld(1 << 20).room() as room:
            await reader.fetch(StoredObject("ugc", "ugc", ODD), room)
        with BytesHeld(1 << 20).room() as room:
            await reader.fetch(StoredObject("ugc", "ugc", ODD, version_of(IMAGE)), room)
        with BytesHeld(1 << 20).room() as room:
            await reader.fetch(StoredObject("ugc", "ugc", ODD, None, etag_of(IMAGE)), room)
        await reader.look("ugc", "ugc")


async def sdk_uploads(wire: Wire, folder: Path, *, open_store: Callable[[Any], Store]) -> None:
    (folder / "a.png").write_bytes(IMAGE)
    token = await token_on(wire)
    store = open_store(token)
    try:
        await store.put(f"{token.file_name_prefix}r d/测+~.png", folder / "a.png")
    finally:
        await store.close()


async def sdk_reads(wire: Wire, folder: Path, *, signature: str) -> None:
    config = configured(wire.host, signature)
    assert (await got(config, key=ODD))[1] == IMAGE
    assert (await got(config, key=ODD, version_id=version_of(IMAGE)))[1] == IMAGE


async def oss2_reads(wire: Wire, folder: Path) -> None:
    bucket = oss2.Bucket(oss2.Auth(*wire.secrets.copy().popitem()), f"http://{wire.host}", "ugc")
    found = await asyncio.to_thread(bucket.get_object, ODD, params={"versionId": version_of(IMAGE)})
    assert await asyncio.to_thread(found.read) == IMAGE


SENDERS: dict[str, tuple[str, int, Callable[[Wire, Path], Awaitable[None]]]] = {
    "this service uploads": ("V4", 2, we_upload),
    "this service reads": ("V4", 4, we_read),
    "oss2 uploads": ("V1", 1, partial(sdk_uploads, open_store=WithOss2)),
    "oss2 reads": ("V1", 1, oss2_reads),
    "oss v2 uploads, V1": ("V1", 1, partial(sdk_uploads, open_store=partial(WithV2, signature="v1"))),
    "oss v2 uploads, V4": ("V4", 1, partial(sdk_uploads, open_store=WithV2)),
    "oss v2 async uploads, V1": ("V1", 1, partial(sdk_uploads, open_store=partial(WithV2Async, signature="v1"))),
    "oss v2 async uploads, V4": ("V4", 1, partial(sdk_uploads, open_store=WithV2Async)),
    "oss v2 reads, V1": ("V1", 2, partial(sdk_reads, signature="v1")),
    "oss v2 reads, V4": ("V4", 2, partial(sdk_reads, signature="v4")),
}


@pytest.mark.parametrize(("version", "count", "send"), list(SENDERS.values()), ids=list(SENDERS))
async def test_what_is_sent_is_signed_in_the_eyes_of_a_third(
    version: str, count: int, send: Callable[[Wire, Path], Awaitable[None]], tmp_path: Path
) -> None:
    """
    By the key's secret alone, and with nothing else in it: another verb, object, date, content type or version.
    """
    async with recorded() as wire:
        await send(wire, tmp_path)

    assert [sent.version for sent in wire.sent] == [version] * count
    for sent in wire.sent:
        secret = wire.secrets[sent.key_id]
        assert is_signed(sent, secret)
        assert not is_signed(sent, f"{secret}x")
        assert not [changed for changed in changes_of(sent) if is_signed(changed, secret)]


def changes_of(sent: Sent) -> list[Sent]:
    """The request with each thing changed that is signed."""
    path, mark, query = sent.target.partition("?")
    dated = "x-oss-date" if "x-oss-date" in sent.headers else "date"
    signed = {dated: "Fri, 02 Jan 2026 03:04:05 GMT", "x-oss-meta-more": "added"}
    if "content-type" in sent.headers:
        signed["content-type"] = "text/plain"
    changed = [replace(sent, headers={**sent.headers, name: value}) for name, value in signed.items()]
    changed += [replace(sent, method="DELETE"), replace(sent, target=f"{path}x{mark}{query}")]
    if "versionId" in query:
        changed.append(replace(sent, target=f"{sent.target}x"))
    return changed
