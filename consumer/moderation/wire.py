"""
The provider's JSON: a question becomes a form body, a body becomes an answer or a failure.

Vendor: Image Moderation 2.0, version 2022-03-02. Its pages draw the request as JSON; what goes over the wire is a form
of two strings, the second of them JSON text.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import orjson

from consumer.errors import CallFailed, Malformed, ProviderFailed
from consumer.moderation import Question
from consumer.moderation.failures import failure_of
from consumer.records import Answer, ByUrl, Hits, Label

ACTION = "ImageModeration"
VERSION = "2022-03-02"
CONTENT_TYPE = "application/x-www-form-urlencoded"


def request_body(question: Question) -> bytes:
    """Encode a question as the form that the provider reads. Object keys go raw, only JSON- and form-encoded."""
    parameters: dict[str, str] = {"dataId": question.data_id}
    if isinstance(question.reach, ByUrl):
        parameters["imageUrl"] = question.reach.url
    else:
        parameters["ossBucketName"] = question.reach.bucket
        parameters["ossObjectName"] = question.reach.key
        parameters["ossRegionId"] = question.reach.region
    if question.info:
        parameters["infoType"] = ",".join(question.info)
    encoded = quote(orjson.dumps(parameters), safe="~")
    return f"Service={quote(question.service, safe='~')}&ServiceParameters={encoded}".encode()


def read_answer(status: int, headers: Mapping[str, str], body: bytes, question: Question) -> Answer:
    """
    Accept an answer, or raise why it is none.

    Accepted is HTTP 2xx, `Code` 200, a non-empty `Result`, every `Label` a string, `Confidence` absent or from 0 to
    100, and `DataId` absent, empty or ours. `Msg` and `Description` may change and are never looked at.

    Raises:
        CallFailed: the branch says what to do about it.
    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        raise _not_an_answer(status, headers)
    code = _field(answer, "Code")
    if not 200 <= status < 300 or code != 200 or isinstance(code, bool):
        raise failure_of(status, code if isinstance(code, int | str) else None, _retry_after(headers))
    try:
        return _accept(answer, question)
    except _Unacceptable as error:
        raise Malformed(str(error), billed="yes") from None


class _Unacceptable(Exception):
    """Names the member that is not as promised."""


def _accept(answer: Mapping[str, Any], question: Question) -> Answer:
    data = answer.get("Data")
    if not isinstance(data, dict):
        raise _Unacceptable("Data")
    if data.get("DataId") not in (None, "", question.data_id):
        raise _Unacceptable("DataId")
    result = data.get("Result")
    if not isinstance(result, list) or not result:
        raise _Unacceptable("Result")
    level = data.get("RiskLevel")
    request_id = answer.get("RequestId")
    extension = data.get("Ext")
    return Answer(
        service=question.service,
        request_id=request_id if isinstance(request_id, str) else None,
        risk_level=None if level is None else str(level),
        labels=tuple(_label(element) for element in result),
        hits=_hits(extension) if extension else Hits(),
    )


def _label(element: Any) -> Label:
    if not isinstance(element, dict) or not isinstance(element.get("Label"), str):
        raise _Unacceptable("Label")
    confidence = element.get("Confidence")
    if confidence is not None:
        if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 100:
            raise _Unacceptable("Confidence")
        confidence = float(confidence)
    level = element.get("RiskLevel")
    return Label(element["Label"], confidence, None if level is None else str(level))


def _hits(extension: Any) -> Hits:
    """Count what `Ext` tells. Vendor: any part of it may be null or absent; what has another shape is left out."""
    texts = _get(extension, "TextInImage")
    logos = (logo for place in _dicts(_get(extension, "LogoData")) for logo in _dicts(place.get("Logo")))
    return Hits(
        image_libraries=_names(_dicts(_get(extension, "CustomImage")), "LibId"),
        keyword_libraries=_names(_dicts(_get(texts, "CustomText")), "LibId"),
        public_figures=sum(1 for _ in _dicts(_get(extension, "PublicFigure"))),
        logos=_names(logos, "Label"),
        text_lines=sum(1 for _ in _dicts(_get(texts, "OcrResult"))),
    )


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects in a list, or the object that stands where a list was promised."""
    for element in value if isinstance(value, list) else [value]:
        if isinstance(element, dict):
            yield element


def _names(elements: Iterator[dict[str, Any]], name: str) -> tuple[str, ...]:
    values = (element.get(name) for element in elements)
    return tuple(sorted({str(value) for value in values if isinstance(value, str | int)}))


def _field(answer: Mapping[str, Any], name: str) -> Any:
    """Read a member of the envelope. Vendor: gateways differ in the case of its first letter."""
    return answer.get(name, answer.get(name.lower()))


def _not_an_answer(status: int, headers: Mapping[str, str]) -> CallFailed:
    """Sort a body that is not a JSON object: the way to the provider is at fault, and a 2xx may have been billed."""
    if status >= 400:
        return failure_of(status, None, _retry_after(headers))
    return ProviderFailed("not_json", billed="maybe")


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds of `x-acs-retry-after`. Vendor: a positive whole number of milliseconds, anything else is no hint."""
    value = headers.get("x-acs-retry-after", "")
    return int(value) / 1000 if value.isascii() and value.isdigit() else 0.0
