"""
The vendor's answers about libraries: bodies in, values or failures out.

Vendor: version 2017-08-23. Its pages and SDKs disagree on the case of members (`requestId`, `RequestId`, `id`, `Id`),
on whether an id is a number or a text, and on whether CreateImageLib answers with one at all: all of it is read.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from consumer.alibaba.codes import failure_of
from consumer.errors import (
    AccountRefused,
    CallFailed,
    ConsumerError,
    InputRefused,
    Malformed,
    ProviderFailed,
    Throttled,
)
from consumer.libraries import Existing, Kind, Library, LimitReached, VendorRefused
from consumer.redaction import redacted, shortened

Answer = Mapping[str, Any]

LONGEST_MESSAGE = 300  # characters of the vendor's text that are shown
CODES: Mapping[int, type[CallFailed]] = {
    400: InputRefused,
    401: AccountRefused,
    403: InputRefused,
    404: InputRefused,
    588: Throttled,
    596: AccountRefused,
}
"""Vendor: the 1.0 service's common codes, as far as they can be about a library. Another is the provider's failure."""
_LIMIT = re.compile(r"limit|quota|exceed|too ?many|maximum|上限|超过", re.IGNORECASE)
_CREATIONS = frozenset({"CreateImageLib", "CreateKeywordLib"})


def read_answer(operation: str, status: int, body: bytes, retry_after: float = 0.0) -> Answer:
    """
    Accept an answer; its members have names in lower case.

    Raises:
        VendorRefused: it was not done, and the vendor says why.
        CallFailed: any other failure, by what is done about it.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise failure_of(status, None, retry_after) if not 200 <= status < 300 else ProviderFailed("not_json")
    answer = {str(name).lower(): value for name, value in found.items()}
    code = answer.get("code")
    if 200 <= status < 300 and code in (None, 200, "200") and code is not True:
        return answer
    raise _refusal(operation, status, code, answer, retry_after)


def _refusal(operation: str, status: int, code: Any, answer: Answer, retry_after: float) -> ConsumerError:
    failure = _sorted(status, code, retry_after)
    if not _says_no(failure, status):
        return failure
    message = _message(answer)
    if operation in _CREATIONS and _LIMIT.search(f"{failure.code} {message}"):
        return LimitReached(
            operation,
            failure.code,
            "the account has as many libraries as it may have, those of the console among them: delete one there, or "
            f"ask the vendor for more (it says: {message or 'nothing more'})",
        )
    return VendorRefused(operation, failure.code, message)


def _sorted(status: int, code: Any, retry_after: float) -> CallFailed:
    if isinstance(code, bool) or not isinstance(code, int | str):
        return failure_of(status, None, retry_after)
    return failure_of(status, code, retry_after, CODES)


def _says_no(failure: CallFailed, status: int) -> bool:
    """Whether a failure is a refusal of what was asked: of its input, or by the gateway in a word that is not known."""
    return isinstance(failure, InputRefused) or (type(failure) is ProviderFailed and 400 <= status < 500)


def _message(answer: Answer) -> str:
    text = answer.get("message") or answer.get("msg") or ""
    return shortened(redacted(text), LONGEST_MESSAGE) if isinstance(text, str) else ""


def id_in(answer: Answer) -> str | None:
    """The id of what was created, a number or a text; None where there is none."""
    found = answer.get("id")
    return str(found) if isinstance(found, int | str) and not isinstance(found, bool) and str(found) else None


def libraries_in(kind: Kind, answer: Answer) -> list[Existing]:
    """
    The account's libraries of a kind.

    Raises:
        Malformed: the list is not what was promised, or is not whole. A library that is overlooked would be made again.
    """
    found = answer.get("imageliblist" if kind == "image" else "keywordliblist", [])
    if not isinstance(found, list):
        raise Malformed("library_list")
    total = answer.get("totalcount")
    if isinstance(total, int) and total > len(found):
        raise Malformed("library_list", detail=f"it has {len(found)} of {total} libraries, and no next page")
    return [_existing(kind, each) for each in found]


def _existing(kind: Kind, found: Any) -> Existing:
    members = {str(name).lower(): value for name, value in found.items()} if isinstance(found, dict) else {}
    library, name, category = id_in(members), members.get("name"), members.get("category")
    if library is None or not isinstance(name, str) or not isinstance(category, str):
        raise Malformed("library_list", detail="a library has no id, name or category")
    scenarios = members.get("biztypes") or []
    if isinstance(scenarios, str):
        scenarios = _json_list(scenarios)
    if not isinstance(scenarios, list) or not all(isinstance(each, str) for each in scenarios):
        raise Malformed("library_list", detail="its business scenarios are no list of texts")
    items = members.get("imagecount" if kind == "image" else "count")
    return Existing(
        library,
        Library(
            kind=kind,
            name=name,
            category=category,
            biz_types=frozenset(scenarios),
            enable=str(members.get("enable", True)).lower() != "false",
            scene=_text(members, "scene"),
            resource_type=_text(members, "resourcetype"),
            lib_type=_text(members, "libtype"),
            match_mode=_text(members, "matchmode") or None,
        ),
        items if isinstance(items, int) else 0,
    )


def _json_list(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _text(members: Answer, name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""


def keywords_in(answer: Answer) -> tuple[frozenset[str], int]:
    """
    One page of a library's keywords, and how many there are on all.

    Raises:
        Malformed: it is not what was promised.
    """
    found, total = answer.get("keywordlist", []), answer.get("totalcount")
    if not isinstance(found, list) or not isinstance(total, int):
        raise Malformed("keyword_list")
    words = [each.get("Keyword", each.get("keyword")) for each in found if isinstance(each, dict)]
    texts = [each for each in words if isinstance(each, str)]
    if len(texts) != len(found):
        raise Malformed("keyword_list")
    return frozenset(texts), total


def texts_in(answer: Answer, name: str) -> frozenset[str]:
    """
    A list of texts. `name` is in lower case.

    Raises:
        Malformed: it is not what was promised.
    """
    found = answer.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise Malformed(name)
    return frozenset(found)
