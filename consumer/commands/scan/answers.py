"""
Answers that are paid for, kept until their image has all of them: a scan that ends before that does not pay for them
twice. An answer here is also one that cannot be trusted, which is paid for all the same.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, Self

from pydantic import TypeAdapter

from consumer.errors import Malformed
from consumer.locations import ByObject, ByUpload
from consumer.moderation import CallContext, ModerationRequest, Moderator
from consumer.moderation.copies import Copy
from consumer.records import ModerationResult

_RESULTS = TypeAdapter(ModerationResult)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one service answered about one image, and which bytes it was about, where that is known."""

    result: ModerationResult | None = field(repr=False)  # None: it cannot be trusted
    code: str = ""  # why it cannot be trusted
    request_id: str | None = None  # of an answer that cannot be trusted
    sha256: str | None = None
    frames: int | None = None
    frame: int | None = None
    scaled: bool = False
    pictures: int = 1  # that the file was uploaded as

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Self:
        """Make it from what `told` wrote. `TypeError`, `KeyError` or `ValueError` escape where it is none."""
        result = told["result"]
        return cls(**{**told, "result": None if result is None else _RESULTS.validate_python(result)})

    def told(self) -> dict[str, Any]:
        """As a JSON object."""
        result = self.result
        written = {name: getattr(self, name) for name in self.__slots__}
        if result is not None:
            labels = [label._asdict() for label in result.labels]
            written["result"] = {**result._asdict(), "labels": labels, "hits": asdict(result.hits)}
        return written


class Kept(Protocol):
    """Keeps answers, by the submission that they are about, the service that gave them, and which picture it was."""

    def answer(self, submission: str, service: str, nth: int) -> Answer | None:
        """Return what was answered."""
        ...

    def add_answer(self, submission: str, service: str, nth: int, answer: Answer) -> None:
        """Keep an answer. Nothing escapes."""
        ...


class Remembering:
    """A `Moderator` that asks nothing that was answered in an earlier scan, and keeps what is."""

    def __init__(self, inner: Moderator, kept: Kept, last_service: str | None) -> None:
        """
        Of an image with one picture the answer of `last_service` is kept with its result, which follows at once.

        None where it is not the same one for all images.
        """
        self._inner = inner
        self._kept = kept
        self._last_service = last_service

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        known = self._kept.answer(request.submission, request.service, _nth(request))
        if known is not None:
            return _again(known, call)
        judged = len(call.copies.judged)
        try:
            result = await self._inner.ask(request, call)
        except Malformed as error:
            if error.billed == "yes":
                self._keep(request, Answer(None, error.code, error.request_id, pictures=call.copies.pictures))
            raise
        copies = call.copies
        # Other pictures of the image are asked about at the same time.
        about = next((copy for copy in copies.judged[judged:] if copy.frame == result.frame), None)
        self._keep(request, Answer(result, **_facts_of(about), pictures=copies.pictures))
        return result

    def _keep(self, request: ModerationRequest, answer: Answer) -> None:
        if request.service != self._last_service or answer.pictures > 1:
            self._kept.add_answer(request.submission, request.service, _nth(request), answer)


def _facts_of(copy: Copy | None) -> dict[str, Any]:
    if copy is None:
        return {}
    return {"sha256": copy.sha256, "frames": copy.frames, "frame": copy.frame, "scaled": copy.scaled}


def _nth(request: ModerationRequest) -> int:
    return request.location.nth if isinstance(request.location, ByUpload) else 0


def _again(known: Answer, call: CallContext) -> ModerationResult:
    call.copies.pictures = max(call.copies.pictures, known.pictures)
    if known.result is None:
        failure = Malformed(known.code, billed="yes")
        failure.request_id = known.request_id
        raise failure
    if known.sha256 is not None:
        nowhere = ByObject("", "", None)
        call.copies.judged.append(Copy(nowhere, 0.0, known.sha256, known.frames, known.frame, known.scaled))
    return known.result
