"""
The provider's JSON: a request becomes a form body, a body becomes an answer or a failure.

Vendor: Image Moderation 2.0, version 2022-03-02. Its pages draw the request as JSON; what goes over the wire is a form
of two strings, the second of them JSON text.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from consumer.alibaba.auxiliary import LONGEST_NAME, MOST_NAMES, Unacceptable, read_hits
from consumer.alibaba.codes import failure_of
from consumer.alibaba.echoes import LearnedEchoes
from consumer.errors import CallFailed, Malformed, ProviderFailed
from consumer.hits import NOTHING_MET
from consumer.locations import ByObject, ByUpload, ByUrl
from consumer.moderation import ModerationRequest
from consumer.records import Label, ModerationResult

ACTION = "ImageModeration"
VERSION = "2022-03-02"
CONTENT_TYPE = "application/x-www-form-urlencoded"

_DATA_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_HINT = re.compile(r"[0-9]+")  # milliseconds

# What `quote(…, safe="~")` makes of each byte, in a fifth of its time.
_FORM_ENCODED = {byte: quote(bytes([byte]), safe="~") for byte in range(256)}

LONGEST_LEVEL = 64  # characters
UNREADABLE_LEVEL = "unreadable"  # stands for a list or an object where a level is due: unknown, as any other word
LONGEST_REQUEST_ID = 128  # characters
_PLAIN_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")

LONGEST_WAIT = 60.0  # seconds: what is asked for beyond is a slip, and by then the pace has found its own rate


def data_id(submission_id: str) -> str:
    """Name a submission for the provider. Vendor: 1 to 64 of `A-Z a-z 0-9 _ - .`; what does not fit is hashed."""
    if _DATA_ID.fullmatch(submission_id):
        return submission_id
    return hashlib.sha256(submission_id.encode()).hexdigest()


def request_body(request: ModerationRequest) -> bytes:
    """Encode a request as the form that the provider reads. Object keys go raw, only JSON- and form-encoded."""
    parameters: dict[str, str] = {"dataId": data_id(request.submission)}
    match request.location:
        case ByUrl(url):
            parameters["imageUrl"] = url
        case ByObject(bucket, key, region):
            parameters["ossBucketName"] = bucket
            parameters["ossObjectName"] = key
            if region is not None:
                parameters["ossRegionId"] = region
        case ByUpload():
            raise TypeError("an image that is to be uploaded is asked about by its copy")
    if request.referer:
        parameters["referer"] = request.referer
    if request.info:
        parameters["infoType"] = ",".join(request.info)
    encoded = orjson.dumps(parameters).decode("latin-1").translate(_FORM_ENCODED)
    return f"Service={quote(request.service, safe='~')}&ServiceParameters={encoded}".encode()


def read_answer(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    request: ModerationRequest,
    echoes: LearnedEchoes | None = None,
) -> ModerationResult:
    """
    Accept an answer, or raise why it is none.

    Accepted is HTTP 2xx, `Code` 200, a non-empty `Result`, every `Label` a string, `Confidence` absent or from 0 to
    100, and `DataId` absent, empty or ours (ours alone where `echoes` have learned that the service names it); names
    bounded in number and length, and no member that stands twice: of two levels neither is the answer's. `Msg` and
    `Description` may change and are never looked at.

    Raises:
        CallFailed: the branch says what to do about it.
    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    try:
        return _read(status, headers, body, answer, request, echoes)
    except CallFailed as failure:
        failure.request_id = request_id_of(answer, headers)
        raise


def _read(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    answer: Any,
    request: ModerationRequest,
    echoes: LearnedEchoes | None,
) -> ModerationResult:
    if not isinstance(answer, dict):
        raise not_an_answer(status, headers, body)
    code = _field(answer, "Code")
    if not 200 <= status < 300 or code != 200 or isinstance(code, bool):
        raise failure_of(status, code if isinstance(code, int | str) else None, retry_after(headers))
    try:
        MEMBERS_ONCE.decode(body.decode())
        return _accept(answer, request, echoes)
    except RecursionError:
        raise Malformed("nesting", billed="yes") from None
    except Unacceptable as error:
        raise Malformed(str(error), billed="yes") from None


def _once(members: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in members}) < len(members):
        raise Unacceptable("member_twice")


