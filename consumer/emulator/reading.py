"""
The object store as it gives what is in the account's own buckets, which are private: for whoever has the account's key.

    GET /{bucket}/{key}[?versionId=…]       signed (V1 or V4); with If-Match where the object must be that of an event
    GET /{bucket}/?list-type=2&max-keys=…   the first keys, signed

Checks run in the order parameters → key → token → region → date → signature → bucket → object → version → If-Match.
What uploads are signed with reads nothing: here it is no key at all.

Vendor: GetObject and ListObjectsV2 of Object Storage Service.
"""

import hmac
import secrets
import time
from asyncio import to_thread
from collections.abc import Callable, Mapping
from typing import Final
from xml.sax.saxutils import escape

from consumer.emulator.breakage import in_place_of_store
from consumer.emulator.buckets import Bucket, etag_of, keys_of, read_object, version_of
from consumer.emulator.calls import Call
from consumer.emulator.errors import StoreError
from consumer.emulator.faults import Faults, Moment
from consumer.emulator.replies import Reply, Silence, store_refusal
from consumer.emulator.settings import EmulatorSettings
from consumer.emulator.store_signatures import StoreRequest, read_claim, verify
from consumer.emulator.uploads import delayed, is_name, subject_in_store

MOST_KEYS: Final = 1000
_OF_OBJECTS: Final = frozenset({"versionId"})
_OF_LISTS: Final = frozenset({"list-type", "max-keys"})


class Reading:
    """Gives objects of buckets, and lists of them."""

    def __init__(self, settings: EmulatorSettings, faults: Faults, clock: Callable[[], float] = time.time) -> None:
        token = settings.security_token
        self._key_id = settings.access_key_id
        self._secret = settings.access_key_secret.get_secret_value()
        self._token = token.get_secret_value() if token else ""
        self._buckets: Mapping[str, Bucket] = settings.oss
        self._faults = faults
        self._clock = clock

    async def answer(self, request: StoreRequest, call: Call) -> Reply | Silence:
        """Answer one request. Refusals are replies: none escapes."""
        request_id = secrets.token_hex(12).upper()
        subject = subject_in_store(request, call)
        try:
            fault = self._faults.draw(Moment.BEFORE_GATEWAY, subject)
            if fault is not None:
                return in_place_of_store(fault.what)
            parameters = _parameters(request)
            self._identify(request, call.region)
            found = await (_given if request.key else _listed)(self._named(request), request, parameters, request_id)
            return await delayed(found, self._faults.draw(Moment.INSIDE_QUOTA, subject))
        except StoreError as error:
            return store_refusal(error, request_id, call.host)

    def _identify(self, request: StoreRequest, region: str) -> None:
        claim = read_claim(request)
        if not hmac.compare_digest(claim.key_id.encode("utf-8", "replace"), self._key_id.encode()):
            raise StoreError(
                403,
                "InvalidAccessKeyId",
                "The OSS Access Key Id you provided does not exist in our records.",
            )
        shown = request.header("x-oss-security-token") or request.header("security-token") or ""
        if not hmac.compare_digest(shown.encode("utf-8", "replace"), self._token.encode()):
            raise StoreError(403, "InvalidSecurityToken", "The security token you provided is invalid.")
        if claim.scope is not None and claim.scope[1] != region:
            raise StoreError(400, "InvalidArgument", "Invalid signing region in Authorization header.")
        verify(request, claim, self._secret, now=self._clock())

    def _named(self, request: StoreRequest) -> Bucket:
        bucket = self._buckets.get(request.bucket)
        if bucket is None:
            raise StoreError(404, "NoSuchBucket", "The specified bucket does not exist.")
        return bucket


def _parameters(request: StoreRequest) -> dict[str, str]:
    parameters = dict(request.parameters())
    if not parameters.keys() <= (_OF_OBJECTS if request.key else _OF_LISTS):
        raise StoreError(501, "NotImplemented", "The emulator's store knows no such parameters.")
    if not request.key and parameters.get("list-type") != "2":
        raise StoreError(501, "NotImplemented", "The emulator's store lists by list-type=2 alone.")
    if request.key and not is_name(request.key):
        raise StoreError(400, "InvalidObjectName", "The specified object is not valid.")
    return parameters


async def _given(bucket: Bucket, request: StoreRequest, parameters: Mapping[str, str], request_id: str) -> Reply:
    data = await to_thread(read_object, bucket, request.key)
    if data is None:
        raise StoreError(404, "NoSuchKey", "The specified key does not exist.", details={"Key": request.key})
    version, etag = version_of(data), f'"{etag_of(data)}"'
    if parameters.get("versionId", version) != version:
        raise StoreError(404, "NoSuchVersion", "The specified version does not exist.", details={"Key": request.key})
    if request.header("if-match") not in (None, "*", etag, etag.strip('"')):
        raise StoreError(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold.",
            details={"Condition": "If-Match"},
        )
    headers = {"ETag": etag, "x-oss-version-id": version, "x-oss-request-id": request_id}
    return Reply(http_status=200, headers=headers, body=data, code="Read")


async def _listed(bucket: Bucket, request: StoreRequest, parameters: Mapping[str, str], request_id: str) -> Reply:
    said = parameters.get("max-keys", "100")
    if not (said.isascii() and said.isdecimal() and len(said) <= 4 and 1 <= int(said) <= MOST_KEYS):
        raise StoreError(400, "InvalidArgument", f"max-keys must be from 1 to {MOST_KEYS}.")
    keys = await to_thread(keys_of, bucket)
    shown = keys[: int(said)]
    contents = "".join(f"  <Contents><Key>{escape(key)}</Key></Contents>\n" for key in shown)
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult>\n'
        f"  <Name>{escape(request.bucket)}</Name>\n  <MaxKeys>{said}</MaxKeys>\n  <KeyCount>{len(shown)}</KeyCount>\n"
        f"  <IsTruncated>{str(len(shown) < len(keys)).lower()}</IsTruncated>\n{contents}</ListBucketResult>\n"
    )
    headers = {"Content-Type": "application/xml", "x-oss-request-id": request_id}
    return Reply(http_status=200, headers=headers, body=body.encode("utf-8", "replace"), code="Listed")
