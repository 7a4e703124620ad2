import json
from pathlib import Path
from typing import Any

import pytest

from consumer.alibaba import roa_signing
from consumer.config.credentials import Credentials

VECTORS = [
    vector
    for vector in json.loads((Path(__file__).parent.parent / "samples" / "signatures.json").read_text())["vectors"]
    if vector["scheme"] == "ROA-HMAC-SHA1" and not vector.get("string_to_sign_only")
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_signs_as_the_vendors_own_library_does(vector: dict[str, Any]) -> None:
    """
    Every signature that the vendor's library made from the same request comes out the same.
    """
    request = vector["request"]
    headers = {name.lower(): value for name, value in request["headers_in"].items()}

    signed = roa_signing.signature(
        request["method"],
        request["path"],
        request["query_decoded"],
        headers,
        Credentials.model_validate(vector["credentials"]),
    )

    assert signed == vector["expected"]["signature"]
    assert VECTORS
