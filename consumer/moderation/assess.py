"""Ask every service of the policy about one image, and gather what they answer."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from consumer.config.privacy import PrivacySettings
from consumer.dispatch.concurrency import Unfinished
from consumer.errors import CallFailed, InputRefused, Lost, NotFetchable, Unreachable, results_of
from consumer.fairness import DEFAULT
from consumer.locations import ByUpload, ImageLocation, NotAskable, uploaded_from
from consumer.moderation import CallContext, ModerationRequest, Moderator
from consumer.moderation.copies import Copies
from consumer.moderation.judged_by import JudgedBy, PolicyReplaced
from consumer.observability import metrics
from consumer.records import Assessment, Coverage, Failure, Judge, ModerationResult, Submission

log = structlog.get_logger()

PICTURES_AT_ONCE = 8
"""Pictures of one image that a service is asked about at the same time."""


class Assessing:
    """Turns a submission into an assessment."""

    def __init__(
        self,
        moderator: Moderator,
        in_force: Callable[[], Judge],
        *,
        referer: str | None = None,
        privacy: PrivacySettings | None = None,
        lane_of: Callable[[str], str] = lambda topic: DEFAULT,
    ) -> None:
        """`in_force` returns the policy to ask by, `lane_of` names the lane of a source topic."""
        self._moderator = moderator
        self._in_force = in_force
        self._referer = referer
        self._privacy = privacy or PrivacySettings()
        self._lane_of = lane_of

    async def assess(self, submission: Submission) -> Assessment:
        """Return what every service answered and, where one could not, why. Of `errors.py` only `Lost` escapes."""
        metrics.SUBMISSIONS.inc()
        location = submission.location
        if isinstance(location, NotAskable):
            return Assessment(failure=_not_asked(submission, location))
        image = _Image(Copies(submission.image.sha256_claimed), uploaded_from(location) is not None)
        while True:
            asked = _Asking(image, JudgedBy(self._in_force, submission))
            try:
                await self._ask_all(submission, location, asked)
            except Lost:
                metrics.PAID_IN_VAIN.inc(sum(answer.billed for answer in asked.answers))
                raise
            except PolicyReplaced:
                continue
            return _gathered(submission, asked)

    async def _ask_all(self, submission: Submission, location: ImageLocation, asked: "_Asking") -> None:
        for service in asked.by.wanted.services:
            asked.is_fetched = True
            asked.note(await self._ask(submission, location, service, asked))
            if (upload := uploaded_from(location)) is not None and asked.copies.pictures > 1:
                await self._ask_about_others(submission, upload, service, asked)

    async def _ask(
        self, submission: Submission, location: ImageLocation, service: str, asked: "_Asking", *, paid: bool = False
    ) -> ModerationResult | Failure:
        """What a service answers, or why it does not. `Lost` and `PolicyReplaced` escape."""
        request, call = self._request(submission, location, service, asked), self._context(submission, asked)
        call.paid = paid or bool(asked.answers)
        if asked.answers or asked.failures:
            call.received = None
        try:
            return await self._moderator.ask(request, call)
        except CallFailed as error:
            if isinstance(error, Unreachable | NotFetchable):
                asked.is_fetched = False
            frame = asked.copies.frame(location.nth) if isinstance(location, ByUpload) else None
            return replace(_failure(submission, service, error, call), frame=frame)
        finally:
            asked.ended += 1

    async def _ask_about_others(self, submission: Submission, upload: ByUpload, service: str, asked: "_Asking") -> None:
        """
        Ask about all pictures of the image but the first, a few at once, so that a stop has not long to wait for them.

        All count as paid: another may be, by the time that one waits. Where the image cannot be fetched any more those
        that have not begun are left.
        """
        at_once = asyncio.Semaphore(PICTURES_AT_ONCE)

        async def one(nth: int) -> ModerationResult | Failure | None:
            async with at_once:
                if not asked.is_fetched:
                    return None
                return await self._ask(submission, replace(upload, nth=nth), service, asked, paid=True)

        # Not a TaskGroup: one picture's failure must not cancel calls that are being paid for.
        others = [one(nth) for nth in range(1, asked.copies.pictures)]
        endings = await asyncio.gather(*others, return_exceptions=True)
        for answered in [each for each in endings if not isinstance(each, BaseException)]:
            asked.note(answered)
        results_of(endings)

    def _request(
        self, submission: Submission, location: ImageLocation, service: str, asked: "_Asking"
    ) -> ModerationRequest:
        return ModerationRequest(
            submission=submission.id,
            location=location,
            service=service,
            info=asked.by.wanted.info,
            referer=self._referer,
            privacy=self._privacy,
        )

    def _context(self, submission: Submission, asked: "_Asking") -> CallContext:
        delivery = submission.delivery
        return CallContext(
            partition=delivery.topic_partition,
            offset=delivery.offset,
            epoch=delivery.epoch,
            lane=self._lane_of(delivery.topic),
            tenant=submission.tenant,
            key=delivery.key,
            received=delivery.received,
            copies=asked.copies,
            uploading=asked.image.uploading,
            image=asked,
            judged_by=asked.by,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Image:
    """What stays of an image, however often it is asked about anew."""

    copies: Copies
    is_uploaded: bool  # or may be
    uploading: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True, eq=False)
class _Asking(Unfinished):
    """What was learned of one image by one policy."""

    image: _Image
    by: JudgedBy
    ended: int = 0  # requests
    answers: list[ModerationResult] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    is_fetched: bool = True  # as far as is known

    @property
    def copies(self) -> Copies:
        return self.image.copies

    def calls_left(self, most: int) -> int:
        services = len(self.by.wanted.services)
        pictures = self.copies.most_pictures(most // services) if self.image.is_uploaded else 1
        return services * pictures - self.ended

    def note(self, ending: ModerationResult | Failure | None) -> None:
        """Note how a request ended."""
        if isinstance(ending, ModerationResult):
            self.answers.append(ending)
        elif ending is not None:
            self.failures.append(ending)


def _gathered(submission: Submission, asked: _Asking) -> Assessment:
    answers, failures, copies = asked.answers, asked.failures, asked.copies
    if copies.are_mixed:
        failures.append(Failure(kind=NotFetchable.kind, code="changed"))
    known = copies.known(len(answers))
    return Assessment(
        answers=tuple(answers),
        failure=failures[0] if failures else None,
        later_failures=tuple(failures[1:]),
        sha256=known.sha256 if known else None,
        coverage=_coverage(answers, copies) if answers else None,
        queued=answers[0].sent - submission.delivery.received if answers else None,
        provider=sum(answer.took for answer in answers) if answers else None,
        judge=asked.by.policy,
    )


def _coverage(answers: Sequence[ModerationResult], copies: Copies) -> Coverage:
    """What was looked at by every service that has answered."""
    known = copies.known(len(answers))
    return Coverage(
        seen=min(Counter(answer.service for answer in answers).values()),
        frames=known.frames if known else None,
        scaled=any(copy.scaled for copy in copies.judged),
    )


def _not_asked(submission: Submission, location: NotAskable) -> Failure:
    """No call is made: it would be about another image than the verdict names."""
    log.warning(
        "submission.unjudgeable", submission=submission.id, topic=submission.delivery.topic,
        partition=submission.delivery.partition, offset=submission.delivery.offset,
        kind=InputRefused.kind, code=location.code, attempts=0,
    )  # fmt: skip
    return Failure(kind=InputRefused.kind, code=location.code, attempts=0)


def _failure(submission: Submission, service: str, error: CallFailed, call: CallContext) -> Failure:
    log.warning(
        "submission.unjudgeable", submission=submission.id, topic=submission.delivery.topic,
        partition=submission.delivery.partition, offset=submission.delivery.offset,
        service=service, region=call.region, kind=error.kind, code=error.code, attempts=call.attempt,
        **({"request_id": error.request_id} if error.request_id else {}),
    )  # fmt: skip
    return Failure(
        kind=error.kind,
        code=error.code,
        service=service,
        request_id=error.request_id,
        region=call.region,
        attempts=call.attempt,
        billed_calls=error.units if error.billed == "yes" else 0,
    )
