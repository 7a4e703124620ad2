"""
ROA signatures: the vectors of the official SDKs, and what is refused for which reason.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from consumer.emulator.errors import GatewayError
from consumer.emulator.roa_signatures import sign, string_to_sign, verify_roa
from consumer.emulator.signatures import Credentials, NonceLedger, SignedRequest

ALL = [
    vector
    for vector in orjson.loads((Path(__file__).parents[1] / "samples" / "signatures.json").read_bytes())["vectors"]
    if vector["scheme"] == "ROA-HMAC-SHA1"
]
VECTORS = [vector for vector in ALL if not vector.get("string_to_sign_only")]
NOW = datetime.fromisoformat("2026-01-02T03:04:05Z").timestamp()


def as_request(vector: dict[str, Any], headers: Mapping[str, str | None] | None = None) -> SignedRequest:
    request = vector["request"]
    named = {**request["headers_in"], "Authorization": vector["expected"]["authorization"], **(headers or {})}
    kept = tuple((name, value) for name, value in named.items() if value is not None)
    target = vector["expected"].get("request_target_on_wire")
    query = target.partition("?")[2] if target else "clientInfo=" + request["query_decoded"]["clientInfo"]
    return SignedRequest(request["method"], request["path"], query, kept, request["body"].encode())


def key_of(vector: dict[str, Any], **more: Any) -> Credentials:
    given = vector["credentials"]
    return Credentials(given["access_key_id"], given["access_key_secret"], given.get("security_token"), **more)


def named(name: str) -> dict[str, Any]:
    vector: dict[str, Any] = next(each for each in VECTORS if each["id"] == name)
    return vector


PLAIN = named("roa-image-scan")
WITH_NONCE = named("roa-image-scan-doc-style")
TEMPORARY = named("roa-image-scan-sts")


@pytest.mark.parametrize("vector", ALL, ids=lambda vector: str(vector["id"]))
def test_a_vector_is_reproduced(vector: dict[str, Any]) -> None:
    """
    The text to sign, from what is on the wire, and the signature.
    """
    text = vector["expected"]["string_to_sign"]

    assert vector.get("string_to_sign_only") or string_to_sign(as_request(vector)) == text
    assert sign(text, vector["credentials"]["access_key_secret"]) == vector["expected"]["signature"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["id"]))
def test_a_vector_is_accepted_and_sent_again_as_long_as_it_has_no_nonce(vector: dict[str, Any]) -> None:
    """
    The official SDK sends none; what has one is accepted once.
    """
    nonces = NonceLedger()
    verify_roa(as_request(vector), key_of(vector), nonces, now=NOW)

    if vector is WITH_NONCE:
        with pytest.raises(GatewayError, match="SignatureNonceUsed"):
            verify_roa(as_request(vector), key_of(vector), nonces, now=NOW)
    else:
        verify_roa(as_request(vector), key_of(vector), nonces, now=NOW)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Authorization": None}, "MissingAccessKeyId"),
        ({"Authorization": "acs LTAItestAccessKeyId"}, "IncompleteSignature"),
        ({"x-acs-signature-method": "HMAC-SM3"}, "IncompleteSignature"),
        ({"x-acs-signature-version": "2.0"}, "IncompleteSignature"),
        ({"Authorization": "acs nobody:eTJ6BDsB8drZK56rISWnCgK5W5Q="}, "InvalidAccessKeyId.NotFound"),
        ({"x-acs-security-token": "somebody's"}, "InvalidSecurityToken.MismatchWithAccessKey"),
        ({"Date": None}, "MissingDate"),
        ({"Date": "yesterday"}, "InvalidTimeStamp.Format"),
        ({"Date": "Fri, 02 Jan 2026 02:49:04 GMT"}, "InvalidTimeStamp.Expired"),
        ({"Date": "Fri, 02 Jan 2026 03:19:06 GMT"}, "InvalidTimeStamp.Expired"),
        ({"Date": "Fri, 02 Jan 2026 03:04:06 GMT"}, "SignatureDoesNotMatch"),
        ({"Accept": "*/*"}, "SignatureDoesNotMatch"),
        ({"Content-Type": "application/json"}, "SignatureDoesNotMatch"),
        ({"Content-MD5": None}, "SignatureDoesNotMatch"),
        ({"x-acs-region-id": "cn-beijing"}, "SignatureDoesNotMatch"),
        ({"x-acs-new": "1"}, "SignatureDoesNotMatch"),
    ],
)
def test_what_is_wrong_is_refused_with_the_vendors_code(headers: dict[str, str | None], code: str) -> None:
    """
    Key, token, date, signature, in this order.
    """
    with pytest.raises(GatewayError) as refused:
        verify_roa(as_request(PLAIN, headers), key_of(PLAIN), NonceLedger(), now=NOW)

    assert refused.value.code == code


@pytest.mark.parametrize(
    "changes",
    [{"body": b"{}"}, {"query": "RegionId=cn-beijing"}, {"path": "/green/image/asyncscan"}, {"method": "PUT"}],
)
def test_what_is_changed_on_the_way_is_refused(changes: dict[str, Any]) -> None:
    """
    The body counts through its MD5. The refusal has a colon, which the official SDK looks for.
    """
    with pytest.raises(GatewayError, match=r"SignatureDoesNotMatch: .*:POST|SignatureDoesNotMatch: .*:PUT"):
        verify_roa(replace(as_request(PLAIN), **changes), key_of(PLAIN), NonceLedger(), now=NOW)


def test_a_temporary_key_needs_its_token_before_it_expires() -> None:
    """
    Without the token, and once it expired, the vendor's code says which.
    """
    for headers, expiry, code in (
        ({"x-acs-security-token": None}, None, "MissingSecurityToken"),
        ({}, NOW, "InvalidSecurityToken.Expired"),
    ):
        with pytest.raises(GatewayError) as refused:
            verify_roa(as_request(TEMPORARY, headers), key_of(TEMPORARY, token_expiry=expiry), NonceLedger(), now=NOW)
        assert refused.value.code == code
    verify_roa(as_request(TEMPORARY), key_of(TEMPORARY, token_expiry=NOW + 1), NonceLedger(), now=NOW)
