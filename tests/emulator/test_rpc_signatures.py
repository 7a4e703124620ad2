"""
RPC signature v1: the vectors of the official SDKs, and what is refused for which reason.
"""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

from consumer.emulator.errors import GatewayError
from consumer.emulator.rpc_signatures import sign, signed_pairs, string_to_sign, verify_rpc
from consumer.emulator.signatures import Credentials, NonceLedger, SignedRequest

VECTORS = [
    vector
    for vector in orjson.loads((Path(__file__).parents[1] / "samples" / "signatures.json").read_bytes())["vectors"]
    if vector["scheme"] == "RPC-HMAC-SHA1" and not vector.get("string_to_sign_only")
]
COMPLETE = [vector for vector in VECTORS if vector["request"].get("headers_in")]
NOW = datetime.fromisoformat("2026-01-02T03:04:05Z").timestamp()


def as_request(vector: dict[str, Any], **changes: str) -> SignedRequest:
    request = vector["request"]
    query = {**request["query_decoded"], "Signature": vector["expected"]["signature"], **changes}
    headers = tuple((request.get("headers_in") or {}).items())
    return SignedRequest(request["method"], "/", urlencode(query), headers, (request.get("body") or "").encode())


def key_of(vector: dict[str, Any]) -> Credentials:
    given = vector["credentials"]
    return Credentials(given["access_key_id"], given["access_key_secret"], given.get("security_token"))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_vector_is_reproduced(vector: dict[str, Any]) -> None:
    """
    The text to sign and the signature, from what is on the wire.
    """
    text = string_to_sign(vector["request"]["method"], signed_pairs(as_request(vector)))

    assert text == vector["expected"]["string_to_sign"]
    assert sign(text, vector["credentials"]["access_key_secret"]) == vector["expected"]["signature"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_vector_is_accepted_once(vector: dict[str, Any]) -> None:
    """
    At the time of its signing. Sent again, its nonce was used.
    """
    nonces, now = NonceLedger(), datetime.fromisoformat(vector["request"]["query_decoded"]["Timestamp"]).timestamp()
    verify_rpc(as_request(vector), key_of(vector), nonces, now=now)

    with pytest.raises(GatewayError) as refused:
        verify_rpc(as_request(vector), key_of(vector), nonces, now=now)

    assert refused.value.code == "SignatureNonceUsed"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Name": "other"}, "SignatureDoesNotMatch"),
        ({"Signature": ""}, "SignatureDoesNotMatch"),
        ({"Signature": "ü"}, "SignatureDoesNotMatch"),
        ({"AccessKeyId": "nobody"}, "InvalidAccessKeyId.NotFound"),
        ({"AccessKeyId": ""}, "MissingAccessKeyId"),
        ({"SignatureNonce": ""}, "MissingSignatureNonce"),
        ({"Timestamp": "yesterday"}, "InvalidTimeStamp.Format"),
        ({"Timestamp": "2026-01-02T02:04:05Z"}, "InvalidTimeStamp.Expired"),
        ({"SignatureMethod": "HMAC-SM3"}, "IncompleteSignature"),
        ({"SecurityToken": "stolen"}, "InvalidSecurityToken.MismatchWithAccessKey"),
    ],
)
def test_what_was_changed_is_refused(changes: dict[str, str], code: str) -> None:
    """
    Each with the vendor's word, and a refusal uses up no nonce.
    """
    vector, nonces = COMPLETE[1], NonceLedger()

    with pytest.raises(GatewayError) as refused:
        verify_rpc(as_request(vector, **changes), key_of(vector), nonces, now=NOW)

    assert refused.value.code == code
    verify_rpc(as_request(vector), key_of(vector), nonces, now=NOW)


def test_another_method_needs_another_signature() -> None:
    """
    The method is part of what is signed.
    """
    request = replace(as_request(COMPLETE[1]), method="GET")

    with pytest.raises(GatewayError) as refused:
        verify_rpc(request, key_of(COMPLETE[1]), NonceLedger(), now=NOW)

    assert refused.value.code == "SignatureDoesNotMatch"
