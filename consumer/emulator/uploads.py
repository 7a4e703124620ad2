"""
The object store that takes local files: a request in, a reply out. Sockets are server.py's.

    PUT /{bucket}/{key}     with `Authorization: OSS …` or `OSS4-HMAC-SHA256 …` of a key that DescribeUploadToken gave
    PUT /{key}              the same, to a Host that begins with the bucket

Checks run in the order object's name → key → token → date → signature → bucket → right to write there → what came.
GET is reading.py's. Other methods are 405 MethodNotAllowed whoever asks: the emulator has no other operation, and a
token grants no other.

Vendor: PutObject of Object Storage Service. Its objects are found again by ImageModeration of the same region.
"""

import base64
import hashlib
import hmac
import secrets
import time
from asyncio import sleep
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import unquote

from consumer.emulator.breakage import in_place_of_store, spoiled
from consumer.emulator.calls import Call
from consumer.emulator.errors import StoreError
from consumer.emulator.faults import GET_OBJECT, LIST_OBJECTS, PUT_OBJECT, ActiveFault, Faults, Moment, Subject
from consumer.emulator.images import MAX_BYTES
from consumer.emulator.replies import Reply, Silence, store_refusal, stored_reply
from consumer.emulator.settings import EmulatorSettings
from consumer.emulator.store import TemporaryObjects
from consumer.emulator.store_signatures import StoreRequest, read_claim, verify
from consumer.emulator.tokens import UploadToken, UploadTokens, bucket_of, split_host

MAX_KEY: Final = 1023
"""The longest name of an object, in bytes of UTF-8."""


