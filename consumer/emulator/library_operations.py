"""
The operations on libraries: parameters in, the answer's members out, or the gateway's refusal. Signatures and sockets
are the provider's.

A call's parameters ride in the query, in a form, or as the pages draw them: in a JSON body. All three are merged, the
body last.

Vendor: version 2017-08-23, of which the pages describe CreateImageLib and CreateKeywordLib. Of the other operations the
names of parameters and members are the SDKs' (alibabacloud_green20170823 1.0.1, aliyun-python-sdk-green 3.6.5), and
what they do is assumed; so are the codes of refusals, but for `Missing…` and `Invalid…`, and that lists are JSON.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from consumer.emulator.errors import GatewayError, missing
from consumer.emulator.libraries import (
    CATEGORIES,
    LIB_TYPES,
    MATCH_MODES,
    SCENES,
    Item,
    Kind,
    Library,
    LibraryStore,
)
from consumer.emulator.rpc_signatures import FORM
from consumer.emulator.signatures import SignedRequest

VERSION: Final = "2017-08-23"
FULL: Final = "LibraryLimitExceeded"
"""Assumed: no page names the code of one library too many."""

Parameters = Mapping[str, str]
Members = dict[str, Any]
Operation = Callable[[LibraryStore, Parameters], Members]


def parameters_of(request: SignedRequest) -> dict[str, str]:
    """All parameters of a call, as texts. A JSON body counts whatever its content type says."""
    given = dict(parse_qsl(request.query, keep_blank_values=True))
    body = request.body.decode("utf-8", "replace")
    if (request.header("content-type") or "").lower().startswith(FORM):
        return given | _gathered(parse_qsl(body, keep_blank_values=True))
    try:
        drawn = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError:
        drawn = {}
    texts = {name: _text(value) for name, value in drawn.items()} if isinstance(drawn, dict) else {}
    return _gathered(given.items()) | texts


def version_of(request: SignedRequest) -> str | None:
    """The API's version that a call names, in its header or a parameter."""
    return request.header("x-acs-version") or parameters_of(request).get("Version")


def action_of(request: SignedRequest) -> str | None:
    """The operation that a call names, in its header or a parameter."""
    return request.header("x-acs-action") or parameters_of(request).get("Action")


def perform(store: LibraryStore, action: str, parameters: Parameters) -> Members:
    """
    Carry out an operation and return the members of its answer, without the request's id.

    Raises: GatewayError.
    """
    if action not in OPERATIONS:
        raise GatewayError(
            404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method."
        )
    return OPERATIONS[action](store, parameters)


