"""
What stands in the value of a made-up record: each format that is read, valid and changed. Pure, by dice.

Secrets are marked: `SECRET` stands in every credential that a URL here carries, and nowhere else.
"""

import base64
import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote, quote_plus

SECRET = "k4n4ry-9f3s-"
"""A part of every credential: where it shows up, something was told."""

BINDINGS: Sequence[dict[str, Any]] = (
    {"bucket": "fz-s3", "tenant": "shop", "via": "url", "url": "https://cdn.example.com/{key}"},
    {"bucket": "fz-s3", "prefix": "avatars/", "tenant": "shop", "purpose": "avatar", "via": "url",
     "url": "https://avatars.example.com/{bucket}/{key}"},
    {"bucket": "fz-ceph", "tenant": "lab", "via": "url", "url": "https://rgw.example.com/{key}", "decode_keys": False},
    {"bucket": "fz-oss", "tenant": "bazaar", "purpose": "listing", "via": "oss"},
    {"bucket": "fz-some", "tenant": "shop", "via": "url", "url": "https://some.example.com/{key}",
     "include": {"keys": ["*.jpg", "*.png"]}},
    {"bucket": "fz-typed", "tenant": "shop", "via": "url", "url": "https://typed.example.com/{key}",
     "include": {"content_types": ["image/*"]}},
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Document:
    """A value, and what must become of it where that is certain."""

    value: Any
    """Bytes as they are, or something that JSON can hold."""

    outcome: str = "any"
    """`judged`, `dead`, `ignored`; `seen`: judged or dead; `any`."""

    images: int | None = None
    headers: Sequence[tuple[bytes, bytes | None]] = ()
    urls: Sequence[str] = field(default=())
    """What a verdict may show of its images, where that is certain."""


Maker = Callable[[Random, str], Document]

_WORDS = ("avatar", "照片", "naïve café", "a/b c", "100%+sure", "Ωmega", "🖼", "x" * 200, "..", "-", "0", "IMG_0001")
_EXTENSIONS = (".jpg", ".png", ".webp", ".JPG", "", ".jpeg")
_REGIONS = ("eu-west-1", "us-east-1", "ap-southeast-1")


def encoded(value: Any) -> bytes:
    """Return a document's bytes; unlike orjson it takes what is no UTF-8, as careless producers do."""
    if isinstance(value, bytes):
        return value
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _key(dice: Random, name: str) -> str:
    return f"{dice.choice(('', 'avatars/', 'deep/er/'))}{dice.choice(_WORDS)}-{name}{dice.choice(_EXTENSIONS)}"


def native(dice: Random, name: str) -> Document:
    """A native event of one to sixteen images."""
    many = dice.choice((1, 1, 1, 1, 1, 2, 3, 16))
    urls = [f"https://img.example.com/{name}/{index}.jpg" for index in range(many)]
    images: list[dict[str, Any]] = [{"id": str(index), "url": url} for index, url in enumerate(urls)]
    if dice.random() < 0.3:
        images[0] |= {"mime": "image/jpeg", "bytes": dice.randrange(10**7), "sha256": "9f" * 32}
    if dice.random() < 0.2:
        images[0]["url"] += f"?Expires=1&X-Amz-Signature={SECRET}{name}#{SECRET}"
    event: dict[str, Any] = {
        "schema": "image.uploaded.v1",
        "event_id": f"e-{name}",
        "event_time": "2026-11-20T10:00:00.000Z",
        "subject": {"type": "user_avatar", "id": f"u_{name}/avatar", "revision": dice.randrange(9)},
        "images": images,
    }
    if dice.random() < 0.5:
        event |= {"tenant": "shop-eu", "purpose": dice.choice(("avatar", "listing"))}
    if dice.random() < 0.3:
        event |= {"context": {"country": "DE", "n": dice.random()}, "attrs": {"campaign": dice.choice(_WORDS)}}
    return Document(event, "judged", many, urls=urls)


def native_object(dice: Random, name: str) -> Document:
    """A native event whose image the provider reads itself."""
    ref = {"store": "oss", "bucket": "fz-oss", "key": _key(dice, name), "region": "ap-southeast-1"}
    event = {
        "schema": "image.uploaded.v1",
        "event_id": f"e-{name}",
        "event_time": "2026-11-20T10:00:00+08:00",
        "subject": {"id": name},
        "images": [{"ref": ref}],
    }
    return Document(event, "judged", 1)


def _s3_record(dice: Random, name: str, event: str, bucket: str, prefix: str = "") -> dict[str, Any]:
    return {
        "eventVersion": dice.choice(("2.1", "2.0", "2.3")),
        "eventSource": dice.choice(("aws:s3", "minio:s3", "ceph:s3")),
        "awsRegion": dice.choice(_REGIONS),
        "eventTime": "2026-11-20T10:00:00.123Z",
        "eventName": prefix + event,
        "responseElements": {"x-amz-request-id": name},
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": bucket},
            "object": {
                "key": quote_plus(_key(dice, name), safe="/"),
                "size": dice.choice((1024, "1024", 0)),
                "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                "sequencer": name,
            },
        },
    }


