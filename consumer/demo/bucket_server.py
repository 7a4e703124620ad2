"""
A private bucket, as MinIO would serve it: its objects are for those who sign requests with its key.

    GET /{bucket}/{key}     signed (s3_signatures.py), with If-Match where it must be the object of an event still
"""

import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web

from consumer.demo.messages import etag_of
from consumer.demo.serving import serving
from consumer.emulator.s3_signatures import AccessKey, BucketRequest, Refusal, refusal


@dataclass(frozen=True, slots=True)
class PrivateBucket:
    """Its objects by key, and the key that opens it."""

    name: str
    objects: Mapping[str, bytes]
    key: AccessKey

    def get(self, request: BucketRequest, *, now: float) -> bytes | Refusal:
        """Give the object that is asked for, or say why not; `now` is in unix seconds."""
        if (refused := refusal(request, self.key, now=now)) is not None:
            return refused
        if request.method != "GET":
            return Refusal(405, "MethodNotAllowed")
        name, _, key = request.path.removeprefix("/").partition("/")
        if unquote(name) != self.name:
            return Refusal(404, "NoSuchBucket")
        found = self.objects.get(unquote(key))
        if found is None:
            return Refusal(404, "NoSuchKey")
        wanted = request.header("if-match")
        return found if wanted in (None, "*", _quoted_etag(found)) else Refusal(412, "PreconditionFailed")


def new_key() -> AccessKey:
    """Make up a key."""
    return AccessKey(f"DEMO{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30))


def write_key_files(key: AccessKey, folder: Path) -> Path:
    """Write a key as the service reads it, and return the folder, which is made."""
    folder.mkdir(mode=0o700)
    (folder / "access-key-id").write_text(key.id)
    (folder / "access-key-secret").write_text(key.secret)
    return folder


@asynccontextmanager
async def serving_bucket(bucket: PrivateBucket) -> AsyncIterator[str]:
    """
    Serve a bucket until the context ends. Yields the base URL.

    Raises: OSError, when no port is free.
    """

    async def answer(http: web.Request) -> web.Response:
        path, _, query = http.raw_path.partition("?")
        request = BucketRequest(http.method, path, query, tuple(http.headers.items()))
        given = bucket.get(request, now=time.time())
        if isinstance(given, Refusal):
            return web.Response(status=given.status, text=_xml(given.code), content_type="application/xml")
        return web.Response(body=given, headers={"ETag": _quoted_etag(given)})

    async with serving(answer) as url:
        yield url


def _quoted_etag(data: bytes) -> str:
    return f'"{etag_of(data)}"'


def _xml(code: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code></Error>\n'
