"""Requests that the vendor's SDKs signed (tests/samples/signatures.json): no test of them leaves one out."""

from pathlib import Path
from typing import Any

import orjson

from tests.alibaba import test_oss_signing, test_roa_signing, test_signing
from tests.emulator import test_roa_signatures, test_rpc_signatures, test_signatures, test_store_signatures

ALL = orjson.loads((Path(__file__).parent / "samples" / "signatures.json").read_bytes())["vectors"]
SIGNED_HERE = {"ACS3-HMAC-SHA256", "OSS-V4-HMAC-SHA256", "ROA-HMAC-SHA1"}


def ids(vectors: list[dict[str, Any]]) -> list[str]:
    return sorted(vector["id"] for vector in vectors)


def test_the_emulator_accepts_every_one() -> None:
    """
    27 of five signatures. Of one there is no request, only the text that is signed.
    """
    accepted = [
        *test_signatures.VECTORS, *test_rpc_signatures.VECTORS, *test_roa_signatures.ALL, *test_store_signatures.VECTORS
    ]  # fmt: skip

    assert ids(accepted) == ids(ALL)
    assert len(accepted) == 27
    assert [vector["id"] for vector in ALL if vector.get("string_to_sign_only")] == ["roa-published-string-to-sign"]


def test_the_service_signs_every_one_of_its_signatures_alike() -> None:
    """
    V3 for the API, ROA for the older one, V4 for uploads. It signs nothing by RPC v1 or by V1 of the store.
    """
    reproduced = [*test_signing.VECTORS, *test_roa_signing.VECTORS, test_oss_signing.VECTOR]

    of_ours = [vector for vector in ALL if vector["scheme"] in SIGNED_HERE]
    assert ids(reproduced) == ids([vector for vector in of_ours if not vector.get("string_to_sign_only")])
