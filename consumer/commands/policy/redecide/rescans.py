"""
An upload event for an image that the provider must be asked about again. Pure.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from consumer.commands.policy.redecide.writing import superseding_id
from consumer.journal.headers import RESCAN
from consumer.records import PolicyName
from consumer.verdicts.bounds import rfc3339
from consumer.verdicts.encode import Encoded

HEADER = RESCAN
"""By which a later run knows that it is published."""


def rescan_id(verdict_id: str, policy: PolicyName) -> str:
    """Name the event by which a policy has an image asked about again: the same in every run."""
    return f"rescan-{superseding_id(verdict_id, policy)}"


def rescan_of(
    verdict: Mapping[str, Any], key: bytes | None, name: str, now: float, *, keeps_query: bool
) -> Encoded | None:
    """
    Make the event at `now` (unix seconds), with the key of the verdict; None where nobody can name the image.

    An object can be named. Of a URL verdicts keep no query, without which it may lead nowhere, or elsewhere.
    """
    image, subject = verdict["image"], verdict["subject"]
    if (ref := image.get("ref")) is not None:
        named = {"ref": {**_said(ref), **_said({"version": image.get("version")})}}
    elif keeps_query and image.get("url"):
        named = {"url": image["url"]}
    else:
        return None
    event = {
        "schema": "image.uploaded.v1",
        "event_id": name,
        "event_time": rfc3339(now),
        "tenant": verdict["tenant"],
        "purpose": verdict["purpose"],
        "subject": _said(subject),
        "images": [{"id": image["id"], **named, **_said({"mime": image.get("mime"), "bytes": image.get("bytes")})}],
        "context": verdict.get("context") or {},
        "attrs": verdict.get("attrs") or {},
    }
    return Encoded(key, orjson.dumps(event), [(HEADER, name.encode())])


def _said(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: content for name, content in members.items() if content is not None}
