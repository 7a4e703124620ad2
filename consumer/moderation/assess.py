"""Ask every service of the policy about one image, and gather what they answer."""

from collections.abc import Sequence

import structlog

from consumer.errors import CallFailed
from consumer.moderation import Moderator, Question
from consumer.observability import metrics
from consumer.records import Assessment, Failure, Submission

log = structlog.get_logger()


class Assessing:
    """Turns a submission into an assessment."""

    def __init__(self, moderator: Moderator, services: Sequence[str], info: Sequence[str]) -> None:
        self._moderator = moderator
        self._services = tuple(services)
        self._info = tuple(info)

    async def assess(self, submission: Submission) -> Assessment:
        """Return what every service answered and, where one could not, why. Nothing of `errors.py` escapes."""
        metrics.SUBMISSIONS.inc()
        answers = []
        failure = None
        for service in self._services:
            question = Question(data_id=submission.id, reach=submission.reach, service=service, info=self._info)
            try:
                answers.append(await self._moderator.ask(question))
            except CallFailed as error:
                failure = Failure(
                    kind=error.kind,
                    code=error.code,
                    attempts=error.attempts,
                    billed_calls=1 if error.billed == "yes" else 0,
                )
                log.warning(
                    "submission.unjudgeable", submission=submission.id, topic=submission.delivery.topic,
                    partition=submission.delivery.partition, offset=submission.delivery.offset,
                    service=service, kind=error.kind, code=error.code, attempts=error.attempts,
                )  # fmt: skip
        return Assessment(
            answers=tuple(answers),
            failure=failure,
            queued=answers[0].sent - submission.delivery.received if answers else None,
            provider=sum(answer.took for answer in answers) if answers else None,
        )
