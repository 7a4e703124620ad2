"""
What calls of the 1.0 API ask, read from their JSON bodies, or the code with which they are refused. Pure.

A body is what it is, whatever its content type says: the official SDK calls its JSON an octet stream.

Vendor: the parameters of the scan, results and feedback operations. Assumed: a wrong task is refused alone, a wrong
call as a whole, and both with 400. `interval`, `maxFrames` and `extras` are accepted and have no effect.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import orjson

from consumer.emulator.parameters import ImageUrl, OssObject
from consumer.emulator.scan.codes import BAD_REQUEST, ScanError

SCENES: Final = ("porn", "terrorism", "ad", "qrcode", "live", "logo")
FEEDBACK_SCENES: Final = ("porn", "terrorism", "ad")
MAX_URL: Final = 2048


@dataclass(frozen=True, slots=True)
class Task:
    """One image of a call. `image` is None where its URL is none, and `wrong` then says why."""

    url: str = field(repr=False)
    data_id: str | None
    image: ImageUrl | OssObject | None
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Scan:
    """What is asked about each task. `callback` and `seed` are empty where no callback is wanted."""

    tasks: tuple[Task, ...]
    scenes: tuple[str, ...]
    biz_type: str
    callback: str = field(repr=False)
    seed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Feedback:
    """What people say of an image: `suggestion` is pass or block, and `image` None where none is named by URL."""

    suggestion: Literal["pass", "block"]
    scenes: tuple[str, ...]
    url: str = field(repr=False)
    image: ImageUrl | OssObject | None
    label: str
    note: str


def read_scan(body: bytes, region: str, most: int) -> Scan:
    """
    What a call of scan or asyncscan asks in `region`, with at most so many tasks.

    Raises: ScanError 400.
    """
    fields = _object(body)
    tasks = fields.get("tasks")
    if not isinstance(tasks, list) or not tasks:
        raise _wrong("tasks is empty")
    if len(tasks) > most:
        raise _wrong(f"more than {most} tasks")
    callback, seed = _text(fields, "callback"), _text(fields, "seed")
    if callback and not seed:
        raise _wrong("callback needs seed")
    return Scan(
        tasks=tuple(_task(each, region) for each in tasks),
        scenes=_scenes(fields, SCENES),
        biz_type=_text(fields, "bizType"),
        callback=callback,
        seed=seed,
    )


def read_results(body: bytes, most: int) -> tuple[str, ...]:
    """
    The ids of tasks that a call asks for.

    Raises: ScanError 400.
    """
    ids = _json(body)
    if not isinstance(ids, list) or not ids or not all(isinstance(each, str) for each in ids):
        raise _wrong("the body is no list of task ids")
    if len(ids) > most:
        raise _wrong(f"more than {most} task ids")
    return tuple(ids)


def read_feedback(body: bytes, region: str) -> Feedback:
    """
    What a call says of an image.

    Raises: ScanError 400.
    """
    fields = _object(body)
    suggestion, url, task_id = fields.get("suggestion"), _text(fields, "url"), _text(fields, "taskId")
    if suggestion not in ("pass", "block"):
        raise _wrong("suggestion is neither pass nor block")
    if not url and not task_id:
        raise _wrong("neither url nor taskId")
    image = _image(url, region) if url else None
    if isinstance(image, str):
        raise _wrong(image)
    scenes = _scenes(fields, FEEDBACK_SCENES)
    return Feedback(suggestion, scenes, url, image, _text(fields, "label"), _text(fields, "note"))


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _wrong("the body is not JSON") from error


def _object(body: bytes) -> Mapping[str, Any]:
    fields = _json(body)
    if not isinstance(fields, dict):
        raise _wrong("the body is no JSON object")
    return fields


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(f"{name} is no text")
    return value


def _scenes(fields: Mapping[str, Any], known: Collection[str]) -> tuple[str, ...]:
    scenes = fields.get("scenes")
    if not isinstance(scenes, list) or not scenes:
        raise _wrong("scenes is empty")
    if not all(isinstance(each, str) and each in known for each in scenes):
        raise _wrong(f"a scene is none of {', '.join(known)}")
    return tuple(dict.fromkeys(scenes))


def _task(given: Any, region: str) -> Task:
    if not isinstance(given, dict):
        raise _wrong("a task is no JSON object")
    data_id, url = given.get("dataId"), given.get("url")
    known = data_id if isinstance(data_id, str) else None
    if not isinstance(url, str) or not url:
        return Task("", known, None, "url is empty")
    if data_id is not None and known is None:
        return Task(url, None, None, "dataId is no text")
    image = _image(url, region)
    return Task(url, known, None, image) if isinstance(image, str) else Task(url, known, image)


def _image(url: str, region: str) -> ImageUrl | OssObject | str:
    """The image that a URL names, or why it names none. `oss://bucket/key` is an object of the region asked."""
    if len(url) > MAX_URL:
        return f"url is longer than {MAX_URL} characters"
    try:
        parts = urlsplit(url)
        # Of an object's name nothing is a query or a fragment.
        bucket, _, key = url.partition("://")[2].partition("/")
        valid = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return "url is invalid"
    if parts.scheme == "oss" and bucket and key:
        return OssObject(bucket, key, region)
    return ImageUrl(url) if parts.scheme in ("http", "https") and valid and url.isascii() else "url is invalid"


def _wrong(why: str) -> ScanError:
    return ScanError(BAD_REQUEST, why)