# Reads nothing but the members' names. Numbers stay texts: Python refuses integers of more than 4,300 digits.
MEMBERS_ONCE = json.JSONDecoder(object_pairs_hook=_once, parse_float=str, parse_int=str)


def _accept(answer: Mapping[str, Any], request: ModerationRequest, echoes: LearnedEchoes | None) -> ModerationResult:
    if "Code" in answer and "code" in answer:
        raise Unacceptable("Code")
    data = answer.get("Data")
    if not isinstance(data, dict):
        raise Unacceptable("Data")
    named = data.get("DataId")
    if named not in (None, "", data_id(request.submission)):
        raise Unacceptable("DataId")
    if echoes is not None and not echoes.accept(request.service, named=bool(named)):
        raise Unacceptable("DataId")
    result = data.get("Result")
    if not isinstance(result, list) or not 0 < len(result) <= MOST_NAMES:
        raise Unacceptable("Result")
    request_id = answer.get("RequestId")
    if isinstance(request_id, str) and len(request_id) > LONGEST_REQUEST_ID:
        raise Unacceptable("RequestId")
    extension = data.get("Ext")
    return ModerationResult(
        service=request.service,
        request_id=request_id if isinstance(request_id, str) else None,
        risk_level=_level(data),
        labels=tuple(_label(element) for element in result),
        hits=read_hits(extension, request.privacy) if extension else NOTHING_MET,
    )


def _label(element: Any) -> Label:
    if not isinstance(element, dict) or not isinstance(label := element.get("Label"), str) or len(label) > LONGEST_NAME:
        raise Unacceptable("Label")
    confidence = element.get("Confidence")
    if confidence is not None:
        if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 100:
            raise Unacceptable("Confidence")
        confidence = float(confidence)
    return Label(label, confidence, _level(element))


def _level(element: Mapping[str, Any]) -> str | None:
    """Read a risk level. One that the vendor does not document is unknown; the policy decides what that means."""
    level = element.get("RiskLevel")
    if level is None:
        return None
    name = str(level) if isinstance(level, str | int | float) else UNREADABLE_LEVEL
    if len(name) > LONGEST_LEVEL:
        raise Unacceptable("RiskLevel")
    return name


def _field(answer: Mapping[str, Any], name: str) -> Any:
    """Read a member of the envelope. Vendor: gateways differ in the case of its first letter."""
    return answer.get(name, answer.get(name.lower()))


def request_id_of(answer: Any, headers: Mapping[str, str]) -> str | None:
    """Read how the provider names a call that failed. Vendor: in the body, and in a header as well."""
    body = answer if isinstance(answer, dict) else {}
    named = (body.get("RequestId"), body.get("requestId"), headers.get("x-acs-request-id"))
    return next((each for each in named if isinstance(each, str) and _PLAIN_ID.fullmatch(each)), None)


def not_an_answer(status: int, headers: Mapping[str, str], body: bytes) -> CallFailed:
    """
    Sort a body that is not a JSON object: the way to the provider is at fault, and a 2xx may have been billed.

    One that would be an answer but for a text that is cut within a character, or a number beyond all, was: it is the
    provider's own, and asked again it would cost again.
    """
    if status >= 400:
        return failure_of(status, None, retry_after(headers))
    if 200 <= status < 300 and _says_200(body):
        return Malformed("not_json", billed="yes")
    return ProviderFailed("not_json", billed="maybe")


def _says_200(body: bytes) -> bool:
    """Whether a reader that takes lone surrogates, NaN and numbers of any length finds an answer with `Code` 200."""
    try:
        answer = json.loads(body.decode(errors="replace"), parse_int=lambda digits: int(digits[:20]))
    except (ValueError, RecursionError):
        return False
    return isinstance(answer, dict) and _field(answer, "Code") == 200


def retry_after(headers: Mapping[str, str]) -> float:
    """
    Seconds of `x-acs-retry-after`, `LONGEST_WAIT` at the most.

    Vendor: a positive whole number of milliseconds; anything else is no hint.
    """
    value = headers.get("x-acs-retry-after", "")
    if not _HINT.fullmatch(value):
        return 0.0
    return min(LONGEST_WAIT, int(value.lstrip("0")[:9] or "0") / 1000)  # Python reads no more than 4,300 digits
