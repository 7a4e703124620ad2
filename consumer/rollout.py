"""
Which images a rule counts for that is rolled out to a share of them: the same ones every time. Pure.
"""

import hashlib

from consumer.records import Assessment, Submission

_REWRITTEN = "null"  # what S3 calls the version of an object in a bucket that keeps none: it can be written again


def identity_of(submission: Submission, assessment: Assessment) -> str:
    """
    Name an image: by the bytes that this service had, else by the object's version, else by its event.

    Never by a hash that the event claims: who uploads could try out hashes until one is in no share.
    """
    if assessment.sha256 is not None:
        return f"sha256:{assessment.sha256}"
    ref = submission.image.ref
    if ref is not None and ref.version not in (None, _REWRITTEN):
        return f"version:{ref.bucket}/{ref.key}@{ref.version}"
    return f"event:{submission.event_id}/{submission.image.id}"


def is_in_share(share: float, rule: str, identity: str) -> bool:
    """Whether a rule counts for an image. Another rule with the same share counts for others."""
    digest = hashlib.sha256(f"{rule}\0{identity}".encode(errors="surrogatepass")).digest()
    return (int.from_bytes(digest[:7]) >> 3) / 2**53 < share
