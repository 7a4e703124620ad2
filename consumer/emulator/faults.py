"""
What to break, how often, and whether it fired. Faults are data with a budget; applying them is provider.py's for calls
of the API, and uploads.py's for uploads.

    [{"match": {"region": "eu-west-1"}, "what": {"gateway_code": "ServiceUnavailable", "http_status": 503}},
     {"match": {"object": "slow/*"}, "what": {"latency": 2.5}, "times": 3},
     {"match": {"action": "DescribeUploadToken"}, "what": {"code": 500}},
     {"match": {"service": "baselineCheck_global"}, "what": {"items_off": true}},
     {"match": {"action": "PutObject"}, "what": {"store_code": {"code": "SecurityTokenExpired"}}, "times": 1},
     {"what": {"throttle": {"retry_after": 1.5}}, "probability": 0.1, "seed": 7}]

Each call meets at most one fault at each of three moments, the first in the list that matches and has budget left:

    before its body is read     drop before_reading
    before the gateway          drop after_reading, never_answer, gateway_code, throttle, signature_refused, store_code
    inside the quota            code, items_off, latency, slow_drip, garbage, body, truncated, drop after_judging

A call of the 1.0 API is about several images: it is struck where one of them matches. Beside the above each of its
images meets at most one `task_code`, then at most one `entry`, and each callback at most one `callback`.

What fires inside the quota is judged and billed like any call, except a `code` and an answer whose HTTP status is not
200: the answer is changed on its way, as a network or a proxy would. DescribeUploadToken has no quota and costs
nothing: there, inside is behind the gateway.

An upload (action PutObject, object the key) passes neither gateway nor quota: before the gateway is before its
signature is looked at, and inside the quota is once it was stored. So it is with reading (GetObject,
ListObjectsV2): inside is once it was found. `store_code` strikes these three alone, and `truncated` uploads; `code`,
`gateway_code`, `throttle` and `signature_refused` strike none of them, whatever they match.
"""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatchcase
from typing import Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PositiveFloat,
    PositiveInt,
    TypeAdapter,
    model_validator,
)

from consumer.emulator.calls import METERED


class Moment(Enum):
    """When a fault strikes."""

    BEFORE_READING = 1
    BEFORE_GATEWAY = 2
    INSIDE_QUOTA = 3
    OF_A_TASK = 4
    OF_A_CALLBACK = 5
    OF_AN_ENTRY = 6


_MOMENT_OF_DROP: Final[Mapping[str, Moment]] = {
    "before_reading": Moment.BEFORE_READING,
    "after_reading": Moment.BEFORE_GATEWAY,
    "after_judging": Moment.INSIDE_QUOTA,
}
PUT_OBJECT: Final = "PutObject"
"""The action of uploads to the object store."""
GET_OBJECT: Final = "GetObject"
LIST_OBJECTS: Final = "ListObjectsV2"
STORE_ACTIONS: Final = frozenset({PUT_OBJECT, GET_OBJECT, LIST_OBJECTS})

_AT_THE_GATEWAY: Final = frozenset({"never_answer", "gateway_code", "throttle", "signature_refused", "store_code"})
_NOT_OF_THE_STORE: Final = frozenset({"code", "gateway_code", "throttle", "signature_refused"})
_MOMENT_OF_SCAN: Final[Mapping[str, Moment]] = {
    "task_code": Moment.OF_A_TASK,
    "callback": Moment.OF_A_CALLBACK,
    "entry": Moment.OF_AN_ENTRY,
}
_WITH_ITEMS: Final = frozenset({METERED, "ImageSyncScan", "ImageAsyncScan"})
_OF_THE_STORE_ALONE: Final = frozenset({"store_code", "truncated"})


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a call is about, as far as it is known at the moment; empty where it is not."""

    region: str
    action: str
    service: str = ""
    url: str = field(default="", repr=False)
    object: str = ""
    data_id: str = ""


class Match(_Strict):
    """Case-sensitive globs. Those given must all match."""

    region: str | None = None
    action: str | None = None
    service: str | None = None
    url: str | None = Field(None, description="The whole imageUrl, its query included.")
    object: str | None = Field(None, description="The ossObjectName, or the key of an upload or a read.")
    data_id: str | None = None


class Throttle(_Strict):
    """The gateway's flow control."""

    code: str = "Throttling.User"
    http_status: int = Field(400, ge=400, le=599)
    retry_after: PositiveFloat | None = Field(None, description="Seconds, sent in milliseconds as x-acs-retry-after.")


