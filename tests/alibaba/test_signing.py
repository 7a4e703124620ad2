import json
from pathlib import Path
from typing import Any

import pytest

from consumer.alibaba import signing
from consumer.config.credentials import Credentials

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
    request = vector["request"]

    signed = signing.authorization(
        request["method"],
        request["path"],
        request["query_decoded"],
        request["headers_in"],
        vector["expected"]["x-acs-content-sha256"],
        Credentials.model_validate(vector["credentials"]),
    )

    assert signed == vector["expected"]["authorization"]


def headers_of(vector: dict[str, Any]) -> dict[str, str]:
    request = vector["request"]
    return signing.signed_headers(
        action="ImageModeration",
        version="2022-03-02",
        host=request["host"],
        body=request["body"].encode(),
        content_type=request["headers_in"]["content-type"],
        date=request["timestamp"],
        nonce=request["nonce"],
        credentials=Credentials.model_validate(vector["credentials"]),
    )


def test_signs_the_documented_headers_and_no_more() -> None:
    """
    A call signs its host, content type and every `x-acs-*` header: what proxies may add or change is not signed.
    """
    vector = next(each for each in VECTORS if each["id"] == "acs3-minimal-imagemoderation")

    headers = headers_of(vector)

    assert headers["authorization"] == vector["expected"]["authorization"]


def test_a_temporary_key_sends_and_signs_its_token() -> None:
    """
    Vendor: with an STS key both the key's id and its token are headers of their own, and are signed.
    """
    vector = next(each for each in VECTORS if each["id"] == "acs3-imagemoderation-sts")

    headers = headers_of(vector)

    told = {name: headers[name] for name in ("x-acs-accesskey-id", "x-acs-security-token")}
    assert told == {name: vector["request"]["headers_in"][name] for name in told}
    # The vendor's library signs these too; what is left of its list is ours.
    its_own = {"accept", "user-agent", "x-acs-credentials-provider"}
    assert (
        f"SignedHeaders={';'.join(sorted(set(vector['expected']['signed_headers'].split(';')) - its_own))},"
        in (headers["authorization"])
    )


def test_a_moment_is_written_in_utc_seconds() -> None:
    """
    Vendor: `x-acs-date` is ISO 8601 in UTC, without fractions.
    """
    assert signing.timestamp(1767323045.999) == "2026-01-02T03:04:05Z"