def notification(dice: Random, name: str) -> Document:
    """A notification of S3, MinIO or Ceph."""
    created = ("ObjectCreated:Put", "ObjectCreated:Post", "ObjectCreated:Copy", "ObjectCreated:CompleteMultipartUpload")
    removed = ("ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated", "ObjectTagging:Put")
    bucket = dice.choice(("fz-s3", "fz-s3", "fz-ceph"))
    many = dice.choice((1, 1, 1, 2, 5))
    prefix = dice.choice(("", "s3:"))
    records = [_s3_record(dice, f"{name}.{n}", dice.choice(created), bucket, prefix) for n in range(many)]
    gone = [_s3_record(dice, f"{name}.gone", dice.choice(removed), bucket, prefix)] if dice.random() < 0.1 else []
    if dice.random() < 0.05:
        return Document({"Records": gone or [_s3_record(dice, name, removed[0], bucket)]}, "ignored")
    document: dict[str, Any] = {"Records": records + gone}
    if dice.random() < 0.2:
        document |= {"EventName": prefix + created[0], "Key": "fz/a.jpg"}
    return Document(document, "judged", many)


def eventbridge(dice: Random, name: str) -> Document:
    """S3 through EventBridge."""
    return Document(
        {
            "version": "0",
            "id": name,
            "detail-type": "Object Created",
            "source": "aws.s3",
            "time": "2026-11-20T10:00:00Z",
            "region": "ca-central-1",
            "detail": {"bucket": {"name": "fz-s3"}, "object": {"key": _key(dice, name), "size": 5, "etag": "d4"}},
        },
        "judged",
        1,
    )


def _oss_record(dice: Random, name: str, event: str = "ObjectCreated:PutObject") -> dict[str, Any]:
    return {
        "eventName": event,
        "eventSource": "acs:oss",
        "eventTime": "2026-11-20T10:00:00.000Z",
        "eventVersion": "1.0",
        "oss": {
            "bucket": {"name": "fz-oss", "arn": "acs:oss:ap-southeast-1:1:fz-oss"},
            "object": {"key": _key(dice, name), "size": 9, "objectMeta": {"mimeType": "image/png"}},
            "ossSchemaVersion": "1.0",
        },
        "region": "ap-southeast-1",
        "responseElements": {"requestId": name},
    }


def oss(dice: Random, name: str) -> Document:
    """A notification of OSS."""
    if dice.random() < 0.05:
        part = dice.choice(("ObjectCreated:UploadPart", "ObjectCreated:InitiateMultipartUpload"))
        return Document({"events": [_oss_record(dice, name, part)]}, "ignored")
    many = dice.choice((1, 1, 3))
    return Document({"events": [_oss_record(dice, f"{name}.{n}") for n in range(many)]}, "judged", many)


def _cloudevent(dice: Random, name: str, kind: str, data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": kind,
        "source": dice.choice(("/shop/uploads", "urn:x")),
        "id": f"ce-{name}",
        "time": "2026-11-20T10:00:01Z",
        "datacontenttype": "application/json",
        "data": data,
    }