class StoreCode(_Strict):
    """The object store's refusal."""

    code: str
    http_status: int = Field(403, ge=400, le=599)


class What(_Strict):
    """Exactly one thing that goes wrong."""

    latency: PositiveFloat | None = Field(None, description="Seconds added before the answer.")
    code: int | None = Field(None, description="The service's own refusal, with HTTP status 200.")
    gateway_code: str | None = Field(None, description="The gateway's refusal, with `http_status` (400).")
    items_off: Literal[True] | None = Field(
        None, description="As if every item were off in the account's console: `nonLabel`, judged and billed."
    )
    throttle: Throttle | None = None
    signature_refused: Literal[True] | None = Field(None, description="As if the secret were wrong.")
    drop: Literal["before_reading", "after_reading", "after_judging"] | None = Field(
        None, description="Cut the connection. After judging, the call has been billed, or the upload stored."
    )
    never_answer: Literal[True] | None = Field(None, description="Hold the connection until the client leaves it.")
    slow_drip: PositiveFloat | None = Field(None, description="Seconds over which the answer's body trickles.")
    garbage: Literal[True] | None = Field(None, description="Bytes that are not JSON, with `http_status` (200).")
    body: str | None = Field(None, description="This text in place of the answer, with `http_status` (200).")
    store_code: StoreCode | None = Field(None, description="The store's refusal of an upload or a read.")
    truncated: Literal[True] | None = Field(None, description="Store the first half of an upload as if it were all.")

    task_code: int | None = Field(None, description="The 1.0 API's refusal of one image of a call.")
    entry: Literal["missing", "twice", "of_another", "unnamed", "unknown_suggestion"] | None = Field(
        None,
        description="What becomes of one image in the answer of a call of the 1.0 API. It was judged, and billed. An "
        "image that was submitted has no suggestion.",
    )
    callback: Literal["lost", "twice", "tampered"] | None = Field(
        None, description="What becomes of a callback of the 1.0 API; a tampered one has another image's `dataId`."
    )

    http_status: int | None = Field(None, ge=200, le=599)
    headers: Mapping[str, str] = Field(default_factory=dict, description="More headers of a refusal or a body.")

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        kinds = self._kinds()
        if len(kinds) != 1:
            raise ValueError(f"exactly one thing goes wrong, not {', '.join(kinds) or 'none'}")
        if self.http_status is not None and self.kind not in ("gateway_code", "garbage", "body"):
            raise ValueError(f"{self.kind} takes no http_status")
        if self.headers and self.kind not in ("gateway_code", "throttle", "garbage", "body"):
            raise ValueError(f"{self.kind} takes no headers")
        if self.gateway_code is not None and self.http_status is not None and self.http_status < 400:
            raise ValueError("a refusal of the gateway has an http_status of 400 or more")
        if 200 in (self.code, self.task_code):
            raise ValueError(f"{self.kind} 200 is no fault")
        return self

    def _kinds(self) -> list[str]:
        fields = type(self).model_fields.keys() - {"http_status", "headers"}
        return sorted(name for name in fields if getattr(self, name) is not None)

    @property
    def kind(self) -> str:
        """The name of the one thing."""
        return self._kinds()[0]

    @property
    def moment(self) -> Moment:
        """When this strikes."""
        if self.drop is not None:
            return _MOMENT_OF_DROP[self.drop]
        if self.kind in _MOMENT_OF_SCAN:
            return _MOMENT_OF_SCAN[self.kind]
        return Moment.BEFORE_GATEWAY if self.kind in _AT_THE_GATEWAY else Moment.INSIDE_QUOTA

    def can_strike(self, action: str) -> bool:
        """Whether this is something that can happen to a call of that action."""
        if self.items_off and action not in _WITH_ITEMS:
            return False
        if self.kind in _MOMENT_OF_SCAN and action not in ("ImageSyncScan", "ImageAsyncScan"):
            return False
        if self.entry == "unknown_suggestion" and action != "ImageSyncScan":
            return False
        if action not in STORE_ACTIONS:
            return self.kind not in _OF_THE_STORE_ALONE
        return self.kind not in _NOT_OF_THE_STORE and (self.truncated is None or action == PUT_OBJECT)


