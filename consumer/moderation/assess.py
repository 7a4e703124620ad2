"""Ask every service of the policy about one image, and gather what they answer."""

from collections.abc import Callable, Sequence

import structlog

from consumer.config.privacy import PrivacySettings
from consumer.errors import CallFailed, InputRefused, Lost
from consumer.fairness import DEFAULT
from consumer.moderation import CallContext, ModerationRequest, Moderator
from consumer.moderation.copies import Copies
from consumer.observability import metrics
from consumer.records import Assessment, Coverage, Failure, ImageLocation, ModerationResult, NotAskable, Submission

log = structlog.get_logger()


class Assessing:
    """Turns a submission into an assessment."""

    def __init__(
        self,
        moderator: Moderator,
        services: Sequence[str],
        info: Sequence[str],
        *,
        referer: str | None = None,
        privacy: PrivacySettings | None = None,
        lane_of: Callable[[str], str] = lambda topic: DEFAULT,
    ) -> None:
        """`lane_of` names the lane of a source topic."""
        self._moderator = moderator
        self._services = tuple(services)
        self._info = tuple(info)
        self._referer = referer
        self._privacy = privacy or PrivacySettings()
        self._lane_of = lane_of

    async def assess(self, submission: Submission) -> Assessment:
        """Return what every service answered and, where one could not, why. Of `errors.py` only `Lost` escapes."""
        metrics.SUBMISSIONS.inc()
        location = submission.location
        if isinstance(location, NotAskable):
            return Assessment(failure=_not_asked(submission, location))
        answers: list[ModerationResult] = []
        failures: list[Failure] = []
        copies = Copies(submission.image.sha256_claimed)
        for service in self._services:
            request, call = self._request(submission, location, service), self._context(submission, copies)
            if answers or failures:
                call.received, call.paid = None, bool(answers)
            try:
                answers.append(await self._moderator.ask(request, call))
            except Lost:
                metrics.PAID_IN_VAIN.inc(len(answers))
                raise
            except CallFailed as error:
                failures.append(_failure(submission, service, error, call))
        known = copies.known(len(answers))
        return Assessment(
            answers=tuple(answers),
            failure=failures[0] if failures else None,
            later_failures=tuple(failures[1:]),
            sha256=known.sha256 if known else None,
            coverage=Coverage(frames=known.frames if known else None) if answers else None,
            queued=answers[0].sent - submission.delivery.received if answers else None,
            provider=sum(answer.took for answer in answers) if answers else None,
        )

    def _request(self, submission: Submission, location: ImageLocation, service: str) -> ModerationRequest:
        return ModerationRequest(
            submission=submission.id,
            location=location,
            service=service,
            info=self._info,
            referer=self._referer,
            privacy=self._privacy,
        )

    def _context(self, submission: Submission, copies: Copies) -> CallContext:
        delivery = submission.delivery
        return CallContext(
            partition=delivery.topic_partition,
            offset=delivery.offset,
            epoch=delivery.epoch,
            lane=self._lane_of(delivery.topic),
            tenant=submission.tenant,
            received=delivery.received,
            copies=copies,
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
        billed_calls=1 if error.billed == "yes" else 0,
    )
