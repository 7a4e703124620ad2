"""
The official SDKs as clients of the emulator's libraries: alibabacloud_green20170823 (tea) and aliyun-python-sdk-green
3.6.5 (core), unmodified, in every way that they sign and send.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest
from alibabacloud_green20170823 import models
from alibabacloud_green20170823.client import Client
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.utils_models import Config
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.auth.credentials import StsTokenCredential
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest
from aliyunsdkgreen.request.v20170823.CreateImageLibRequest import CreateImageLibRequest
from aliyunsdkgreen.request.v20170823.CreateKeywordLibRequest import CreateKeywordLibRequest
from aliyunsdkgreen.request.v20170823.UpdateImageLibRequest import UpdateImageLibRequest
from pydantic import SecretStr

from consumer.emulator import Emulator, EmulatorSettings, running

SETTINGS = EmulatorSettings()
SECRET = SETTINGS.access_key_secret.get_secret_value()

IMAGE = {"Name": "terror", "Category": "BLACK", "Scene": "ILLEGAL", "ServiceModule": "open_api", "BizTypes": '["a"]'}
KEYWORD = {
    "Name": "words",
    "Category": "REVIEW",
    "ResourceType": "IMAGE",
    "LibType": "textKeyword",
    "ServiceModule": "open_api",
    "BizTypes": "[]",
    "MatchMode": "precise",
    "Enable": "False",
}

Send = Callable[[str, str, dict[str, str]], Awaitable[dict[str, Any]]]
"""Endpoint, action and parameters in, the answer's members out."""


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An account without libraries."""
    async with running(SETTINGS) as emulator:
        yield emulator


def tea(endpoint: str, **changes: str) -> Client:
    key = {"access_key_id": SETTINGS.access_key_id, "access_key_secret": SECRET}
    return Client(Config(**(key | changes), endpoint=endpoint, protocol="http", region_id="cn-shanghai"))


def core(endpoint: str, key_id: str = SETTINGS.access_key_id, secret: str = SECRET) -> AcsClient:
    port = endpoint.rpartition(":")[2]
    return AcsClient(key_id, secret, "cn-shanghai", port=int(port), auto_retry=False)


async def tea_acs3(endpoint: str, action: str, given: dict[str, str]) -> dict[str, Any]:
    return await _typed_tea(tea(endpoint), action, given)


async def tea_rpc(endpoint: str, action: str, given: dict[str, str]) -> dict[str, Any]:
    return await _typed_tea(tea(endpoint, signature_algorithm="v2"), action, given)


async def tea_async(endpoint: str, action: str, given: dict[str, str]) -> dict[str, Any]:
    request = getattr(models, f"{action}Request")().from_map(given)
    call = {"CreateImageLib": "create_image_lib_async", "CreateKeywordLib": "create_keyword_lib_async"}[action]
    response = await getattr(tea(endpoint), call)(request)
    body: dict[str, Any] = response.body.to_map()
    return body


async def _typed_tea(client: Client, action: str, given: dict[str, str]) -> dict[str, Any]:
    call = {"CreateImageLib": client.create_image_lib, "CreateKeywordLib": client.create_keyword_lib}[action]
    request = getattr(models, f"{action}Request")().from_map(given)
    body: dict[str, Any] = (await asyncio.to_thread(call, request)).body.to_map()
    return body


async def core_typed(endpoint: str, action: str, given: dict[str, str]) -> dict[str, Any]:
    request = {"CreateImageLib": CreateImageLibRequest, "CreateKeywordLib": CreateKeywordLibRequest}[action]()
    for name, value in given.items():
        getattr(request, f"set_{name}")(value)
    return await _core(endpoint, request)


async def core_typed_get(endpoint: str, action: str, given: dict[str, str]) -> dict[str, Any]:
    request = {"CreateImageLib": CreateImageLibRequest, "CreateKeywordLib": CreateKeywordLibRequest}[action]()
    request.set_method("GET")
    for name, value in given.items():
        getattr(request, f"set_{name}")(value)
    return await _core(endpoint, request)


def common(action: str, method: str = "POST") -> CommonRequest:
    request = CommonRequest(version="2017-08-23", action_name=action, product="Green")
    request.set_method(method)
    return request


async def core_common_get(endpoint: str, action: str, given: dict[str, str]) -> dict[str, Any]:
    request = common(action, "GET")
    for each in given.items():
        request.add_query_param(*each)
    return await _core(endpoint, request)


async def core_common_query(endpoint: str, action: str, given: dict[str, str]) -> dict[str, Any]:
    request = common(action)
    for each in given.items():
        request.add_query_param(*each)
    return await _core(endpoint, request)


async def core_common_form(endpoint: str, action: str, given: dict[str, str]) -> dict[str, Any]:
    request = common(action)
    for each in given.items():
        request.add_body_params(*each)
    return await _core(endpoint, request)


async def core_common_json(endpoint: str, action: str, given: dict[str, str]) -> dict[str, Any]:
    """The body that the pages draw: JSON, with lists and booleans as such."""
    request = common(action)
    request.add_query_param("ServiceModule", "open_api")
    drawn = {**given, "BizTypes": orjson.loads(given["BizTypes"])}
    if "Enable" in drawn:
        drawn["Enable"] = drawn["Enable"] == "True"
    request.set_content(orjson.dumps(drawn))
    request.set_content_type("application/json")
    return await _core(endpoint, request)


async def _core(endpoint: str, request: Any, client: AcsClient | None = None) -> dict[str, Any]:
    host, _, _ = endpoint.partition(":")
    (request.set_domain if isinstance(request, CommonRequest) else request.set_endpoint)(host)
    client = client or core(endpoint)
    answered = await asyncio.to_thread(client.do_action_with_exception, request)
    body: dict[str, Any] = orjson.loads(answered)
    return body


WAYS = [
    tea_acs3,
    tea_async,
    tea_rpc,
    core_typed,
    core_typed_get,
    core_common_get,
    core_common_query,
    core_common_form,
    core_common_json,
]


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def send(request: pytest.FixtureRequest) -> Send:
    """One way to call the SDKs."""
    way: Send = request.param
    return way


async def test_an_image_library_is_created_in_every_way(send: Send, emulator: Emulator) -> None:
    """
    Every parameter arrives, and the SDK reads a number as the id.
    """
    answered = await send(emulator.endpoint, "CreateImageLib", IMAGE)

    [library] = emulator.libraries.of("image")
    assert answered["Id"] == library.id
    assert answered["RequestId"]
    assert (library.name, library.category, library.scene) == ("terror", "BLACK", "ILLEGAL")
    assert (library.biz_types, library.enable) == (("a",), True)


async def test_a_keyword_library_is_created_in_every_way(send: Send, emulator: Emulator) -> None:
    """
    Every parameter arrives, `Enable` in each spelling, and the SDK reads a text as the id.
    """
    answered = await send(emulator.endpoint, "CreateKeywordLib", KEYWORD)

    [library] = emulator.libraries.of("keyword")
    assert answered["Id"] == str(library.id)
    assert (library.resource_type, library.lib_type, library.match_mode) == ("IMAGE", "textKeyword", "precise")
    assert (library.biz_types, library.enable) == ((), False)


async def test_both_sdks_raise_the_gateways_refusals(emulator: Emulator) -> None:
    """
    A wrong secret, an unknown key and a wrong parameter: each with the vendor's code.
    """
    endpoint = emulator.endpoint
    request = models.CreateImageLibRequest().from_map(IMAGE)
    codes = []
    for client in (
        tea(endpoint, access_key_secret="wrong"),
        tea(endpoint, access_key_secret="wrong", signature_algorithm="v2"),
        tea(endpoint, access_key_id="nobody", signature_algorithm="v2"),
    ):
        with pytest.raises(ClientException) as caught:
            await asyncio.to_thread(client.create_image_lib, request)
        codes.append(caught.value.code)
    for client, given in (
        (core(endpoint, key_id="nobody"), IMAGE),
        (core(endpoint), {**IMAGE, "Scene": "SPORT"}),
        (core(endpoint), {"Category": "BLACK"}),
    ):
        asked = common("CreateImageLib")
        for each in given.items():
            asked.add_query_param(*each)
        with pytest.raises(ServerException) as refused:
            await _core(endpoint, asked, client)
        codes.append(refused.value.get_error_code())

    # The core SDK compares the provider's text to sign with its own, and then says whose fault it is.
    typed = CreateImageLibRequest()
    with pytest.raises(ServerException) as refused:
        await _core(endpoint, typed, core(endpoint, secret="wrong"))
    codes.append(refused.value.get_error_code())

    unknown = "InvalidAccessKeyId.NotFound"
    assert codes[:3] == ["SignatureDoesNotMatch", "SignatureDoesNotMatch", unknown]
    assert codes[3:] == [unknown, "InvalidScene", "MissingName", "InvalidAccessKeySecret"]
    assert emulator.libraries.all() == []


async def test_a_temporary_key_needs_its_token(emulator: Emulator) -> None:
    """
    RPC v1 carries it as the parameter `SecurityToken`.
    """
    settings = SETTINGS.model_copy(update={"security_token": SecretStr("sts+tok/en==")})

    async with running(settings) as emulator:
        host, _, port = emulator.endpoint.partition(":")
        credential = StsTokenCredential(SETTINGS.access_key_id, SECRET, "sts+tok/en==")
        client = AcsClient(region_id="cn-shanghai", credential=credential, port=int(port), auto_retry=False)
        listed = await _core(host, common("DescribeImageLib"), client)
        with pytest.raises(ServerException) as refused:
            await _core(host, common("DescribeImageLib"), core(emulator.endpoint))

    assert listed["TotalCount"] == 0
    assert refused.value.get_error_code() == "MissingSecurityToken"


async def test_the_eleventh_call_in_a_second_is_throttled(emulator: Emulator) -> None:
    """
    Of each operation by itself.
    """
    client = tea(emulator.endpoint)
    requests = [client.describe_image_lib_async(models.DescribeImageLibRequest()) for _ in range(11)]
    ended = await asyncio.gather(*requests, return_exceptions=True)
    other = await client.describe_keyword_lib_async(models.DescribeKeywordLibRequest())

    [refused] = [each for each in ended if isinstance(each, Exception)]
    assert getattr(refused, "code", None) == "Throttling.User"
    assert other.body.total_count == 0


async def test_one_library_too_many_is_refused(emulator: Emulator) -> None:
    """
    The limit is of each kind.
    """
    for number in range(SETTINGS.libraries):
        emulator.libraries.create("image", {"name": str(number), "category": "BLACK", "scene": "AD"})

    with pytest.raises(ClientException) as caught:
        await tea_acs3(emulator.endpoint, "CreateImageLib", IMAGE)
    made = await tea_acs3(emulator.endpoint, "CreateKeywordLib", KEYWORD)

    assert (caught.value.code, bool(made["Id"])) == ("LibraryLimitExceeded", True)


async def test_libraries_are_listed_changed_and_deleted(emulator: Emulator) -> None:
    """
    The tea SDK has no UpdateImageLib; the core SDK's has.
    """
    client = tea(emulator.endpoint)
    image = (await tea_acs3(emulator.endpoint, "CreateImageLib", IMAGE))["Id"]
    words = (await tea_acs3(emulator.endpoint, "CreateKeywordLib", KEYWORD))["Id"]
    update = UpdateImageLibRequest()
    update.set_Id(image)
    update.set_Scene("AD")
    await _core(emulator.endpoint, update)
    await client.update_keyword_lib_async(models.UpdateKeywordLibRequest(id=int(words), match_mode="fuzzy"))
    [shown] = (await client.describe_image_lib_async(models.DescribeImageLibRequest())).body.image_lib_list
    [listed] = (await client.describe_keyword_lib_async(models.DescribeKeywordLibRequest())).body.keyword_lib_list
    await client.delete_image_lib_async(models.DeleteImageLibRequest(id=image))
    await client.delete_keyword_lib_async(models.DeleteKeywordLibRequest(id=int(words)))

    assert (shown.scene, shown.name, shown.enable, shown.biz_types) == ("AD", "terror", "true", ["a"])
    assert (listed.match_mode, listed.name, listed.enable) == ("fuzzy", "words", False)
    assert emulator.libraries.all() == []


async def test_items_come_and_go(emulator: Emulator) -> None:
    """
    Keywords by their words, by pages, and sample images by their URLs.
    """
    client = tea(emulator.endpoint)
    image = (await tea_acs3(emulator.endpoint, "CreateImageLib", IMAGE))["Id"]
    words = int((await tea_acs3(emulator.endpoint, "CreateKeywordLib", KEYWORD))["Id"])
    made = await client.create_keyword_async(models.CreateKeywordRequest(keyword_lib_id=words, keywords='["a","b"]'))
    again = await client.create_keyword_async(models.CreateKeywordRequest(keyword_lib_id=words, keywords='["b","c"]'))
    await client.delete_keyword_async(models.DeleteKeywordRequest(keyword_lib_id=str(words), keywords='["a"]'))
    page = models.DescribeKeywordRequest(keyword_lib_id=words, page_size=1, current_page=2)
    listed = (await client.describe_keyword_async(page)).body
    url = "https://cdn.example.com/a.png"
    await client.upload_image_to_lib_async(models.UploadImageToLibRequest(image_lib_id=image, urls=f'["{url}"]'))
    shown = (await client.describe_image_from_lib_async(models.DescribeImageFromLibRequest(image_lib_id=image))).body
    gone = f"[{shown.image_from_lib_list[0].id}]"
    await client.delete_image_from_lib_async(models.DeleteImageFromLibRequest(ids=gone))

    assert (made.body.success_count, again.body.success_count) == (2, 1)
    assert again.body.invalid_keyword_list == ["b"]
    assert (listed.total_count, [each.keyword for each in listed.keyword_list]) == (2, ["c"])
    assert shown.image_from_lib_list[0].image == url
    assert not emulator.libraries.of("image")[0].items


async def test_business_scenarios_are_created_and_listed(emulator: Emulator) -> None:
    """
    CreateBizType makes what `BizTypes` refers to.
    """
    client = tea(emulator.endpoint)
    await client.create_biz_type_async(models.CreateBizTypeRequest(biz_type_name="avatars", description="of people"))
    listed = await client.describe_biz_types_async(models.DescribeBizTypesRequest())

    assert listed.body.biz_type_list == ["avatars"]
