"""Messages as each store's documentation shows them, and the ways tests change them."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson

from consumer.config.bindings import Binding
from consumer.errors import Undecodable
from consumer.intake.decode import NO_RULES, Bindings, Rules, decode
from consumer.intake.decode.globs import any_of
from consumer.records import Delivery, Headers, Ignored, Submission
from tests.rig.events import delivery

GROUP = "moderators"
FOLDER = Path(__file__).parent / "samples"
SAMPLES = {path.stem: orjson.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))}

BOUND = (
    Binding(bucket="ugc-uploads", tenant="shop", via="url", url="https://cdn.example.com/{key}", versions="latest"),
    Binding(bucket="ugc-uploads", prefix="avatars/", tenant="shop", purpose="avatar", via="url",
            url="https://avatars.example.com/{bucket}/{key}", versions="latest"),
    Binding(bucket="ugc-ceph", tenant="lab", via="url", url="https://rgw.example.com/{bucket}/{key}",
            decode_keys=False),
    Binding(bucket="ugc-oss", tenant="bazaar", purpose="listing", via="oss"),
)  # fmt: skip
BINDINGS = Bindings(BOUND, opened=["ugc"])

CREATED_IN = {
    "aws_s3": ("ugc-uploads", "avatars/red flower (1).jpg"),
    "minio": ("ugc-uploads", "avatars/照片 1.png"),
    "ceph": ("ugc-ceph", "avatars/1+1=2.jpg"),
    "s3_eventbridge": ("ugc-uploads", "avatars/100%+sure.jpg"),
    "oss": ("ugc-oss", "avatars/50% off + more.png"),
    "oss_eventbridge": ("ugc-oss", "avatars/123.jpg"),
}
"""What each notification says was created."""

REMOVE = object()
"""As a change: take the member away."""


def sample(name: str, **changes: Any) -> dict[str, Any]:
    """
    A copy of a sample with changes by path, two underscores between steps: `images__0__url="…"`.
    """
    document: dict[str, Any] = deepcopy(SAMPLES[name])
    for path, value in changes.items():
        *parents, last = path.split("__")
        holder: Any = document
        for step in parents:
            holder = holder[int(step)] if isinstance(holder, list) else holder[step]
        if value is REMOVE:
            del holder[int(last) if isinstance(holder, list) else last]
        elif isinstance(holder, list):
            holder[int(last)] = value
        else:
            holder[last] = value
    return document


def message(document: object, headers: Headers = ()) -> Delivery:
    """A Kafka record that holds a document, or bytes as they are."""
    return delivery(document if isinstance(document, bytes) else orjson.dumps(document), headers=headers)


def ignoring(*types: str) -> Rules:
    """What an operator says who lists types of CloudEvents that may be ignored."""
    return Rules(ignored_types=any_of(types))


def submitted(read: Delivery, bindings: Bindings = BINDINGS, rules: Rules = NO_RULES) -> tuple[Submission, ...]:
    """What a delivery asks for, where it does ask for something."""
    decoded = decode(read, bindings, GROUP, rules)
    assert not isinstance(decoded, Ignored), decoded
    return tuple(decoded)


def ignored(read: Delivery, bindings: Bindings = BINDINGS, rules: Rules = NO_RULES) -> str:
    """The reason why a delivery is ignored."""
    decoded = decode(read, bindings, GROUP, rules)
    assert isinstance(decoded, Ignored), decoded
    return decoded.reason


def refused(read: Delivery, bindings: Bindings = BINDINGS, rules: Rules = NO_RULES) -> tuple[str, str]:
    """Reason and detail of a dead letter."""
    try:
        decoded = decode(read, bindings, GROUP, rules)
    except Undecodable as error:
        return error.reason, error.detail
    raise AssertionError(f"was decoded: {decoded}")


def bound(**settings: Any) -> Bindings:
    """One binding for the bucket of the S3 samples."""
    return Bindings(
        (Binding(**{"bucket": "ugc-uploads", "via": "url", "url": "https://cdn.example.com/{key}", **settings}),)
    )