class Fault(_Strict):
    """Something that goes wrong for the calls that match."""

    match: Match = Match()
    what: What
    times: PositiveInt | None = Field(None, description="How often. None: until removed.")
    probability: float = Field(1.0, gt=0, le=1)
    seed: int = Field(0, description="Of the dice that decide by probability, and of garbage.")

    @model_validator(mode="after")
    def _can_match(self) -> Self:
        action = self.match.action
        needs_the_body = self.match.model_fields_set & {"service", "url", "object", "data_id"}
        if action in STORE_ACTIONS:
            needs_the_body -= {"object"}  # the first line names it
        if self.what.moment is Moment.BEFORE_READING and needs_the_body:
            raise ValueError(f"{sorted(needs_the_body)} cannot be known before the body is read")
        if action in STORE_ACTIONS and not self.what.can_strike(action):
            raise ValueError(f"{self.what.kind} cannot strike {action}")
        return self


class ActiveFault:
    """A fault that was set, and how often it fired."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.what = fault.what
        self.fired = 0
        self.dice = random.Random(fault.seed)
        self.moment = fault.what.moment
        self._globs = fault.match.model_dump(exclude_none=True)

    def strikes(self, *subjects: Subject) -> bool:
        """Whether it strikes a call about one of these, which counts. Throws the dice where there is a probability."""
        fault = self.fault
        if fault.times is not None and self.fired >= fault.times:
            return False
        if not any(self._matches(subject) for subject in subjects):
            return False
        if fault.probability < 1 and self.dice.random() >= fault.probability:
            return False
        self.fired += 1
        return True

    def _matches(self, subject: Subject) -> bool:
        return self.what.can_strike(subject.action) and all(
            fnmatchcase(getattr(subject, name), glob) for name, glob in self._globs.items()
        )

    def json(self) -> dict[str, JsonValue]:
        """As it was set, and its count."""
        return {**self.fault.model_dump(mode="json", exclude_defaults=True), "fired": self.fired}


class Faults:
    """The faults that are set now, in their order."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._active = [ActiveFault(fault) for fault in faults]
        self._removed_unfired: list[Fault] = []

    def __iter__(self) -> Iterator[ActiveFault]:
        return iter(tuple(self._active))

    def add(self, fault: Fault) -> ActiveFault:
        """Set one more, behind the others. The answer counts how often it fires."""
        active = ActiveFault(fault)
        self._active.append(active)
        return active

    def replace(self, faults: Iterable[Fault]) -> None:
        """Remove every fault that is set, and set these."""
        self._removed_unfired += [active.fault for active in self._active if not active.fired]
        self._active = [ActiveFault(fault) for fault in faults]

    def draw(self, moment: Moment, *subjects: Subject) -> ActiveFault | None:
        """The fault that strikes a call about these at this moment, if any. It has fired with that."""
        return next((active for active in self._active if active.moment is moment and active.strikes(*subjects)), None)

    def unfired(self) -> list[Fault]:
        """Every fault that was ever set and never fired, removed or not: a test with one did not test it."""
        return self._removed_unfired + [active.fault for active in self._active if not active.fired]

    def json(self) -> list[JsonValue]:
        """The faults as they were set, with their counts."""
        return [active.json() for active in self._active]


def parse_faults(text: bytes) -> list[Fault]:
    """Faults from JSON. Raises: pydantic.ValidationError, with every problem."""
    return _FAULTS.validate_json(text)


_FAULTS: Final = TypeAdapter(list[Fault])
