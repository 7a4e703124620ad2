"""
The service's checks of what a call asks.
"""

from contextlib import nullcontext
from typing import Any

import orjson
import pytest

from consumer.emulator.errors import ServiceError
from consumer.emulator.parameters import Asked, ImageUrl, OssObject, Parameters, read_asked, read_parameters
from consumer.emulator.tokens import bucket_of
from tests.emulator.asking import oss

URL = "https://cdn.example.com/a.png"
REGION = "ap-southeast-1"


def form(fields: Any, service: str = "baselineCheck_global") -> dict[str, str]:
    return {
        "Service": service,
        "ServiceParameters": fields if isinstance(fields, str) else orjson.dumps(fields).decode(),
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"imageUrl": URL, "dataId": "img-1_2.3", "referer": "www.example.com", "infoType": "customImage, logoData"},
            Parameters(
                "baselineCheck_global",
                ImageUrl(URL, "www.example.com"),
                "img-1_2.3",
                frozenset({"customImage", "logoData"}),
                REGION,
            ),
        ),
        (
            oss("a b/测试.jpg"),
            Parameters(
                "baselineCheck_global", OssObject("uploads", "a b/测试.jpg", "ap-southeast-1"), "", frozenset(), REGION
            ),
        ),
        (
            {"imageUrl": "HTTP://example.com:8080/%E6%B5%8B?x=1", "dataId": "", "infoType": "", "unknown": "kept"},
            Parameters(
                "baselineCheck_global", ImageUrl("HTTP://example.com:8080/%E6%B5%8B?x=1"), "", frozenset(), REGION
            ),
        ),
    ],
)
def test_valid_parameters_are_read(fields: dict[str, str], expected: Parameters) -> None:
    """
    A call names an image by URL or by its place in a bucket, and may add an id, a referer and what else it wants.
    """
    assert read_parameters(form(fields), REGION) == expected


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 400),
        ({"Service": "", "ServiceParameters": "{}"}, 400),
        ({"Service": "baselineCheck_global"}, 400),
        (form(""), 400),
        (form({}), 400),
        (form({"dataId": "a"}), 400),
        (form({"imageUrl": ""}), 400),
        (form({"ossBucketName": "b", "ossObjectName": "o"}), 400),
        (form({"ossBucketName": "b", "ossObjectName": "", "ossRegionId": "cn-beijing"}), 400),
        (form({"ossBucketName": "b", "ossObjectName": "o", "ossRegionId": ""}), 400),
        (form({"ossBucketName": bucket_of("eu-west-1"), "ossObjectName": "o"}), 400),
        (form({"ossBucketName": bucket_of(REGION), "ossObjectName": "o", "ossRegionId": ""}), 400),
        (form({"ossBucketName": bucket_of(REGION), "ossObjectName": "o", "ossRegionId": "Singapore"}), 401),
        (form({"ossBucketName": "b", "ossObjectName": "o", "ossRegionId": "oss cn"}), 401),
        (form({"imageUrl": URL}, service="baselineCheck"), 401),
        (form("{not json"), 401),
        (form("[]"), 401),
        (form('"text"'), 401),
        (form({"imageUrl": 7}), 401),
        (form({"imageUrl": URL, "dataId": 7}), 401),
        (form({"imageUrl": URL} | oss("a.png")), 401),
        (form({"imageUrl": "ftp://example.com/a.png"}), 401),
        (form({"imageUrl": "oss://bucket/a.png"}), 401),
        (form({"imageUrl": "example.com/a.png"}), 401),
        (form({"imageUrl": "http:///a.png"}), 401),
        (form({"imageUrl": "http://[::1/a.png"}), 401),
        (form({"imageUrl": "http://example.com:99999/a.png"}), 401),
        (form({"imageUrl": "https://example.com/测试.png"}), 401),
        (form({"imageUrl": URL, "dataId": "a b"}), 401),
        (form({"imageUrl": URL, "dataId": "tenant/7"}), 401),
        (form({"imageUrl": URL, "infoType": "customimage"}), 401),
        (form({"imageUrl": URL, "infoType": "customImage;logoData"}), 401),
        (form({"imageUrl": URL + "?" + "x" * 2048}), 402),
        (form({"imageUrl": URL, "dataId": "a" * 65}), 402),
        (form({"imageUrl": URL, "referer": "r" * 257}), 402),
    ],
)
def test_wrong_parameters_have_the_vendors_code(body: dict[str, str], code: int) -> None:
    """
    What is empty is 400, what is invalid 401, what is too long 402.
    """
    with pytest.raises(ServiceError) as caught:
        read_parameters(body, REGION)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("service", "region", "valid"),
    [
        ("baselineCheck_global", "eu-central-1", True),
        ("aigcDetector_global", "us-west-1", True),
        ("baselineCheck_global", "cn-shanghai", False),
        ("baselineCheck", "cn-chengdu", True),
        ("tonalityImprove", "cn-beijing", True),
        ("tonalityImprove", "eu-west-1", False),
        ("baselineChek", "cn-hangzhou", False),
    ],
)
def test_the_mainland_has_services_of_its_own(service: str, region: str, valid: bool) -> None:
    """
    A service of the one part of the world is an invalid parameter in the other.
    """
    refused = nullcontext() if valid else pytest.raises(ServiceError, match="Service is invalid")

    with refused:
        assert read_parameters(form({"imageUrl": URL}, service), region).service == service


