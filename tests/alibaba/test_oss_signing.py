from consumer.alibaba import oss_signing

# A request of the vendor's own SDK (oss2 2.19.1, signature V4), and what it signed it with.
HEADERS = {
    "content-type": "image/jpeg",
    "x-oss-security-token": "tok+/=en",
    "x-oss-date": "20260102T030405Z",
    "x-oss-content-sha256": "UNSIGNED-PAYLOAD",
}
SIGNATURE = "217275d61f7d049b394bdc2d34b570648f32bef365efa6b4d6e7111468bfa3b9"


def test_an_upload_is_signed_as_the_vendors_sdk_signs_it() -> None:
    """
    Byte for byte the same signature for the same request.
    """
    signed = oss_signing.authorization(
        "PUT",
        oss_signing.resource("cip-upload-bucket", "upload/1xxb89/0b2f.jpg"),
        HEADERS,
        region="ap-southeast-1",
        access_key_id="STS.uploadAk",
        access_key_secret="uploadSecret",
    )

    scope = "20260102/ap-southeast-1/oss/aliyun_v4_request"
    assert signed == f"OSS4-HMAC-SHA256 Credential=STS.uploadAk/{scope},Signature={SIGNATURE}"


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
