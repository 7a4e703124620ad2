"""
The 1.0 API's right to upload: an answer becomes an `UploadToken`, or a failure. Pure.

Vendor: `expiredTime` is in unix milliseconds. Its own uploader puts images at `<uploadFolder>/images/<name>.jpg`,
whatever their format, and names them `oss://<uploadBucket>/<key>`.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from consumer.alibaba.scan.answers import code_in
from consumer.alibaba.scan.codes import scan_failure
from consumer.alibaba.upload_token import UploadToken, bucket_in, endpoint_in, text_in
from consumer.errors import ProviderFailed

ENDING = "jpg"


def read_credentials(status: int, body: bytes, retry_after: float = 0.0, *, base_url: str, vpc: bool) -> UploadToken:
    """
    Accept an answer to the call for upload credentials from `base_url`, or raise why it is none.

    `retry_after` are the seconds that its headers ask to wait.

    Raises:
        CallFailed: the branch says what to do about it.
    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    members = answer if isinstance(answer, dict) else {}
    code = members.get("code")
    if not 200 <= status < 300 or code != 200 or isinstance(code, bool):
        word = members.get("Code") if code is None else code  # the gateway's, or the service's
        raise scan_failure(status, code_in(word), retry_after)
    data = members.get("data")
    if not isinstance(data, dict):
        raise ProviderFailed("upload_token")
    return UploadToken(
        access_key_id=text_in(data, "accessKeyId"),
        access_key_secret=text_in(data, "accessKeySecret"),
        security_token=text_in(data, "securityToken"),
        bucket=bucket_in(data, "uploadBucket"),
        prefix=f"{text_in(data, 'uploadFolder').strip('/')}/images/",
        expires=_seconds(data),
        endpoint=endpoint_in(text_in(data, "ossInternalEndpoint" if vpc else "ossEndpoint"), base_url),
        ending=ENDING,
    )


def _seconds(data: Mapping[str, Any]) -> float:
    expires = data.get("expiredTime")
    if not isinstance(expires, int) or isinstance(expires, bool) or not 0 < expires < 2**53:
        raise ProviderFailed("upload_token", detail="expiredTime is no number of milliseconds")
    return expires / 1000
