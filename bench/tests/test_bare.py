"""
The bare loop's own signature.
"""

from datetime import UTC, datetime
from urllib.parse import urlencode

from bench.bare import sign


def test_signature_is_the_official_clients() -> None:
    """
    The signature of a known call, made by the vendor's own client over the same seven headers, comes out alike.
    """
    parameters = '{"imageUrl":"https://img.alicdn.com/tfs/TB1U4r9AeH2gK0jSZJnXXaT1FXa-2880-480.png","dataId":"img123"}'
    body = urlencode({"Service": "baselineCheck_global", "ServiceParameters": parameters}).encode()

    headers = sign(
        body,
        host="green-cip.ap-southeast-1.aliyuncs.com",
        now=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        nonce="0123456789abcdef0123456789abcdef",
        access_key_id="LTAItestAccessKeyId",
        access_key_secret=b"testAccessKeySecret",
    )

    assert headers["authorization"].endswith(
        ",Signature=347dd7e5a6fcb958bd9ccb83448d3029258d0086408c1387b5d7e71354228ec6"
    )
