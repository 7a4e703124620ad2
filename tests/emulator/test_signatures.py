"""
Signature checks: the vectors of the official SDKs, and what is refused for which reason.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.emulator.errors import GatewayError
from consumer.emulator.signatures import (
    VALIDITY,
    Credentials,
    NonceLedger,
    SignedRequest,
    canonical_request,
    sign,
    string_to_sign,
    verify,
)
from tests.emulator.signing import question, signed_headers

NOW = 1_800_000_000.0
KEY = Credentials("key-id", "key-secret")
HOST = "127.0.0.1:8080"

VECTORS = [
    vector
    for vector in orjson.loads((Path(__file__).parents[1] / "samples" / "signatures.json").read_bytes())["vectors"]
    if vector["scheme"] == "ACS3-HMAC-SHA256"
]


def as_request(vector: dict[str, Any]) -> SignedRequest:
    request = vector["request"]
    return SignedRequest(
        method=request["method"],
        path=request["path"],
        query=urlencode(request["query_decoded"]),
        headers=[*request["headers_in"].items(), ("Authorization", vector["expected"]["authorization"])],
        body=request["body"].encode(),
    )


def signed_request(body: bytes | None = None, query: dict[str, str] | None = None, **options: Any) -> SignedRequest:
    body = question(imageUrl="https://example.com/a.png") if body is None else body
    signing: dict[str, Any] = {"key_id": KEY.access_key_id, "secret": KEY.access_key_secret, "at": NOW} | options
    headers = signed_headers(HOST, body, query=query, **signing)
    return SignedRequest("POST", "/", urlencode(query or {}), tuple(headers.items()), body)


def with_header(request: SignedRequest, name: str, value: str) -> SignedRequest:
    others = [(key, old) for key, old in request.headers if key.lower() != name]
    return replace(request, headers=(*others, (name, value)))


def without_header(request: SignedRequest, name: str) -> SignedRequest:
    return replace(request, headers=tuple(pair for pair in request.headers if pair[0].lower() != name))


def refusal(request: SignedRequest, key: Credentials = KEY, *, now: float = NOW) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        verify(request, key, NonceLedger(), now=now)
    return caught.value


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["id"]))
def test_the_texts_and_signatures_of_the_official_sdk_are_reproduced(vector: dict[str, Any]) -> None:
    """
    From a request that the official SDK signed come the same canonical request, string to sign and signature.
    """
    expected = vector["expected"]

    canonical = canonical_request(as_request(vector), expected["signed_headers"].split(";"))
    text = string_to_sign(canonical)

    assert canonical == expected["canonical_request"]
    assert text == expected["string_to_sign"]
    assert sign(text, vector["credentials"]["access_key_secret"]) == expected["signature"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["id"]))
def test_the_requests_of_the_official_sdk_are_accepted(vector: dict[str, Any]) -> None:
    """
    A request that the official SDK signed passes, at the time and with the key of its signing.
    """
    request = as_request(vector)
    headers = vector["request"]["headers_in"]
    pinned = {"2026-01-02T03:04:05Z": 1767323045.0, "2023-10-26T10:22:32Z": 1698315752.0}[headers["x-acs-date"]]
    credentials = Credentials(
        vector["credentials"]["access_key_id"],
        vector["credentials"]["access_key_secret"],
        headers.get("x-acs-security-token"),
    )

    verify(request, credentials, NonceLedger(), now=pinned)


def test_the_same_query_may_be_spelled_in_any_way() -> None:
    """
    The signature covers decoded values: a plus, an escaped space and an unescaped comma do not matter.
    """
    request = signed_request(query={"Name": "a b,c~", "Empty": ""})

    for spelling in ("Name=a+b%2Cc~&Empty=", "Empty=&Name=a%20b,c%7E"):
        verify(replace(request, query=spelling), KEY, NonceLedger(), now=NOW)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda request: replace(request, body=request.body + b"x"), id="body"),
        pytest.param(lambda request: replace(request, query="Name=other"), id="query"),
        pytest.param(lambda request: replace(request, method="GET"), id="method"),
        pytest.param(lambda request: replace(request, path="/other"), id="path"),
        pytest.param(lambda request: with_header(request, "host", "127.0.0.1:8081"), id="host"),
        pytest.param(lambda request: with_header(request, "x-acs-action", "DescribeUploadToken"), id="signed header"),
        pytest.param(lambda request: with_header(request, "x-acs-date", "2027-01-15T08:00:01Z"), id="date"),
        pytest.param(lambda request: with_header(request, "x-acs-content-sha256", "0" * 64), id="stated hash"),
    ],
)
def test_anything_signed_that_changes_on_the_way_is_refused(changed: Any) -> None:
    """
    A request whose body, query, method, path, host, date or other signed header differs from what was signed fails.
    """
    request = signed_request(query={"Name": "value"})

    error = refusal(changed(request))

    assert (error.status, error.code) == (400, "SignatureDoesNotMatch")


@given(st.data())
def test_every_single_byte_of_the_body_counts(data: st.DataObject) -> None:
    """
    Whichever byte of the body is replaced by another, the signature fails.
    """
    request = signed_request()
    at = data.draw(st.integers(0, len(request.body) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != request.body[at]))

    error = refusal(replace(request, body=request.body[:at] + bytes([other]) + request.body[at + 1 :]))

    assert error.code == "SignatureDoesNotMatch"


def test_a_mismatch_is_explained_with_a_colon() -> None:
    """
    The message of a mismatch shows what the provider computed, behind a colon: SDKs take the text apart there.
    """
    request = signed_request(secret="another-secret")

    error = refusal(request)

    assert "ACS3-HMAC-SHA256" in error.message.split(":")[1]


def test_headers_added_on_the_way_do_not_matter() -> None:
    """
    Only the headers named in SignedHeaders are signed: transports add their own.
    """
    request = with_header(signed_request(), "accept-encoding", "gzip, deflate")

    verify(request, KEY, NonceLedger(), now=NOW)


@pytest.mark.parametrize("name", ["x-acs-retry-attempts", "x-acs-anything"])
def test_an_unsigned_x_acs_header_is_refused(name: str) -> None:
    """
    Every x-acs header must be signed.
    """
    error = refusal(with_header(signed_request(), name, "1"))

    assert (error.status, error.code) == (400, "IncompleteSignature")


def test_an_empty_body_may_have_an_unsigned_content_type() -> None:
    """
    The official asynchronous client adds a content type of its own to empty bodies.
    """
    request = signed_request(b"")
    unsigned = SignedRequest("POST", "/", "", without_header(request, "authorization").headers, b"")
    names = sorted(name for name, _ in unsigned.headers if name != "content-type")
    signature = sign(string_to_sign(canonical_request(unsigned, names)), KEY.access_key_secret)
    authorization = f"ACS3-HMAC-SHA256 Credential=key-id,SignedHeaders={';'.join(names)},Signature={signature}"

    verify(with_header(unsigned, "Authorization", authorization), KEY, NonceLedger(), now=NOW)


@pytest.mark.parametrize(
    ("make", "status", "code"),
    [
        (lambda: signed_request(key_id="nobody"), 404, "InvalidAccessKeyId.NotFound"),
        (lambda: signed_request(at=NOW - VALIDITY - 1), 400, "InvalidTimeStamp.Expired"),
        (lambda: signed_request(at=NOW + VALIDITY + 1), 400, "InvalidTimeStamp.Expired"),
        (lambda: with_header(signed_request(), "x-acs-date", "yesterday"), 400, "InvalidTimeStamp.Format"),
        (lambda: without_header(signed_request(), "x-acs-date"), 400, "MissingTimestamp"),
        (lambda: without_header(signed_request(), "x-acs-signature-nonce"), 400, "MissingSignatureNonce"),
        (lambda: without_header(signed_request(), "authorization"), 400, "MissingAccessKeyId"),
        (lambda: with_header(signed_request(), "authorization", "Basic abc"), 400, "IncompleteSignature"),
        (lambda: signed_request(token="unasked"), 400, "InvalidSecurityToken.MismatchWithAccessKey"),
    ],
)
def test_each_refusal_has_the_vendors_code_and_status(make: Any, status: int, code: str) -> None:
    """
    What the gateway refuses, it refuses with the vendor's code and HTTP status.
    """
    error = refusal(make())

    assert (error.status, error.code) == (status, code)


def test_a_temporary_key_needs_its_token() -> None:
    """
    With a security token configured, a call passes with exactly that token and with no other, nor without one.
    """
    key = replace(KEY, security_token="sts+tok/en==")

    verify(signed_request(token="sts+tok/en=="), key, NonceLedger(), now=NOW)
    other = refusal(signed_request(token="other"), key)
    none = refusal(signed_request(), key)

    assert other.code == "InvalidSecurityToken.MismatchWithAccessKey"
    assert none.code == "MissingSecurityToken"


@pytest.mark.parametrize("offset", [-VALIDITY, 0.0, VALIDITY])
def test_a_clock_may_be_a_quarter_of_an_hour_off(offset: float) -> None:
    """
    A timestamp up to fifteen minutes before or after the provider's clock passes.
    """
    verify(signed_request(at=NOW + offset), KEY, NonceLedger(), now=NOW)


def test_a_nonce_passes_once() -> None:
    """
    The same request sent again is refused as a replay.
    """
    nonces = NonceLedger()
    request = signed_request()
    verify(request, KEY, nonces, now=NOW)

    with pytest.raises(GatewayError) as caught:
        verify(request, KEY, nonces, now=NOW + 1)

    assert (caught.value.status, caught.value.code) == (400, "SignatureNonceUsed")


def test_a_forged_request_uses_up_no_nonce() -> None:
    """
    The nonce is checked last, so a stranger's request with it does not lock out its owner's.
    """
    nonces = NonceLedger()
    with pytest.raises(GatewayError):
        verify(signed_request(nonce="one", secret="wrong"), KEY, nonces, now=NOW)

    verify(signed_request(nonce="one"), KEY, nonces, now=NOW)


@given(st.lists(st.tuples(st.floats(-VALIDITY, VALIDITY), st.floats(0, 600)), min_size=1, max_size=30))
def test_no_replay_passes_while_its_timestamp_is_valid(arrivals: list[tuple[float, float]]) -> None:
    """
    However timestamps and arrivals lie, a nonce is remembered until its timestamp has expired.
    """
    nonces = NonceLedger()
    now = NOW
    used: list[tuple[str, float]] = []

    for number, (skew, pause) in enumerate(arrivals):
        now += pause
        assert nonces.use(f"nonce-{number}", timestamp=now + skew, now=now)
        used.append((f"nonce-{number}", now + skew))

    for nonce, timestamp in used:
        if now - timestamp <= VALIDITY:
            assert not nonces.use(nonce, timestamp=timestamp, now=now)
