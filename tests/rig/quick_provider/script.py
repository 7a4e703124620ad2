"""
What a call is answered, and how late. Values in, values out: time comes in as the arrival of the call.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar, get_args
from urllib.parse import unquote_to_bytes

import orjson

RiskLevel: TypeAlias = Literal["none", "low", "medium", "high"]
LEVELS = get_args(RiskLevel)
Value = TypeVar("Value")

# Vendor: the codes of ImageModeration 2.0. They come in the body of an HTTP 200, without Data.
_MESSAGES = {
    400: "the request parameter is empty",
    401: "the request parameter is invalid",
    402: "the request parameter is too long",
    403: "the request exceeds the quota",
    404: "the image could not be downloaded",
    405: "the download of the image timed out",
    406: "the image is too large",
    407: "the format of the image is not supported",
    408: "the account may not call this service",
    500: "system exception",
}
OK = 200
THROTTLED = 403
CODES = (OK, *_MESSAGES)

_GOLDEN_RATIO = (5**0.5 - 1) / 2
_CONFIDENCE: Mapping[RiskLevel, float] = {"low": 51.5, "medium": 80.25, "high": 97.5}


class Question(NamedTuple):
    """One image to be moderated."""

    data_id: str
    image: str
    """The image's URL, or `oss://bucket/object`."""


def read_question(body: bytes) -> Question | None:
    """Return what the form asks about, or None where its `ServiceParameters` cannot be read."""
    for pair in body.split(b"&"):
        name, _, value = pair.partition(b"=")
        if name == b"ServiceParameters":
            break
    else:
        return None
    try:
        parameters = orjson.loads(unquote_to_bytes(value.replace(b"+", b" ")))
    except orjson.JSONDecodeError:
        return None
    if not isinstance(parameters, dict):
        return None
    return Question(str(parameters.get("dataId") or ""), _image(parameters))


def _image(parameters: dict[str, Any]) -> str:
    if url := parameters.get("imageUrl"):
        return str(url)
    bucket, key = parameters.get("ossBucketName"), parameters.get("ossObjectName")
    return f"oss://{bucket}/{key}" if bucket and key else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How the stand-in answers. Latencies are seconds from a call's first byte to its answer."""

    latency: float = 0.3
    spread: float = 0.0
    """How far latencies lie apart: 0.5 is from half of `latency` to half as much again, evenly."""

    verdict: RiskLevel = "none"
    qps: int | None = None
    """Calls admitted in any sliding second; what is beyond is answered 403 and does not count. None: all are."""

    slow_share: float = 0.0
    """Share of the admitted calls answered after `slow_latency`, evenly spread: 0.01 is every hundredth."""

    slow_latency: float = 6.0
    codes: Mapping[str, int] = field(default_factory=dict)
    """Code by a part of the data id or of the image's URL; the first that fits wins."""

    latencies: Mapping[str, float] = field(default_factory=dict)
    """Latency, without `spread`, by a part of the data id or of the image's URL; the first that fits wins."""

    verdicts: Mapping[str, RiskLevel] = field(default_factory=dict)
    """RiskLevel by a part of the data id or of the image's URL; the first that fits wins over `verdict`."""

    seed: int | None = None
    """Draws latencies and failures for every call of an image by this seed, whatever order the calls come in."""

    failing_share: float = 0.0
    """Share of the calls that are answered 500, drawn by `seed`."""

    store: str | None = None
    """The endpoint of the temporary store that tokens name; None: this stand-in's own."""

    def __post_init__(self) -> None:
        if unknown := set(self.codes.values()) - set(CODES):
            raise ValueError(f"codes {sorted(unknown)} are none of the provider's: {CODES}")
        if self.qps is not None and self.qps < 1:
            raise ValueError(f"qps must be at least 1, not {self.qps}")
        for name in ("slow_share", "spread", "failing_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1, not {getattr(self, name)}")
        if self.failing_share and self.seed is None:
            raise ValueError("failing_share needs a seed")
        if unknown_levels := set(self.verdicts.values()) - set(LEVELS):
            raise ValueError(f"verdicts {sorted(unknown_levels)} are none of {LEVELS}")


class Reply(NamedTuple):
    """The decision about one call."""

    code: int
    latency: float
    verdict: RiskLevel = "none"


class Script:
    """Decides call by call, in the order in which they arrive."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._window: deque[float] = deque(maxlen=behaviour.qps)
        self._admitted = 0
        self._asked: Counter[str] = Counter()

    def reply(self, question: Question | None, arrived: float) -> Reply:
        """Return the reply to a call whose first byte came at `arrived` (seconds, never going back)."""
        behaviour = self._behaviour
        if self._is_over_quota(arrived):
            return Reply(THROTTLED, behaviour.latency)
        before = int(self._admitted * behaviour.slow_share)
        self._admitted += 1
        is_slow = int(self._admitted * behaviour.slow_share) > before
        dice = self._dice(question)
        code = self._code(question)
        if code == OK and dice.failure < behaviour.failing_share:
            code = 500
        latency = behaviour.slow_latency if is_slow else self._latency(question, dice.latency)
        return Reply(code, latency, _first_fit(behaviour.verdicts, question) or behaviour.verdict)

    def _latency(self, question: Question | None, position: float) -> float:
        behaviour = self._behaviour
        usual = behaviour.latency * (1.0 + behaviour.spread * (2.0 * position - 1.0))
        named = _first_fit(behaviour.latencies, question)
        return usual if named is None else named

    def _dice(self, question: Question | None) -> "Dice":
        if self._behaviour.seed is None or question is None:
            # Multiples of the golden ratio fill the range evenly, however few there are, and the same way each time.
            return Dice(self._admitted * _GOLDEN_RATIO % 1.0, 1.0)
        self._asked[question.image] += 1
        return _cast(f"{self._behaviour.seed} {self._asked[question.image]} {question.image}")

    def _is_over_quota(self, arrived: float) -> bool:
        if self._behaviour.qps is None:
            return False
        window = self._window
        if len(window) == window.maxlen and arrived - window[0] < 1.0:
            return True
        window.append(arrived)
        return False

    def _code(self, question: Question | None) -> int:
        if question is None:
            return 401
        if not question.image:
            return 400
        return _first_fit(self._behaviour.codes, question) or OK


class Dice(NamedTuple):
    """What chance decides about one call, each from 0 to 1."""

    latency: float
    failure: float


def _cast(what: str) -> Dice:
    digest = hashlib.blake2b(what.encode(), digest_size=8).digest()
    return Dice(int.from_bytes(digest[:4]) / 2**32, int.from_bytes(digest[4:]) / 2**32)


def _first_fit(by_part: Mapping[str, Value], question: Question | None) -> Value | None:
    if question is not None:
        for part, value in by_part.items():
            if part in question.data_id or part in question.image:
                return value
    return None


def answer(code: int, *, request_id: str, data_id: str, verdict: RiskLevel) -> bytes:
    """Return the JSON body of an answer: with `Data` for 200, without it for every other code."""
    if code != OK:
        return orjson.dumps({"RequestId": request_id, "Code": code, "Msg": _MESSAGES[code]})
    if verdict == "none":
        finding: dict[str, Any] = {"Label": "nonLabel", "Description": "no risk detected", "RiskLevel": "none"}
    else:
        finding = {
            "Label": "pornographic_adultContent",
            "Confidence": _CONFIDENCE[verdict],
            "Description": "adult content",
            "RiskLevel": verdict,
        }
    data = {"DataId": data_id, "RiskLevel": verdict, "Result": [finding]}
    return orjson.dumps({"RequestId": request_id, "Code": OK, "Msg": "OK", "Data": data})