def structured(dice: Random, name: str) -> Document:
    """A CloudEvent of a native event, or of OSS through EventBridge."""
    if dice.random() < 0.3:
        event = _cloudevent(dice, name, "oss:ObjectCreated:PutObject", _oss_record(dice, name))
        return Document(event, "judged", 1)
    inner = native(dice, name)
    headers = ((b"content-type", b"application/cloudevents+json; charset=utf-8"),) if dice.random() < 0.5 else ()
    event = _cloudevent(dice, name, "image.uploaded.v1", inner.value)
    return Document(event, "judged", inner.images, headers, inner.urls)


def binary(dice: Random, name: str) -> Document:
    """A CloudEvent in Kafka's binary mode."""
    inner = native(dice, name)
    for member in ("schema", "event_id", "event_time"):
        del inner.value[member]
    headers = (
        (b"ce_specversion", b"1.0"),
        (b"ce_type", b"image.uploaded.v1"),
        (b"ce_source", b"/shop/uploads"),
        (b"ce_id", f"ce-{name}".encode()),
        (b"ce_time", b"2026-11-20T10:00:01Z"),
        (b"content-type", b"application/json"),
    )
    return Document(inner.value, "judged", inner.images, headers, inner.urls)


def enveloped(dice: Random, name: str) -> Document:
    """A notification inside of something else: texts, base64, another event, Argo's, SNS's and SQS's envelopes."""
    inner = {"Records": [_s3_record(dice, name, "ObjectCreated:Put", "fz-s3")]}
    text = encoded(inner).decode()
    match dice.randrange(6):
        case 0:
            return Document(_cloudevent(dice, name, "dev.knative.kafka.event", text), "judged", 1)
        case 1:
            event = _cloudevent(dice, name, "dev.knative.kafka.event", None)
            del event["data"]
            return Document({**event, "data_base64": base64.b64encode(text.encode()).decode()}, "judged", 1)
        case 2:
            nested = _cloudevent(dice, name, "image.uploaded.v1", native(dice, name).value)
            return Document(_cloudevent(dice, name, "org.wrapped", nested), "seen")
        case 3:
            return Document(_cloudevent(dice, name, "minio", {"notification": inner["Records"]}), "judged", 1)
        case 4:
            sns = {"Type": "Notification", "MessageId": name, "TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": text}
            return Document(_cloudevent(dice, name, "sns", sns), "seen")
    sqs = {"Records": [{"messageId": name, "eventSource": "aws:sqs", "body": text}]}
    return Document(_cloudevent(dice, name, "sqs", sqs), "seen")


_SECRET_URLS = (
    # Credentials where a parser may overlook them. {s} is the secret, {n} is unique.
    "https://user:{s}@img.example.com/{n}.jpg",
    "https://{s}@img.example.com/{n}.jpg",
    "https://img.example.com/{n}.jpg?token={s}",
    "https://img.example.com/{n}.jpg#{s}",
    "https://img.example.com/{n}.jpg;v=1?X-Amz-Signature={s}&X-Amz-Credential={s}",
    "https://img.example.com?{s}",
    "http://[1:2:3]/a.jpg?{s}",
    "http://user:{s}@[::1/{n}.jpg",
    "http://user:{s}@[::1]]/{n}.jpg",
    "http://user:{s}@[v1.x]/{n}.jpg",
    "http://user:{s}／x@img.example/{n}.jpg",
    "http://user:{s}＠img.example/{n}.jpg",
    "http://user:{s}@img．example/{n}.jpg",
    "http://user:{s}@img.example:99999/{n}.jpg",
    "http://user:{s}@img.example:/{n}.jpg",
    "http://user:{s}@img.example:port/{n}.jpg",
    "http://user:{s}@/{n}.jpg",
    "http://user:{s}@img.example\\@other.example/{n}.jpg",
    "http://user:{s}@img.example\t/{n}.jpg",
    "http://user:{s}@img.example\n/{n}.jpg",
    "http://user:{s}@img.exa mple/{n}.jpg",
    "http://user:{s}%00@img.example/{n}.jpg",
    "http://user:{s}@{s}@img.example/{n}.jpg",
    "HTTPS://USER:{s}@IMG.EXAMPLE.COM/{n}.JPG",
    "https://user:{s}@例子.example/{n}.jpg",
    "https://user:{s}@xn--/{n}.jpg",
    "https://user:{s}@" + "a" * 300 + ".example/{n}.jpg",
    "https://user:{s}@img.example/%ZZ/{n}.jpg",
    "https://user:{s}@img.example/\ud800/{n}.jpg",
    "https://user:{s}@img.example/\x00/{n}.jpg",
    "https://img.example.com/{n}.jpg?a=b?c=d#e?{s}",
    "ftp://user:{s}@img.example.com/{n}.jpg",
    "//user:{s}@img.example.com/{n}.jpg",
    "https:/user:{s}@img.example.com/{n}.jpg",
    "https:user:{s}@img.example.com/{n}.jpg",
    " https://user:{s}@img.example.com/{n}.jpg ",
    "\u200bhttps://user:{s}@img.example.com/{n}.jpg",
    "https://user:{s}@img.example.com/" + "p" * 2100 + "{n}.jpg",
    "https://user:{s}@127.0.0.1/{n}.jpg",
    "https://user:{s}@0x7f.1/{n}.jpg",
    "https://user:{s}@img.example.com./{n}.jpg",
    "https://user:{s}@%69mg.example.com/{n}.jpg",
    "https://user:{s}@img.example.com%2f@x/{n}.jpg",
    "data:image/png;base64,{s}",
    "javascript:{s}",
)


