import json
from pathlib import Path

from consumer.alibaba import oss_signing

[VECTOR] = [
    vector
    for vector in json.loads((Path(__file__).parents[1] / "samples" / "signatures.json").read_text())["vectors"]
    if vector["scheme"] == "OSS-V4-HMAC-SHA256"
]


def test_an_upload_is_signed_as_the_vendors_sdk_signs_it() -> None:
    """
    Byte for byte the same signature for the same request; the SDK has a blank behind the comma.
    """
    request, key = VECTOR["request"], VECTOR["credentials"]
    signed = oss_signing.authorization(
        request["method"],
        oss_signing.resource(request["bucket"], request["key"]),
        {name.lower(): value for name, value in request["headers_in"].items()},
        region=request["region"],
        access_key_id=key["access_key_id"],
        access_key_secret=key["access_key_secret"],
    )

    assert signed == VECTOR["expected"]["authorization"].replace(", ", ",")


def test_a_moment_is_written_as_the_store_reads_it() -> None:
    """
    In UTC, without separators.
    """
    assert oss_signing.timestamp(1_767_323_045.9) == "20260102T030405Z"


def test_a_key_is_escaped_but_for_its_slashes() -> None:
    """
    What a prefix may hold beside plain characters is percent-encoded; slashes part it.
    """
    assert oss_signing.resource("b", "a b/测~+.jpg") == "/b/a%20b/%E6%B5%8B~%2B.jpg"