class Uploads:
    """Hands out tokens, takes what is uploaded with them, and finds it again while it is there."""

    def __init__(self, settings: EmulatorSettings, faults: Faults, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._faults = faults
        self._tokens = UploadTokens(settings.token_lifetime)
        self._objects = TemporaryObjects(settings.object_lifetime, settings.store_bytes)
        self._buckets = {bucket_of(region): region for region in settings.regions}

    def hand_out(self, region: str) -> UploadToken:
        """One more token for a region."""
        return self._tokens.hand_out(region, now=self._clock())

    def find(self, bucket: str, key: str) -> bytes | None:
        """What was uploaded there, or None when it never was or is gone."""
        return self._objects.get(bucket, key, now=self._clock())

    async def answer(self, request: StoreRequest, body: bytes | None, call: Call) -> Reply | Silence:
        """Answer one request; `body` is None when more came than is read. Refusals are replies: none escapes."""
        request_id = secrets.token_hex(12).upper()
        subject = subject_in_store(request, call)
        try:
            _check_operation(request)
            fault = self._faults.draw(Moment.BEFORE_GATEWAY, subject)
            if fault is not None:
                return in_place_of_store(fault.what)
            data = self._admit(request, body, call.region)
            fault = self._faults.draw(Moment.INSIDE_QUOTA, subject)
            reply = self._keep(request, data, request_id, truncated=bool(fault and fault.what.truncated))
            return await delayed(reply, fault)
        except StoreError as error:
            return store_refusal(error, request_id, call.host)

    def _admit(self, request: StoreRequest, body: bytes | None, region: str) -> bytes:
        token = self._identify(request)
        if request.bucket not in self._buckets:
            raise StoreError(404, "NoSuchBucket", "The specified bucket does not exist.")
        if self._buckets[request.bucket] != region:
            raise StoreError(
                403,
                "AccessDenied",
                "The bucket you are attempting to access must be addressed using the specified endpoint.",
            )
        if request.bucket != token.bucket or not request.key.startswith(token.prefix):
            raise StoreError(403, "AccessDenied", "You have no right to access this object.")
        return _checked(request, body)

    def _identify(self, request: StoreRequest) -> UploadToken:
        now = self._clock()
        claim = read_claim(request)
        token = self._tokens.find(claim.key_id)
        if token is None:
            raise StoreError(
                403,
                "InvalidAccessKeyId",
                "The OSS Access Key Id you provided does not exist in our records.",
            )
        # The SDK of the store's second generation sends it as security-token where it signs with V1.
        shown = request.header("x-oss-security-token") or request.header("security-token") or ""
        if not hmac.compare_digest(shown.encode("utf-8", "replace"), token.security_token.encode()):
            raise StoreError(403, "InvalidSecurityToken", "The security token you provided is invalid.")
        if now >= token.expiration:
            raise StoreError(403, "SecurityTokenExpired", "The security token you provided has expired.")
        verify(request, claim, token.access_key_secret, now=now)
        return token

    def _keep(self, request: StoreRequest, data: bytes, request_id: str, *, truncated: bool) -> Reply:
        kept = data[: len(data) // 2] if truncated else data
        self._objects.put(request.bucket, request.key, kept, now=self._clock())
        # Of the whole, also where a fault lost the rest: that is how nobody notices.
        return stored_reply(hashlib.md5(data).hexdigest().upper(), request_id)


def is_for_store(method: str, authorization: str) -> bool:
    """Whether a request is the store's: every PUT, and what an SDK of the store signed."""
    return method == "PUT" or authorization.startswith(("OSS ", "OSS4-"))


def read_store_request(method: str, host: str, target: str, headers: Sequence[tuple[str, str]]) -> StoreRequest:
    """
    What a request is about, from the text of its first line: `/bucket/key`, or `/key` where the host has the bucket.

    What is not UTF-8 is read with replacements: no signature is that of what was sent.
    """
    path, _, query = target.partition("?")
    bucket, _ = split_host(host)
    named = path.removeprefix("/")
    if not bucket:
        bucket, _, named = named.partition("/")
    return StoreRequest(
        method=method,
        bucket=unquote(bucket),
        key=unquote(named),
        query=query,
        headers=tuple(headers),
    )


def subject_in_store(request: StoreRequest, call: Call) -> Subject:
    """What faults may match of a request to the store. All of it is known before a body is read."""
    return Subject(region=call.region, action=call.action or "", object=request.key)


def action_of(request: StoreRequest) -> str | None:
    """The name under which a request to the store is logged."""
    if request.method == "GET":
        return GET_OBJECT if request.key else LIST_OBJECTS
    return PUT_OBJECT if request.method == "PUT" else None


def _check_operation(request: StoreRequest) -> None:
    if request.method != "PUT":
        raise StoreError(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
    if request.query:
        raise StoreError(501, "NotImplemented", "The emulator's store knows no parameters and no presigned URLs.")
    if not is_name(request.key):
        raise StoreError(400, "InvalidObjectName", "The specified object is not valid.")


def _checked(request: StoreRequest, body: bytes | None) -> bytes:
    if body is None or len(body) > MAX_BYTES:
        raise StoreError(
            400,
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size.",
            details={"MaxSizeAllowed": str(MAX_BYTES)},
        )
    announced = request.header("content-length")
    if announced is not None and announced != str(len(body)):
        raise StoreError(400, "IncompleteBody", "You did not provide the number of bytes that Content-Length says.")
    stated = request.header("content-md5")
    if stated is not None and stated != base64.b64encode(hashlib.md5(body).digest()).decode():
        raise StoreError(400, "InvalidDigest", "The Content-MD5 you specified is not valid.")
    return body


def is_name(key: str) -> bool:
    """Whether an object can be called so."""
    return 0 < len(key.encode()) <= MAX_KEY and not any(each < " " or each == "\x7f" for each in key)


async def delayed(reply: Reply, fault: ActiveFault | None) -> Reply | Silence:
    """What becomes of an answer of the store that a fault strikes."""
    if fault is None:
        return reply
    await sleep(fault.what.latency or 0.0)
    return spoiled(reply, fault)
