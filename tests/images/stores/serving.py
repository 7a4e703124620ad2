"""A store that answers as S3 does, from what a test gives it, and looks at signatures with botocore's own signer."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, unquote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from consumer.authorities import Authorities
from consumer.clock import Clock, SystemClock
from consumer.errors import AccountRefused
from consumer.images.errors import NotFetched
from consumer.images.fetch import Limits
from consumer.images.held import BytesHeld
from consumer.images.stores.addresses import Endpoint
from consumer.images.stores.reader import StoreReader, open_reader
from consumer.images.stores.s3 import S3Store
from consumer.images.stores.sigv4 import Key
from consumer.locations import StoredObject
from consumer.proxies import DIRECT
from tests.rig.pictures import picture

KEY = Key("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "token+/==")
REGION = "eu-west-1"
IMAGE = picture(size=(10, 10))
SOON = 5.0  # seconds that a test takes at the most


def etag_of(data: bytes) -> str:
    """As S3 makes it of an object that was put in one piece."""
    return hashlib.md5(data).hexdigest()


def refusal(status: int, code: str) -> bytes:
    """An answer in S3's words."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>No.</Message></Error>".encode()
    return answer(body, status, {"content-type": "application/xml"})


def answer(body: bytes = IMAGE, status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole answer."""
    said = {"content-length": str(len(body)), "connection": "close", **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    return f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + body


class S3Like:
    """Gives the objects that it holds by bucket and key, or what `answers` says instead."""

    def __init__(self, objects: Mapping[tuple[str, str], bytes] | None = None, *answers: bytes) -> None:
        self.port = 0
        self.objects = dict(objects or {})
        self.answers = list(answers)
        self.pause = 0.0  # seconds before each further part of an answer
        self.parts: list[bytes] = []  # that come behind it
        self.targets: list[str] = []
        self.keys: list[str] = []  # access keys that requests were signed with
        self.failing: dict[str, bytes] = {}  # by key: what is answered instead
        self.may_list = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, of one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            writer.write(self._answer(head))
            for part in self.parts:
                await writer.drain()
                await asyncio.sleep(self.pause)
                writer.write(part)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def _answer(self, head: str) -> bytes:
        first, *lines = head.strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        self.targets.append(target)
        self.keys.append(headers["authorization"].partition("Credential=")[2].partition("/")[0])
        if self.answers:
            return self.answers.pop(0)
        if not is_signed(method, f"http://{headers['host']}{target}", headers):
            return refusal(403, "SignatureDoesNotMatch")
        path, _, query = target.partition("?")
        _, bucket, key = path.split("/", 2)
        if (failure := self.failing.get(unquote(key))) is not None:
            return failure
        if not key and "list-type" in query:
            return self._list(bucket)
        found = self.objects.get((bucket, unquote(key)))
        if found is None:
            return refusal(404, "NoSuchKey")
        if headers.get("if-match", f'"{etag_of(found)}"') != f'"{etag_of(found)}"':
            return refusal(412, "PreconditionFailed")
        version = parse_qs(query).get("versionId", [])
        return answer(
            found, 200, {"etag": f'"{etag_of(found)}"', **({"x-amz-version-id": version[0]} if version else {})}
        )

    def _list(self, bucket: str) -> bytes:
        """Of one key."""
        if not self.may_list:
            return refusal(403, "AccessDenied")
        keys = sorted(key for of, key in self.objects if of == bucket)[:1]
        contents = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in keys)
        return answer(f"<ListBucketResult><Name>{bucket}</Name>{contents}</ListBucketResult>".encode())


def is_signed(method: str, url: str, headers: Mapping[str, str], key: Key = KEY) -> bool:
    """Whether botocore would have signed a request so."""
    fields = dict(each.split("=", 1) for each in headers["authorization"].partition(" ")[2].split(", "))
    signer = S3SigV4Auth(Credentials(key.id, key.secret, key.token), "s3", fields["Credential"].split("/")[2])
    named = {name: headers[name] for name in fields["SignedHeaders"].split(";")}
    path, _, query = url.partition("?")
    request = AWSRequest(method, path, named, params={name: each[0] for name, each in parse_qs(query).items()})
    moment = headers["x-amz-date"]
    request.context.update(timestamp=moment, payload_signing_enabled=True, signing={"region": REGION})
    _ = datetime.strptime(moment, "%Y%m%dT%H%M%SZ")
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return bool(signer.signature(text, request) == fields["Signature"])


@asynccontextmanager
async def serving(store: S3Like) -> AsyncIterator[S3Like]:
    """Run it on any port."""
    server = await asyncio.start_server(store.serve, "127.0.0.1", 0)
    store.port = server.sockets[0].getsockname()[1]
    try:
        yield store
    finally:
        server.close()


async def given(key: Key = KEY) -> Key:
    """The key, as a store asks for it."""
    return key


@asynccontextmanager
async def reading(url: str, limits: Limits | None = None, **changes: Any) -> AsyncIterator[StoreReader]:
    """A reader of one store, which is called ugc."""
    clock: Clock = changes.pop("clock", None) or SystemClock()
    store = S3Store(Endpoint(url, has_bucket_in_path=True), REGION, changes.pop("key", given), clock)
    proxies = changes.pop("proxies", DIRECT)
    async with open_reader({"ugc": store}, limits or Limits(), proxies, Authorities(None, {}), clock) as reader:
        yield reader


async def read(reader: StoreReader, key: str = "a.png", **more: Any) -> bytes | NotFetched | AccountRefused:
    """Read an object, or say why not; a test that hangs fails."""
    wanted = StoredObject("ugc", more.pop("bucket", "photos"), key, **more)
    try:
        async with asyncio.timeout(SOON):
            with BytesHeld(1 << 26).room() as room:
                return await reader.fetch(wanted, room)
    except (NotFetched, AccountRefused) as failure:
        return failure