def secret_url(dice: Random, name: str) -> Document:
    """An event whose URL holds a credential, often in a place where parsers disagree."""
    pattern = dice.choice(_SECRET_URLS)
    url = pattern.format(s=f"{SECRET}{name}", n=name)
    event = native(dice, name).value
    event["images"] = [{"id": "0", "url": url}]
    return Document(event, "seen")


_NASTY: Sequence[Any] = (
    None, True, False, 0, -1, 2**63, 2**64 - 1, 1e308, 10**30, -0.0, "", " ", "\x00", "\ud800", "\u202e", "a" * 1025,
    "a" * 5000, "é", "%", "%FF", "%E0%80", "..", "0", "[]", "image.uploaded.v1", "image.uploaded.v2",
    "ObjectCreated:Put",
    "1.0", "https://example.com/", "https://例子/", "http://[::", "http://[1:2:3]/", "2026-11-20T10:00:00Z",
    "2026-02-30T10:00:00Z", "9999-12-31T23:59:60Z", "0000-00-00T00:00:00Z", "{key}", "{", [], [None], {}, {"": {}},
    [[[[[[[[]]]]]]]], {"a": "b" * 9000}, ["x"] * 100, {"schema": "image.uploaded.v1"}, float("nan"), float("inf"),
)  # fmt: skip


def _places(document: Any) -> list[tuple[Any, Any]]:
    """Every holder and step in a document."""
    steps = document.items() if isinstance(document, dict) else enumerate(document)
    found = []
    for step, child in list(steps):
        found.append((document, step))
        if isinstance(child, dict | list):
            found += _places(child)
    return found


_FORMATS: Sequence[Maker] = (native, native_object, notification, eventbridge, oss, structured, binary)


def _without_secrets(document: Any) -> Any:
    """A copy in which no credential can come to stand where it is none, by what is changed."""
    return json.loads(json.dumps(document).replace(SECRET, "plain-"))


def changed(dice: Random, name: str) -> Document:
    """A valid document with one to three members removed, replaced, renamed, doubled, or moved."""
    made = dice.choice(_FORMATS)(dice, name)
    document = _without_secrets(made.value)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        places = _places(document)
        if not places:
            break
        holder, step = dice.choice(places)
        match dice.randrange(5):
            case 0:
                del holder[step]
            case 1 if isinstance(holder, dict):
                holder[dice.choice((str(step).upper(), f"{step} ", "x", "", "ref", "Records", "s3"))] = holder.pop(step)
            case 2 if isinstance(holder, list):
                holder += [deepcopy(holder[step])] * dice.choice((1, 16, 70))
            case _:
                holder[step] = deepcopy(dice.choice(_NASTY))
    return Document(document, "any", headers=made.headers)


