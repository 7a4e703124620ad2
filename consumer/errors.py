"""
What can go wrong, sorted by what the service does about it.

    ConsumerError
    ├── Undecodable          unreadable, or claims too much   → dead letter
    ├── Lost                 another replica's message by now → drop it, it is read there
    ├── OutcomeRefused       its topic does not take it        → hold its partition, try again
    ├── CallFailed           one call to the provider failed  → moderation/retries.py decides by branch
    │   ├── Unavailable      not this image's fault           → wait, ask again, for as long as it takes
    │   │   ├── Throttled        too fast                        (the pace waits)
    │   │   ├── ProviderFailed   the provider or the way to it (NonceUsed: sign again at once;
    │   │   │                    CopyUnreachable: upload again)
    │   │   ├── StoreAway        the store that this service reads the image from, or the way to it
    │   │   │                    (StoreBusy: it asks us to come later)
    │   │   ├── ResultGone       a task that was paid for has no result any more: asked about anew
    │   │   ├── WorkersAway      no process in which images are decoded can be started
    │   │   └── AccountRefused   the account may not call (ClockOff: because our time is wrong)
    │   ├── Unreachable      the provider cannot get the image → ask a few times, then review
    │   └── Unjudgeable      this image has no answer          → review, at once
    │       ├── ImageRefused     its size or format
    │       ├── InputRefused     what we say of it
    │       ├── Expired          its presigned URL has
    │       ├── NotFetchable     this service cannot get it, now or later
    │       └── Malformed        an answer that cannot be trusted; it was billed
    └── Misconfigured        nothing can succeed               → exit, with all problems at once

Anything else is a bug: the record's own task catches it once, logs it with its traceback and sends the image to review.
Nothing in this tree ever leads to `pass`.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal, TypeVar

Result = TypeVar("Result")
Failure = TypeVar("Failure", bound=BaseException)
Billed = Literal["no", "yes", "maybe"]


class ConsumerError(Exception):
    """The root: what this service raises on purpose."""


class Undecodable(ConsumerError):
    """
    A message that can never be read, or that claims more than it may: `reason` is a short stable word, `detail` says
    where and what.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Lost(ConsumerError):
    """The message's partition belongs to another replica by now, which reads it again."""


class OutcomeRefused(ConsumerError):
    """A topic does not take an outcome: nothing was written. `word` is Kafka's name for the reason."""

    def __init__(self, word: str, *, too_large: bool = False) -> None:
        super().__init__(word)
        self.word = word
        self.too_large = too_large


class CallFailed(ConsumerError):
    """
    One call failed. `code` is the provider's or the transport's word for it, never free text.

    `detail` says more of it to operators, in words of ours.
    """

    kind: ClassVar[str] = "internal"

    def __init__(self, code: str, *, detail: str = "", retry_after: float = 0.0, billed: Billed = "no") -> None:
        super().__init__(f"{self.kind} {code}")
        self.code = code
        self.detail = detail
        self.retry_after = retry_after  # seconds that the provider asks us to wait
        self.billed = billed
        self.request_id: str | None = None  # the provider's, where it answered
        self.units = 1  # that the call costs, where it is billed
        self.is_counted = True  # at the breaker; once of a call that several images share

    def sorted_as(self, branch: "type[CallFailed]", code: str | None = None) -> "CallFailed":
        """Return the same failure in another branch."""
        failure = branch(code or self.code, detail=self.detail, retry_after=self.retry_after, billed=self.billed)
        failure.request_id = self.request_id
        failure.units = self.units
        failure.is_counted = self.is_counted
        return failure


class Unavailable(CallFailed):
    """The provider cannot answer now but may answer later."""


class Throttled(Unavailable):
    """The account's calls come faster than its quota."""

    kind = "throttle"


class ProviderFailed(Unavailable):
    """The provider failed, or the way to it did."""

    kind = "provider"


class NonceUsed(ProviderFailed):
    """The signature's nonce was used before: the call is signed again at once."""


class CopyUnreachable(ProviderFailed):
    """The provider cannot fetch an image from its own temporary store."""


class ResultGone(Unavailable):
    """The provider does not know a task that was paid for, or keeps its result no longer."""

    kind = "provider"


class StoreAway(Unavailable):
    """The store that this service reads the image from does not give it now, and may later."""

    kind = "fetch"


class StoreBusy(StoreAway):
    """It asks this service to come later, or fails while others try: no attempt at the image."""


class WorkersAway(Unavailable):
    """No process can be started in which this service decodes images."""

    kind = "internal"


class AccountRefused(Unavailable):
    """The account, or that of a store, may not call: key, permission, payment or our clock (`kind` `clock`)."""

    kind = "account"


class ClockOff(AccountRefused):
    """The provider says that our time is wrong."""

    kind = "clock"


class Unreachable(CallFailed):
    """The provider could not fetch the image; or this service could not, which was to upload it."""

    kind = "fetch"


class Unjudgeable(CallFailed):
    """This image will not be judged, however often it is asked about."""


class ImageRefused(Unjudgeable):
    """The image is too large or no image."""

    kind = "image"


class InputRefused(Unjudgeable):
    """
    The provider refuses what the call says of the image.

    Until a first image was answered it is taken for a wrong account or configuration, and everything waits: see
    `moderation/__init__.py`, `Moderator`.
    """

    kind = "input"


class Expired(Unjudgeable):
    """The provider could not fetch the image, because its presigned URL has expired."""

    kind = "fetch"


class NotFetchable(Unjudgeable):
    """This service could not fetch the image, and would not, however often it tried."""

    kind = "fetch"


class Malformed(Unjudgeable):
    """A billed answer that is not what the provider promises."""

    kind = "malformed"


def kinds() -> list[str]:
    """Every `kind` that a failure can have, as verdicts tell it."""

    def below(kind: type[CallFailed]) -> Iterator[str]:
        yield kind.kind
        for each in kind.__subclasses__():
            yield from below(each)

    return sorted(set(below(CallFailed)))


def results_of(endings: list[Result | BaseException]) -> list[Result]:
    """
    Return the results that `asyncio.gather` returned with `return_exceptions`, or raise the first error among them.

    `endings` is emptied then: an error that a frame holds while it raises it holds that frame, and all that it has.
    """
    results = [each for each in endings if not isinstance(each, BaseException)]
    if len(results) == len(endings):
        return results
    first = next(each for each in endings if isinstance(each, BaseException))
    endings.clear()
    try:
        raise first
    finally:
        del first


def without_frames(error: Failure) -> Failure:
    """
    Take from a library's error, and from those that led to it, the frames that they came through; return it.

    aiohttp and asyncio hold errors in frames that these came through, and in streams that those frames have. So all
    that their callers have would wait for the garbage collector: of a failed upload an image.
    """
    left: list[BaseException | None] = [error]
    seen = set[int]()
    while left:
        each = left.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            each.__traceback__ = None
            left += [each.__cause__, each.__context__]
    return error


class Misconfigured(ConsumerError):
    """Every problem of the configuration, a line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)
