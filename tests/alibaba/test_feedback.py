"""Feedback to the 1.0 service: how it is signed, and what its answers mean."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from consumer.alibaba import roa_signing
from consumer.alibaba.feedback import CODES, read_answer
from consumer.config.credentials import Credentials
from consumer.errors import AccountRefused, CallFailed, InputRefused, ProviderFailed, Throttled, Unreachable
from tests.rig.speed import is_quick

VECTORS = [
    vector
    for vector in json.loads((Path(__file__).parent.parent / "samples" / "signatures.json").read_text())["vectors"]
    if vector["scheme"] == "ROA-HMAC-SHA1" and not vector.get("string_to_sign_only")
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_signs_as_the_vendors_own_library_does(vector: dict[str, Any]) -> None:
    """Every signature that the vendor's library made from the same request comes out the same."""
    request = vector["request"]

    signed = roa_signing.signature(
        request["method"],
        request["path"],
        request["query_decoded"],
        {name.lower(): value for name, value in request["headers_in"].items()},
        Credentials.model_validate(vector["credentials"]),
    )

    assert signed == vector["expected"]["signature"]


def test_signs_body_date_and_token() -> None:
    """A call's headers have its body's digest and a date as the vendor writes them, and a temporary key's token."""
    vector = next(each for each in VECTORS if each["id"] == "roa-image-scan-sts")

    headers = roa_signing.signed_headers(
        path="/green/image/scan",
        query={},
        body=vector["request"]["body"].encode(),
        now=1_767_323_045,
        nonce="n",
        credentials=Credentials.model_validate(vector["credentials"]),
    )

    assert headers["content-md5"] == vector["request"]["headers_in"]["Content-MD5"]
    assert headers["date"] == vector["request"]["date"]
    assert headers["x-acs-security-token"] == "sts+tok/en=="


def answer(code: object, **more: object) -> bytes:
    return orjson.dumps({"code": code, "msg": "whatever", "requestId": "R-1", **more})


def test_an_accepted_one_names_its_request() -> None:
    """Code 200 alone says that the provider took it."""
    assert read_answer(200, answer(200)) == "R-1"


@pytest.mark.parametrize(
    "status, body, kind",
    [
        (200, answer(588), Throttled),
        (200, answer(500), ProviderFailed),
        (200, answer(400), InputRefused),
        (200, answer(596), AccountRefused),
        (200, answer(480), Unreachable),
        (200, answer(True), ProviderFailed),
        (200, answer(None), ProviderFailed),
        (200, b"<html>", ProviderFailed),
        (200, b"[]", ProviderFailed),
        (503, answer(200), ProviderFailed),
        (400, orjson.dumps({"Code": "Throttling.User", "Message": "x"}), Throttled),
        (400, orjson.dumps({"Code": "SignatureDoesNotMatch", "Message": "secret"}), AccountRefused),
    ],
)
def test_every_other_answer_is_a_failure(status: int, body: bytes, kind: type[CallFailed]) -> None:
    """Nothing else counts as sent, and each failure is sorted by what is done about it."""
    with pytest.raises(CallFailed) as failed:
        read_answer(status, body)

    assert type(failed.value) is kind


@pytest.mark.parametrize("piece", [b"[", b'{"code":', b"2", b'"a":1,', b"\xff"])
def test_an_answer_of_a_hostile_megabyte_is_read_in_no_time(piece: bytes) -> None:
    """Whatever somebody on the way makes of an answer, it ends as a failure before anything waits for it."""

    def refused(body: bytes) -> None:
        with pytest.raises(CallFailed):
            read_answer(200, body)

    assert is_quick(refused, lambda size: b'{"code":' + piece * (size // len(piece)), 0.5)


def test_no_code_of_the_table_is_a_success() -> None:
    """200 stands in no table of failures."""
    assert 200 not in CODES