def damaged(dice: Random, name: str) -> Document:
    """A valid document with bytes lost or put in, or cut short."""
    made = dice.choice(_FORMATS)(dice, name)
    value = encoded(_without_secrets(made.value))
    at = dice.randrange(len(value))
    inserts = (b"", b"\xff", b'"', b"}", b"{", b"[", b",", b"\\ud800", b"9", b"NaN", b"\xef\xbb\xbf", dice.randbytes(3))
    if dice.random() < 0.4:
        return Document(value[:at], "dead", headers=made.headers)
    return Document(value[:at] + dice.choice(inserts) + value[at + dice.randrange(12) :], "any", headers=made.headers)


def garbage(dice: Random, name: str) -> Document:
    """Bytes and JSON that are no event of anybody's."""
    match dice.randrange(9):
        case 0:
            return Document(dice.randbytes(dice.randrange(400)), "any")
        case 1:
            return Document(
                dice.choice((b"", b" ", b"null", b"1", b'"x"', b"[]", b"{}", b"[[]]", b"\xef\xbb\xbf{}")), "dead"
            )
        case 2:
            return Document(b"[" * dice.choice((100, 2_000, 50_000)), "dead")
        case 3:
            deep = dice.choice((100, 1_000, 5_000))
            return Document(b'{"a":' * deep + b"1" + b"}" * deep, "dead")
        case 4:
            return Document(encoded([native(dice, name).value]), "dead")
        case 5:
            return Document({"schema": f"image.uploaded.v{dice.randrange(2, 9)}", "event_id": name}, "dead")
        case 6:
            return Document(_cloudevent(dice, name, "com.example.unrelated", {"hello": name}), "dead")
        case 7:
            return Document(encoded(native(dice, name).value).decode().encode("utf-16"), "dead")
    return Document({"order": name, "items": [{"sku": 1, "n": 2.5}]}, "dead")


def nothing(dice: Random, name: str) -> Document:
    """A record without a value."""
    return Document(None, "ignored")


def carrying(dice: Random, name: str) -> Document:
    """A legal event that carries a lot along."""
    event = native(dice, name).value
    size = dice.choice((100, 4_000, 9_000, 60_000))
    match dice.randrange(4):
        case 0:
            event["context"] = {"text": "b" * size}
        case 1:
            event["context"] = {str(n): {"n": n} for n in range(size // 14)}
        case 2:
            event["attrs"] = {"list": [0] * (size // 3)}
        case 3:
            event["extra"] = {"unknown": "c" * size}
    return Document(event, "seen")


def with_include(dice: Random, name: str) -> Document:
    """An object of a bucket whose binding names what counts as an image."""
    bucket, key, told, images = dice.choice(
        (
            ("fz-some", "IMG_1.JPG", None, 1),
            ("fz-some", "a.jpg.", None, 1),
            ("fz-some", "a.pNg \u200b", "text/plain", 1),
            ("fz-some", "notes.txt", "image/png", 0),
            ("fz-typed", "photo", "image/png; charset=binary", 1),
            ("fz-typed", "photo", "IMAGE/PNG", 1),
            ("fz-typed", "notes.txt", "application/octet-stream", 1),
            ("fz-typed", "photo", None, 1),
            ("fz-typed", "a.jpg", "text/plain", 0),
        )
    )
    record = _s3_record(dice, name, "ObjectCreated:Put", bucket)
    record["s3"]["object"]["key"] = quote(key)
    if told:
        record["s3"]["object"]["contentType"] = told
    return Document({"Records": [record]}, "judged" if images else "ignored", images or None)


KINDS: Sequence[tuple[str, Maker, float]] = (
    ("native", native, 26),
    ("native-object", native_object, 5),
    ("notification", notification, 8),
    ("eventbridge", eventbridge, 3),
    ("oss", oss, 4),
    ("structured", structured, 5),
    ("binary", binary, 5),
    ("enveloped", enveloped, 4),
    ("include", with_include, 1),
    ("secret-url", secret_url, 9),
    ("changed", changed, 16),
    ("damaged", damaged, 6),
    ("garbage", garbage, 4),
    ("nothing", nothing, 2),
    ("carrying", carrying, 2),
)
"""Name, maker and weight of each kind."""
