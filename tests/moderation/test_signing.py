import json
from pathlib import Path
from typing import Any

import pytest

from consumer.moderation import signing

VECTORS = [
    vector
    for vector in json.loads((Path(__file__).parent.parent / "samples" / "signatures.json").read_text())["vectors"]
    if vector["scheme"] == "ACS3-HMAC-SHA256"
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_signs_as_the_vendors_own_library_does(vector: dict[str, Any]) -> None:
    """
    Every signature that the vendor's library made from the same request comes out the same.
    """
    request, credentials = vector["request"], vector["credentials"]

    signed = signing.authorization(
        request["method"],
        request["path"],
        request["query_decoded"],
        request["headers_in"],
        vector["expected"]["x-acs-content-sha256"],
        credentials["access_key_id"],
        credentials["access_key_secret"],
    )

    assert signed == vector["expected"]["authorization"]


def test_signs_the_documented_headers_and_no_more() -> None:
    """
    A call signs its host, content type and every `x-acs-*` header: what proxies may add or change is not signed.
    """
    vector = next(each for each in VECTORS if each["id"] == "acs3-minimal-imagemoderation")
    request, credentials = vector["request"], vector["credentials"]

    headers = signing.signed_headers(
        action="ImageModeration",
        version="2022-03-02",
        host=request["host"],
        body=request["body"].encode(),
        content_type=request["headers_in"]["content-type"],
        date=request["timestamp"],
        nonce=request["nonce"],
        access_key_id=credentials["access_key_id"],
        access_key_secret=credentials["access_key_secret"],
    )

    assert headers["authorization"] == vector["expected"]["authorization"]


def test_a_moment_is_written_in_utc_seconds() -> None:
    """
    Vendor: `x-acs-date` is ISO 8601 in UTC, without fractions.
    """
    assert signing.timestamp(1767323045.999) == "2026-01-02T03:04:05Z"