def _gathered(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """`BizTypes.1=a&BizTypes.2=b`, as generic clients write a list, is the list's JSON."""
    plain: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        base, dot, number = name.rpartition(".")
        if dot and number.isdecimal():
            lists.setdefault(base, []).append(value)
        else:
            plain[name] = value
    return plain | {name: orjson.dumps(values).decode() for name, values in lists.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _required(parameters: Parameters, name: str, allowed: Iterable[str] = ()) -> str:
    value = parameters.get(name, "")
    if not value:
        raise missing(name)
    choices = tuple(allowed)
    if choices and value not in choices:
        raise _invalid(name)
    return value


def _invalid(name: str) -> GatewayError:
    return GatewayError(400, f"Invalid{name}", f"Specified parameter {name} is not valid.")


def _boolean(parameters: Parameters, name: str, default: bool) -> bool:
    """The Python SDKs write `True`, those for Java and Go `true`."""
    value = parameters.get(name, "").lower()
    if value not in ("", "true", "false"):
        raise _invalid(name)
    return value == "true" if value else default


def _texts(parameters: Parameters, name: str) -> tuple[str, ...]:
    if not parameters.get(name):
        return ()
    try:
        found = orjson.loads(parameters[name])
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, list) or not all(isinstance(each, str) and each for each in found):
        raise _invalid(name)
    return tuple(dict.fromkeys(found))


def _whole(parameters: Parameters, name: str, default: int) -> int:
    value = parameters.get(name) or str(default)
    if not (value.isascii() and value.isdecimal() and 0 < int(value) < 10**15):
        raise _invalid(name)
    return int(value)


def _ids(parameters: Parameters, name: str) -> tuple[int, ...]:
    """A list of ids in JSON, as numbers or texts."""
    try:
        found = orjson.loads(parameters.get(name) or "[]")
        return tuple(int(each) for each in found)
    except (orjson.JSONDecodeError, ValueError, TypeError) as error:
        raise _invalid(name) from error


def _found(store: LibraryStore, kind: Kind, parameters: Parameters, name: str = "Id") -> Library:
    library = store.find(kind, int(value)) if (value := _required(parameters, name)).isdecimal() else None
    if library is None:
        raise _invalid(name)
    return library


def _common(parameters: Parameters) -> Members:
    return {
        "name": _required(parameters, "Name"),
        "category": _required(parameters, "Category", CATEGORIES),
        "service_module": _module(parameters),
        "biz_types": _texts(parameters, "BizTypes"),
        "enable": _boolean(parameters, "Enable", True),
    }


def _module(parameters: Parameters) -> str:
    """CreateImageLib's table does not have it, its sample does: absent is accepted."""
    value = parameters.get("ServiceModule", "open_api")
    if value != "open_api":
        raise _invalid("ServiceModule")
    return value


def _match_mode(parameters: Parameters, default: str) -> str:
    mode = parameters.get("MatchMode") or default
    if mode not in MATCH_MODES:
        raise _invalid("MatchMode")
    return mode


def _created(store: LibraryStore, kind: Kind, values: Members) -> Library:
    if store.is_full(kind):
        raise GatewayError(400, FULL, f"The number of {kind} libraries exceeds the limit of {store.limit}.")
    return store.create(kind, values)


def _create_image_lib(store: LibraryStore, parameters: Parameters) -> Members:
    values = {**_common(parameters), "scene": _required(parameters, "Scene", SCENES)}
    return {"Id": _created(store, "image", values).id}


def _create_keyword_lib(store: LibraryStore, parameters: Parameters) -> Members:
    if "ServiceModule" not in parameters:
        raise missing("ServiceModule")
    resource = _required(parameters, "ResourceType", LIB_TYPES)
    values = {
        **_common(parameters),
        "resource_type": resource,
        "lib_type": _required(parameters, "LibType", LIB_TYPES[resource]),
        "match_mode": _match_mode(parameters, "fuzzy"),
    }
    return {"Id": str(_created(store, "keyword", values).id)}


def _update(library: Library, parameters: Parameters) -> None:
    """What is not sent stays as it is."""
    biz_types = _texts(parameters, "BizTypes") if "BizTypes" in parameters else library.biz_types
    library.enable = _boolean(parameters, "Enable", library.enable)
    library.name = parameters.get("Name") or library.name
    library.biz_types = biz_types


def _update_image_lib(store: LibraryStore, parameters: Parameters) -> Members:
    library = _found(store, "image", parameters)
    scene = parameters.get("Scene") or library.scene
    if scene not in SCENES:
        raise _invalid("Scene")
    if parameters.get("Category", library.category) != library.category:
        raise _invalid("Category")
    _update(library, parameters)
    library.scene = scene
    return {}


def _update_keyword_lib(store: LibraryStore, parameters: Parameters) -> Members:
    library = _found(store, "keyword", parameters)
    mode = _match_mode(parameters, library.match_mode)
    _update(library, parameters)
    library.match_mode = mode
    return {}


def _delete_image_lib(store: LibraryStore, parameters: Parameters) -> Members:
    store.delete(_found(store, "image", parameters))
    return {}


def _delete_keyword_lib(store: LibraryStore, parameters: Parameters) -> Members:
    store.delete(_found(store, "keyword", parameters))
    return {}


def _listed(library: Library) -> Members:
    return {
        "Id": library.id,
        "Name": library.name,
        "Category": library.category,
        "ServiceModule": library.service_module,
        "BizTypes": list(library.biz_types),
        "Code": f"{library.id}",
        "Source": "MANUAL",
    }


def _describe_image_lib(store: LibraryStore, _parameters: Parameters) -> Members:
    listed = [
        {
            **_listed(each),
            "Scene": each.scene,
            "Enable": str(each.enable).lower(),  # a text in the SDK's model, where keywords have a boolean
            "ImageCount": len(each.items),
        }
        for each in store.of("image")
    ]
    return {"ImageLibList": listed, "TotalCount": len(listed)}


def _describe_keyword_lib(store: LibraryStore, _parameters: Parameters) -> Members:
    listed = [
        {
            **_listed(each),
            "ResourceType": each.resource_type,
            "LibType": each.lib_type,
            "MatchMode": each.match_mode,
            "Enable": each.enable,
            "Count": len(each.items),
        }
        for each in store.of("keyword")
    ]
    return {"KeywordLibList": listed, "TotalCount": len(listed)}


def _page(items: list[Item], parameters: Parameters) -> tuple[list[Item], Members]:
    size, page = _whole(parameters, "PageSize", 20), _whole(parameters, "CurrentPage", 1)
    shown = items[(page - 1) * size : page * size]
    return shown, {"CurrentPage": page, "PageSize": size, "TotalCount": len(items)}


def _create_keyword(store: LibraryStore, parameters: Parameters) -> Members:
    library = _found(store, "keyword", parameters, "KeywordLibId")
    _required(parameters, "Keywords")
    words = _texts(parameters, "Keywords")
    added = [(word, store.add(library, word)) for word in words]
    valid = [{"id": item.id, "keyword": word} for word, item in added if item]
    refused = [word for word, item in added if item is None]
    return {"SuccessCount": len(valid), "validKeywordList": valid, "InvalidKeywordList": refused}


def _delete_keyword(store: LibraryStore, parameters: Parameters) -> Members:
    library = _found(store, "keyword", parameters, "KeywordLibId")
    words, ids = _texts(parameters, "Keywords"), _ids(parameters, "Ids")
    library.items = {key: item for key, item in library.items.items() if item.text not in words and key not in ids}
    return {}


def _describe_keyword(store: LibraryStore, parameters: Parameters) -> Members:
    library = _found(store, "keyword", parameters, "KeywordLibId")
    items = [item for item in library.items.values() if parameters.get("Keyword", "") in item.text]
    shown, numbers = _page(items, parameters)
    return {"KeywordList": [{"Id": each.id, "Keyword": each.text, "HitCount": each.hits} for each in shown], **numbers}


def _upload_image_to_lib(store: LibraryStore, parameters: Parameters) -> Members:
    """Take the samples' URLs. Objects that DescribeImageUploadInfo would let one upload (`Images`) are refused."""
    library = _found(store, "image", parameters, "ImageLibId")
    _required(parameters, "Urls")
    for url in _texts(parameters, "Urls"):
        store.add(library, url)
    return {}


def _describe_image_from_lib(store: LibraryStore, parameters: Parameters) -> Members:
    library = _found(store, "image", parameters, "ImageLibId")
    shown, numbers = _page(list(library.items.values()), parameters)
    images = [
        {"Id": each.id, "Image": each.text, "Thumbnail": each.text, "ImageHitCount": each.hits, "VideoHitCount": 0}
        for each in shown
    ]
    return {"ImageFromLibList": images, **numbers}


def _delete_image_from_lib(store: LibraryStore, parameters: Parameters) -> Members:
    _required(parameters, "Ids")
    gone = set(_ids(parameters, "Ids"))
    for library in store.of("image"):
        library.items = {key: item for key, item in library.items.items() if key not in gone}
    return {}


def _create_biz_type(store: LibraryStore, parameters: Parameters) -> Members:
    name = _required(parameters, "BizTypeName")
    if name in store.biz_types:
        raise _invalid("BizTypeName")
    store.biz_types[name] = parameters.get("Description", "")
    return {}


def _update_biz_type(store: LibraryStore, parameters: Parameters) -> Members:
    store.biz_types[_required(parameters, "BizTypeName", store.biz_types or ("",))] = parameters.get("Description", "")
    return {}


def _delete_biz_type(store: LibraryStore, parameters: Parameters) -> Members:
    del store.biz_types[_required(parameters, "BizTypeName", store.biz_types or ("",))]
    return {}


def _describe_user_status(store: LibraryStore, _parameters: Parameters) -> Members:
    return {"Uid": store.uid, "Buyed": True, "InDept": False, "OpenApiUsed": True}


def _describe_biz_types(store: LibraryStore, _parameters: Parameters) -> Members:
    return {"BizTypeList": list(store.biz_types), "TotalCount": len(store.biz_types)}


OPERATIONS: Final[Mapping[str, Operation]] = {
    "CreateImageLib": _create_image_lib,
    "UpdateImageLib": _update_image_lib,
    "DeleteImageLib": _delete_image_lib,
    "DescribeImageLib": _describe_image_lib,
    "CreateKeywordLib": _create_keyword_lib,
    "UpdateKeywordLib": _update_keyword_lib,
    "DeleteKeywordLib": _delete_keyword_lib,
    "DescribeKeywordLib": _describe_keyword_lib,
    "CreateKeyword": _create_keyword,
    "DeleteKeyword": _delete_keyword,
    "DescribeKeyword": _describe_keyword,
    "UploadImageToLib": _upload_image_to_lib,
    "DescribeImageFromLib": _describe_image_from_lib,
    "DeleteImageFromLib": _delete_image_from_lib,
    "CreateBizType": _create_biz_type,
    "UpdateBizType": _update_biz_type,
    "DeleteBizType": _delete_biz_type,
    "DescribeBizTypes": _describe_biz_types,
    "DescribeUserStatus": _describe_user_status,
}
