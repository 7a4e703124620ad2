"""
The 1.0 API's synchronous scan, in the words of `script.py`: each task of a call is an image that is asked about.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from tests.rig.quick_provider.script import OK, THROTTLED, Question, Reply, RiskLevel

SCAN = b"/green/image/scan"
_CODES: Mapping[int, int] = {401: 400, 402: 400, THROTTLED: 588, 405: 592, 406: 589, 407: 590, 408: 596}
"""Vendor: what is said in 1.0 where 2.0 has another code."""
_SUGGESTIONS: Mapping[RiskLevel, str] = {"none": "pass", "low": "pass", "medium": "review", "high": "block"}


class Scan(NamedTuple):
    """What a call asks."""

    images: Sequence[Question]
    scenes: Sequence[str]


def read_scan(body: bytes) -> Scan | None:
    """Return what a call asks, or None where it cannot be read."""
    try:
        asked = orjson.loads(body)
        images = [Question(str(task.get("dataId") or ""), str(task["url"])) for task in asked["tasks"]]
        return Scan(images, [str(scene) for scene in asked["scenes"]])
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return None


def scan_answer(scan: Scan | None, replies: Sequence[Reply], *, request_id: str) -> bytes:
    """Return the JSON body of an answer: each image in its place, with results where its code is 200."""
    if scan is None:
        return orjson.dumps({"code": 400, "msg": "BAD_REQUEST", "requestId": request_id})
    asked = zip(scan.images, replies, strict=True)
    data = [_task(image, scan.scenes, reply, f"img{request_id}-{n}") for n, (image, reply) in enumerate(asked)]
    return orjson.dumps({"code": OK, "msg": "OK", "requestId": request_id, "data": data})


def _task(image: Question, scenes: Sequence[str], reply: Reply, task_id: str) -> dict[str, Any]:
    code = _CODES.get(reply.code, reply.code)
    told = {"code": code, "msg": "", "dataId": image.data_id, "taskId": task_id, "url": image.image}
    if code != OK:
        return told
    result = {"label": "normal", "suggestion": _SUGGESTIONS[reply.verdict], "rate": 99.9}
    return {**told, "results": [{"scene": scene, **result} for scene in scenes]}