@pytest.mark.parametrize("region", ["ap-southeast-1", "cn-shanghai", "cn-north-2-gov-1", "oss-cn-beijing", "me-east-1"])
def test_a_bucket_may_be_in_any_region(region: str) -> None:
    """
    The object store has more regions than the API.
    """
    parameters = read_parameters(form({"ossBucketName": "b", "ossObjectName": "o", "ossRegionId": region}), REGION)

    assert parameters.image == OssObject("b", "o", region)


def test_what_was_uploaded_needs_no_region() -> None:
    """
    The bucket that an upload token named is in the region that is asked.
    """
    parameters = read_parameters(form({"ossBucketName": bucket_of(REGION), "ossObjectName": "o"}), REGION)

    assert parameters.image == OssObject(bucket_of(REGION), "o", REGION)


def test_the_longest_values_pass() -> None:
    """
    2,048 characters of URL, 64 of data id and 256 of referer are allowed.
    """
    url = "https://example.com/".ljust(2048, "a")

    parameters = read_parameters(form({"imageUrl": url, "dataId": "a" * 64, "referer": "r" * 256}), REGION)

    assert parameters.image == ImageUrl(url, "r" * 256)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, Asked("", "", None)),
        (form("{", service="x"), Asked("x", "", None)),
        (form({"dataId": "a b"}), Asked("baselineCheck_global", "a b", None)),
        (form({"imageUrl": "nonsense"}), Asked("baselineCheck_global", "", ImageUrl("nonsense"))),
    ],
)
def test_a_refused_call_is_known_by_what_can_be_read(body: dict[str, str], expected: Asked) -> None:
    """
    Of a call that will be refused as much is read as there is.
    """
    assert read_asked(body) == expected


@pytest.mark.parametrize(
    ("image", "text"),
    [
        (
            ImageUrl("https://user:password@cdn.example.com/a.png?Signature=secret#part"),
            "https://cdn.example.com/a.png",
        ),
        (ImageUrl("http://[::1"), "(not a URL)"),
        (OssObject("uploads", "a b.png", "eu-west-1"), "uploads/a b.png"),
    ],
)
def test_an_image_is_named_without_its_secrets(image: ImageUrl | OssObject, text: str) -> None:
    """
    The name of an image has neither the query of its URL nor a user's password.
    """
    assert str(image) == text
