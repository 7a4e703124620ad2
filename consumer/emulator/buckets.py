"""
The account's own buckets, as the settings give them: folders whose files are the objects, or objects by name.

Every bucket keeps versions. An object has the one whose id is made of its bytes: those that were written over are gone.
"""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

Bucket = Path | Mapping[str, bytes]


def read_object(bucket: Bucket, key: str, most: int = -1) -> bytes | None:
    """An object, or its first `most` bytes; None where there is none. Reads a file where the bucket is a folder."""
    if not isinstance(bucket, Path):
        return bucket.get(key)
    root = bucket.resolve()
    try:
        path = (root / key).resolve()
        if not path.is_relative_to(root):
            return None
        with path.open("rb") as file:
            return file.read(most)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None


def keys_of(bucket: Bucket) -> list[str]:
    """The names of all objects, in order. Walks through the bucket where it is a folder."""
    if not isinstance(bucket, Path):
        return sorted(bucket)
    return sorted(path.relative_to(bucket).as_posix() for path in bucket.rglob("*") if path.is_file())


def etag_of(data: bytes) -> str:
    """Vendor: the MD5 of an object that was put in one piece, in upper-case hex."""
    return hashlib.md5(data).hexdigest().upper()


def version_of(data: bytes) -> str:
    """The id of an object's version. The vendor's have +, / and =, which a client must not lose."""
    return "CAEQ+/" + base64.b64encode(hashlib.sha256(data).digest()[:16]).decode()
