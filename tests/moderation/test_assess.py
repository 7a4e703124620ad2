from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from consumer.config.privacy import PrivacySettings
from consumer.errors import CallFailed, ImageRefused, Malformed, ProviderFailed
from consumer.locations import ByUrl, NotAskable
from consumer.moderation import CallContext, ModerationRequest
from consumer.moderation.assess import Assessing
from consumer.policy.in_force import InForce, ReadyPolicy
from consumer.records import Assessment, Failure, Label, ModerationResult
from tests.rig.events import submission
from tests.rig.ready_policies import asking, policy

BASELINE, AIGC, OTHER = "baselineCheck_global", "aigcDetector_global", "another"


class ServiceModerator:
    """Answers for some services and fails for others; keeps what it was asked."""

    def __init__(self, failures: Mapping[str, Callable[[CallContext], CallFailed]] | None = None) -> None:
        self._failures = failures or {}
        self.asked: list[ModerationRequest] = []
        self.calls: list[CallContext] = []

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        self.asked.append(request)
        self.calls.append(replace(call))
        if request.service in self._failures:
            raise self._failures[request.service](call)
        return ModerationResult(
            service=request.service, request_id="R", risk_level="none", labels=(Label("nonLabel"),),
            sent=1_763_632_801.25, took=0.5, attempts=2,
        )  # fmt: skip


def failing(
    kind: type[CallFailed], code: str, *, attempts: int = 1, region: str = "ap-southeast-1"
) -> Callable[[CallContext], CallFailed]:
    """A failure, once the layers in between have noted in the call how they fared."""

    def failed(call: CallContext) -> CallFailed:
        call.attempt, call.region = attempts, region
        return kind(code, billed="yes" if kind is Malformed else "no")

    return failed


async def test_every_service_is_asked_about_the_image() -> None:
    """
    One request a service: the submission's id, its image, and what the configuration wants to know and to send.
    """
    privacy = PrivacySettings(recognised_text="hash")
    moderator = ServiceModerator()
    assessing = Assessing(
        moderator, asking(BASELINE, AIGC, info=("customImage",)), referer="www.example.com", privacy=privacy
    )

    assessment = await assessing.assess(submission())

    asked = ModerationRequest(
        submission=submission().id, location=ByUrl("https://img.example.com/1.jpg?token=secret"), service=BASELINE,
        info=("customImage",), referer="www.example.com", privacy=privacy,
    )  # fmt: skip
    assert moderator.asked[0] == asked
    first, second = moderator.calls
    assert (first.partition, first.received) == (submission().delivery.topic_partition, submission().delivery.received)
    assert second.received is None  # an image waits for its first call only
    assert [request.service for request in moderator.asked] == [BASELINE, AIGC]
    assert [answer.service for answer in assessment.answers] == [BASELINE, AIGC]
    assert (assessment.failures, assessment.attempts, assessment.billed_calls) == ((), 4, 2)


async def test_what_is_asked_is_what_the_policy_asks_for_the_submission() -> None:
    """
    Of each tenant and purpose its own services and information.
    """
    overlay = {"when": {"tenant": ["shop"]}, "services": [AIGC], "info": ["logoData"]}
    by_tenant = InForce(ReadyPolicy(policy(services=[BASELINE, AIGC], overlays=[overlay])))
    moderator = ServiceModerator()
    assessing = Assessing(moderator, by_tenant.ready)

    for tenant in ("shop", "other"):
        await assessing.assess(replace(submission(), tenant=tenant))

    assert [(each.service, each.info) for each in moderator.asked] == [
        (AIGC, ("logoData",)), (BASELINE, ()), (AIGC, ()),
    ]  # fmt: skip


async def test_questions_use_the_part_of_the_quota_that_their_topic_is_in() -> None:
    """
    The lane follows from the topic that the event was read from.
    """
    moderator = ServiceModerator()

    await Assessing(moderator, asking(BASELINE), lane_of={"uploads": "live"}.__getitem__).assess(submission())

    assert [call.lane for call in moderator.calls] == ["live"]


async def test_the_time_of_an_image_is_told() -> None:
    """
    It queued from the reading of its event to the departure of the call that was answered; calls add up.
    """
    assessment = await Assessing(ServiceModerator(), asking(BASELINE, AIGC)).assess(submission())

    assert (assessment.queued, assessment.provider) == (0.25, 1.0)


async def test_a_service_that_fails_does_not_spare_the_others() -> None:
    """
    What another service answers still counts; the failure is told with kind, code, region and calls.
    """
    moderator = ServiceModerator({BASELINE: failing(ImageRefused, "407", attempts=3, region="eu-west-1")})

    assessment = await Assessing(moderator, asking(BASELINE, AIGC)).assess(submission())

    assert [answer.service for answer in assessment.answers] == [AIGC]
    assert assessment.failures == (Failure(kind="image", code="407", service=BASELINE, region="eu-west-1", attempts=3),)
    assert assessment.attempts == 5


@pytest.mark.parametrize("code", ["version_not_askable", "version_missing"])
async def test_an_image_that_cannot_be_asked_for_is_not_asked_about(code: str) -> None:
    """
    No call is made for it and none is billed, and it is not taken for another image: it has an error of class `input`.
    """
    moderator = ServiceModerator()
    asked = replace(submission(), location=NotAskable(code))

    assessment = await Assessing(moderator, asking(BASELINE, AIGC)).assess(asked)

    assert moderator.asked == []
    assert assessment == Assessment(failure=Failure(kind="input", code=code, attempts=0))
    assert (assessment.attempts, assessment.billed_calls) == (0, 0)


async def test_no_failure_hides_another() -> None:
    """
    Where several services fail, each failure is kept, and so are its calls and its bill.
    """
    moderator = ServiceModerator(
        {
            BASELINE: failing(Malformed, "Result", attempts=2),
            AIGC: failing(ImageRefused, "407"),
            OTHER: failing(ProviderFailed, "500", attempts=8),
        }
    )

    assessment = await Assessing(moderator, asking(BASELINE, AIGC, OTHER)).assess(submission())

    assert [failure.kind for failure in assessment.failures] == ["malformed", "image", "provider"]
    assert (assessment.attempts, assessment.billed_calls) == (11, 1)
    assert (assessment.queued, assessment.provider) == (None, None)
