"""
The stand-in's temporary store, and images to be fetched: bytes are counted and thrown away, signatures not looked at.
"""

import re
import time
from functools import lru_cache

import orjson

from tests.rig.pictures import picture

_HEAD_END = b"\r\n\r\n"
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_PNG = picture("red", "PNG", (8, 8))
LIFETIME = 3_600  # seconds of a token


def token(endpoint: str) -> bytes:
    """The answer to DescribeUploadToken, for a store at this endpoint."""
    data = {
        "AccessKeyId": "STS.quick", "AccessKeySecret": "secret", "SecurityToken": "token",
        "BucketName": "quick-uploads", "FileNamePrefix": "upload/quick/", "Expiration": int(time.time()) + LIFETIME,
        "OssInternetEndPoint": endpoint, "OssInternalEndPoint": endpoint,
    }  # fmt: skip
    return orjson.dumps({"RequestId": "R", "Code": 200, "Msg": "OK", "Data": data})


def image(path: bytes) -> bytes:
    """The image at `/images/<bytes>/…`: a PNG that is filled up to so many bytes."""
    return _image(int(path.split(b"/")[2]))


@lru_cache(maxsize=4)
def _image(size: int) -> bytes:
    return _PNG + bytes(max(0, size - len(_PNG)))


def upload_left(data: bytes) -> int | None:
    """Of the beginning of an upload, how many bytes are still to come; None while its head has not come."""
    head_end = data.find(_HEAD_END)
    if head_end < 0:
        return None
    length = _CONTENT_LENGTH.search(data[:head_end])
    return head_end + len(_HEAD_END) + (int(length[1]) if length else 0) - len(data)
