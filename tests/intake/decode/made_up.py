"""
Messages as a year of careless producers would write them: valid, changed, damaged, garbage.

The same seed makes the same messages, so one that fails can be made again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import orjson

from consumer.records import Headers
from tests.intake.decode.messages import SAMPLES
from tests.intake.decode.test_properties import NASTY, changed, paths

MODES = ("valid", "changed", "changed twice", "damaged", "garbage", "empty")
WEIGHTS = (30, 25, 15, 15, 12, 3)


@dataclass(frozen=True, slots=True)
class MadeUp:
    """One message, and how it was made."""

    mode: str
    key: bytes
    value: bytes | None
    headers: Headers


def made_up(count: int, seed: int) -> Iterator[MadeUp]:
    """Make so many messages."""
    dice = Random(seed)
    for number in range(count):
        mode = dice.choices(MODES, WEIGHTS)[0]
        yield MadeUp(mode, f"key-{number}".encode(), _value(mode, dice), _headers(dice))


def _value(mode: str, dice: Random) -> bytes | None:
    document = SAMPLES[dice.choice(sorted(SAMPLES))]
    match mode:
        case "valid":
            return orjson.dumps(document)
        case "changed":
            return orjson.dumps(_changed(document, dice))
        case "changed twice":
            return orjson.dumps(_changed(_changed(document, dice), dice))
        case "damaged":
            return _damaged(orjson.dumps(document), dice)
        case "garbage":
            return dice.randbytes(dice.randrange(200))
    return None


def _changed(document: Any, dice: Random) -> Any:
    found = paths(document)  # none where an earlier change took the only member away
    return changed(document, dice.choice(found), dice.choice([..., *NASTY])) if found else document


def _damaged(value: bytes, dice: Random) -> bytes:
    at = dice.randrange(len(value))
    insert = dice.choice([b"", b"\xff", b'"', b"}", b"{", b"[", b",", b"\\ud800", b"9", b"NaN", dice.randbytes(3)])
    return value[:at] + insert + value[at + dice.randrange(12) :]


def _headers(dice: Random) -> Headers:
    if dice.random() < 0.8:
        return []
    names = ["content-type", "ce_specversion", "ce_type", "ce_source", "ce_id", "dlq_reason", "source_group", "other"]
    values = [b"", b"\xff\xfe", b"1.0", b"image.uploaded.v1", b"application/cloudevents+json", b"application/json"]
    return [(dice.choice(names), dice.choice(values)) for _ in range(dice.randrange(1, 7))]
