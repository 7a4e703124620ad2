"""An image is asked and decided by the policy in force when its first call departs, whatever happens after that."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest

from consumer.dispatch.gate import Gate
from consumer.dispatch.in_flight import InFlight
from consumer.dispatch.pace import Pace
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import ImageRefused, ProviderFailed
from consumer.moderation import CallContext, ModerationRequest
from consumer.moderation.assess import Assessing
from consumer.moderation.breaker import BreakerLimits
from consumer.moderation.paced import Paced
from consumer.moderation.regions import Guarded, Region, Regions
from consumer.moderation.retries import Retrying, RetryPolicy
from consumer.policy.in_force import InForce, ReadyPolicy
from consumer.records import Assessment, ModerationResult, Submission
from tests.moderation.requests import GivenShares, answer
from tests.rig.clock import ManualClock
from tests.rig.events import delivery, submission
from tests.rig.ready_policies import policy

QUOTA = 20  # calls a second
POLICIES = [
    ReadyPolicy(policy(version, services=services, info=info))
    for version, (services, info) in enumerate(
        [(["a"], []), (["a"], []), (["a", "b"], []), (["b"], []), (["b"], ["customImage"]), (["c", "a", "b"], [])]
    )
]


class Departed(NamedTuple):
    """A call whose bytes went out, and the policy in force then."""

    image: str
    service: str
    info: tuple[str, ...]
    in_force: ReadyPolicy


@dataclass
class Provider:
    """Notes every call in its last moment before bytes go out, a while after it got its turn; some of them fail."""

    in_force: InForce
    clock: ManualClock
    dice: random.Random
    failing: float = 0.0  # share of calls that fail, and are tried again
    refusing: float = 0.0  # share of images that are refused before anything is sent
    departed: list[Departed] = field(default_factory=list)

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        await self.clock.sleep(self.dice.uniform(0.0, 0.2))  # a connection is opened
        if random.Random(request.submission).random() < self.refusing:
            raise ImageRefused("too_small")
        assert call.before_sending
        call.before_sending()
        self.departed.append(Departed(request.submission, request.service, request.info, self.in_force.ready()))
        assert call.after_sending
        call.after_sending()
        await self.clock.sleep(self.dice.uniform(0.05, 0.6))
        if self.dice.random() < self.failing:
            raise ProviderFailed("500")
        return answer(request.service)


@dataclass
class World:
    """The layers that wait, retry and pace around such a provider, on a clock of the test's own."""

    seed: int = 0
    failing: float = 0.0
    refusing: float = 0.0
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        clock, waits = self.clock, InterruptibleWaits()
        self.dice = random.Random(self.seed)
        self.in_force = InForce(POLICIES[0])
        self.provider = Provider(self.in_force, clock, self.dice, self.failing, self.refusing)
        pace, self.shares = Pace(0, jitter=0.0, burst=0.0), GivenShares({"default": QUOTA})
        gate = Gate(pace, self.shares, clock, waits)
        paced = Paced(Guarded(self.provider, "r", set(), clock), gate, pace, InFlight(clock), lambda *_: True, clock)
        regions = Regions([Region("r", paced, BreakerLimits(full=64))], clock, waits)
        retries = RetryPolicy(first_delay=0.5, max_delay=2.0, fetch_attempts=3, attempts=9, others_answered=9)
        self.assessing = Assessing(Retrying(regions, retries, clock, waits, self.dice), self.in_force.ready)

    async def judged(self, count: int, *swaps: tuple[float, ReadyPolicy]) -> list[tuple[Submission, Assessment]]:
        """Assess so many images at once, and swap policies meanwhile, each so many seconds after the one before."""
        images = [submission(delivery(offset=nth)) for nth in range(count)]

        async def swap() -> None:
            for seconds, ready in swaps:
                await self.clock.sleep(seconds)
                self.in_force.replace(ready)
                self.shares.give(default=QUOTA)  # a lease ends, too: grants under it are revoked

        swapping = asyncio.ensure_future(swap())
        assessments = await self.clock.run(asyncio.gather(*(self.assessing.assess(each) for each in images)))
        await self.clock.run(swapping)
        return list(zip(images, assessments, strict=True))


def by_image(departed: Sequence[Departed]) -> dict[str, list[Departed]]:
    calls: dict[str, list[Departed]] = defaultdict(list)
    for each in departed:
        calls[each.image].append(each)
    return calls


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_swapped_when_an_image_has_one_policy(seed: int) -> None:
    """
    With policies that ask for other services and information, calls that fail and are tried again, leases that end and
    images that are refused unsent: every call of an image is what the policy asks for that was in force when its first
    one departed, each of its services answers once, and that policy is handed on to decide. Where no call departed none
    is.
    """
    world = World(seed, failing=0.2, refusing=0.1)
    swaps = [(world.dice.uniform(0.05, 0.4), world.dice.choice(POLICIES)) for _ in range(14)]

    judged = await world.judged(60, *swaps)

    calls, policies = by_image(world.provider.departed), set()
    for image, assessment in judged:
        if image.id not in calls:
            assert assessment.judge is None
            assert {each.code for each in assessment.failures} == {"too_small"}
            continue
        first = calls[image.id][0].in_force
        services, info = first.asked(image)
        assert assessment.judge is first
        assert {each.service for each in calls[image.id]} == set(services)
        assert {each.info for each in calls[image.id]} == {info}
        assert tuple(each.service for each in assessment.answers) == services
        policies.add(first)
    assert len(policies) >= 3


async def test_a_policy_that_asks_for_the_same_is_followed_without_asking_anew() -> None:
    """
    Images that wait at the gate keep their turns; the ones that departed before the swap are decided by the old one.
    """
    world = World()

    judged = await world.judged(40, (1.0, POLICIES[1]))

    order = [each.image for each in world.provider.departed]
    judges = {str(image.id): assessment.judge for image, assessment in judged}
    assert len(order) == len(set(order)) == 40
    followed = [judges[image] is POLICIES[1] for image in order]
    assert followed == sorted(followed)
    assert 10 < sum(followed) < 35


async def test_a_policy_that_asks_otherwise_costs_no_moment_of_the_pace() -> None:
    """
    Of the images that wait at the gate none uses up the moment of a call that it does not make.
    """
    world = World()
    began = world.clock.time

    await world.judged(100, (1.0, POLICIES[3]))

    assert {each.service for each in world.provider.departed[-50:]} == {"b"}
    assert world.clock.time - began < 100 / QUOTA + 1.5


async def test_without_a_call_the_policy_in_force_decides() -> None:
    """
    Of an image that could not be asked about, at the moment at which that is decided.
    """
    in_force = InForce(POLICIES[0])
    unasked, asked = Assessment(), Assessment(judge=POLICIES[0])

    in_force.replace(POLICIES[2])

    assert in_force.decide(submission(), unasked, 0.0).policy == POLICIES[2].name
    assert in_force.decide(submission(), asked, 0.0).policy == POLICIES[0].name
    assert in_force.fall_back(submission(), asked, None, 0.0).policy == POLICIES[0].name
