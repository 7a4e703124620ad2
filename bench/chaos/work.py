"""
The uploads of a run, by seed: native events, whose images have URLs of their own.

The stand-in answers by parts of these URLs: `/slow/` late, `/high/` and `/medium/` with that risk.
"""

import random
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from tests.rig.kafka import NewRecord

MOST_IMAGES = 16
BUCKET = "private"
HOT_KEY = b"shop-eu|hot"
_RISKS = ("none", "medium", "high")


class Shape(NamedTuple):
    """What kind of uploads."""

    crowded: float = 0.0
    """Share of the messages that carry sixteen images; the others carry one."""

    slow: float = 0.0
    """Share of the images that the stand-in answers late."""

    keys: int | None = None
    """How many keys there are; None: every event has its own."""

    objects: bool = False
    """Whether images are objects in `BUCKET`, whose keys are what their URLs' paths would be."""

    mixed: bool = False
    """Whether images are of every risk, so that verdicts of a key go to three topics."""


PLAIN = Shape()


def uploads(run: str, images: int, seed: int, shape: Shape = PLAIN) -> Iterator[NewRecord]:
    """Yield messages with `images` images in all. The same seed yields the same messages."""
    dice = random.Random(seed)
    number = message = 0
    while number < images:
        many = min(MOST_IMAGES, images - number) if dice.random() < shape.crowded else 1
        urls = [_url(run, number + index, dice, shape) for index in range(many)]
        key = f"shop-eu|{message if shape.keys is None else message % shape.keys}".encode()
        yield NewRecord(event(f"{run}-{message}", urls, objects=shape.objects), key=key)
        number += many
        message += 1


def hot_uploads(run: str, events: int) -> Iterator[NewRecord]:
    """Yield `events` messages: every second one has the same key, the others have their own."""
    for number in range(events):
        hot = number % 2 == 1
        url = f"https://img.example.com/{run}/{'hot' if hot else 'usual'}/none/{number}.jpg"
        yield NewRecord(event(f"{run}-{number}", [url]), key=HOT_KEY if hot else f"shop-eu|{number}".encode())


def event(event_id: str, urls: list[str], *, objects: bool = False) -> bytes:
    """Return a native event with an image for each URL, or with the objects that these URLs would be of."""
    images = [_object(url) if objects else {"url": url} for url in urls]
    return orjson.dumps(
        {
            "schema": "image.uploaded.v1",
            "event_id": event_id,
            "event_time": "2026-11-20T10:00:00.000Z",
            "tenant": "shop-eu",
            "purpose": "avatar",
            "subject": {"type": "user_avatar", "id": event_id, "revision": 1},
            "images": [{"id": str(index), **image} for index, image in enumerate(images)],
        }
    )


def _object(url: str) -> dict[str, Any]:
    return {"ref": {"store": "s3", "bucket": BUCKET, "key": urlsplit(url).path.removeprefix("/")}}


def _url(run: str, number: int, dice: random.Random, shape: Shape) -> str:
    pace = "slow" if dice.random() < shape.slow else "usual"
    risk = dice.choice(_RISKS) if shape.mixed else "none"
    return f"https://img.example.com/{run}/{pace}/{risk}/{number}.jpg"
