import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
import structlog

from consumer.dispatch.concurrency import ConcurrencyLimit
from consumer.dispatch.flows import Flow
from consumer.dispatch.hosts import Hosts
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import AccountRefused, CallFailed, ImageRefused, InputRefused, ProviderFailed
from consumer.fairness import DEFAULT
from consumer.moderation import CallContext, ModerationRequest
from consumer.moderation.breaker import BreakerLimits, State
from consumer.moderation.paced import Limited
from consumer.moderation.regions import Asked, Guarded, Region, Regions
from consumer.records import ModerationResult
from tests.moderation.requests import answer, context, request
from tests.rig.clock import ManualClock

SERVICE = "baselineCheck_global"
LIMITS = BreakerLimits(provider_failures=3, account_failures=2, probe_interval=1.0, full=4)


class Provider:
    """Answers, or fails as `failing` says, for as long as it is set; notes who was asked when."""

    def __init__(self, clock: ManualClock, failing: Callable[[], CallFailed] | None = None) -> None:
        self.clock = clock
        self.failing = failing
        self.asked: list[tuple[float, str]] = []

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        self.asked.append((self.clock.now(), request.submission))
        await self.clock.sleep(0.1)
        if self.failing:
            raise self.failing()
        return answer(request.service)


class Held(Provider):
    """One whose answers are held back once `held` is there, until it is set."""

    held: asyncio.Event | None = None

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        found = await super().ask(request, call)
        if self.held is not None:
            await self.held.wait()
        return found


class World:
    """Regions that each ask a provider of their own."""

    def __init__(self, *providers: Provider, slots: int = 100) -> None:
        self.clock = providers[0].clock
        self.answered: set[Asked] = set()
        self.slots = ConcurrencyLimit(slots)
        self.all = [
            Region(name, Guarded(provider, name, self.answered, self.clock), LIMITS)
            for name, provider in zip(("first", "second"), providers, strict=False)
        ]
        self.regions = Regions(self.all, self.clock, InterruptibleWaits())
        self.limited = Limited(self.regions, self.slots, defaultdict(Hosts), InterruptibleWaits())

    async def ask(
        self, data_id: str, attempt: int = 1, service: str = SERVICE, call: CallContext | None = None
    ) -> ModerationResult | CallFailed:
        """Ask once, as a retry would."""
        self.call = call or context(attempt=attempt)
        try:
            return await self.limited.ask(replace(request(data_id), service=service), self.call)
        except CallFailed as failure:
            return failure

    async def ask_in_turn(self, count: int, attempt: int = 1) -> None:
        for number in range(count):
            await self.ask(str(number), attempt)

    def state(self, region: int = 0) -> State:
        return self.all[region].breakers[SERVICE].state


async def test_while_the_first_region_is_away_the_second_is_asked_and_the_first_is_probed() -> None:
    """
    The outage costs a few failures; then everything is answered by the second region, but for a probe a second.
    """
    clock = ManualClock()
    first, second = Provider(clock, lambda: ProviderFailed("500")), Provider(clock)
    world = World(first, second)

    await clock.run(world.ask_in_turn(53))

    assert len(second.asked) == 53 - len(first.asked)
    probes = [moment for moment, _ in first.asked[LIMITS.provider_failures :]]
    assert len(probes) == 4  # in the five seconds of the answers
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(probes))


async def test_the_first_region_is_asked_again_once_it_is_back() -> None:
    """
    A probe finds out, and the first region has all the requests soon after.
    """
    clock = ManualClock()
    first, second = Provider(clock, lambda: ProviderFailed("500")), Provider(clock)
    world = World(first, second)
    await clock.run(world.ask_in_turn(20))

    first.failing = None
    await clock.run(world.ask_in_turn(20))
    first.asked.clear()
    second.asked.clear()
    await clock.run(world.ask_in_turn(20))

    assert (len(first.asked), len(second.asked)) == (20, 0)
    assert world.regions.reasons_not_ready() == []


async def test_a_question_that_the_first_region_failed_twice_goes_to_the_second() -> None:
    """
    One image that a region cannot do is tried elsewhere, while the region goes on with the others.
    """
    clock = ManualClock()
    first, second = Provider(clock, lambda: ProviderFailed("500")), Provider(clock)
    world, call = World(first, second), context()

    for _ in range(3):
        await clock.run(world.ask("image", call=call))

    assert (len(first.asked), len(second.asked)) == (2, 1)
    assert world.state() is State.CLOSED


async def test_what_the_account_is_refused_is_not_tried_elsewhere() -> None:
    """
    The account is the same in every region: everything waits, and the reason is told.
    """
    clock = ManualClock()
    first, second = Provider(clock, lambda: AccountRefused("408")), Provider(clock)
    world = World(first, second)
    await clock.run(world.ask_in_turn(2))
    waiting = [asyncio.ensure_future(world.ask(str(number))) for number in range(10)]

    await clock.run(clock.sleep(5.0))
    reasons = world.regions.reasons_not_ready()
    first.failing = None
    await clock.run(asyncio.wait(waiting))

    assert second.asked == []
    assert 2 + 4 <= len([moment for moment, _ in first.asked if moment < 1005.2]) <= 2 + 6
    assert reasons == ["provider: baselineCheck_global in first is not asked: account 408 for 5 s; one probe a second"]


async def test_probes_ask_about_a_different_image_each_time() -> None:
    """
    An image that is itself at fault cannot keep the service from finding out that the others would be answered.
    """
    clock = ManualClock()
    provider = Provider(clock, lambda: AccountRefused("408"))
    world = World(provider)
    await clock.run(world.ask_in_turn(2))
    provider.asked.clear()

    asked = [asyncio.ensure_future(world.ask(f"image-{number}")) for number in range(4)]
    await clock.run(asyncio.wait(asked))

    assert [data_id for _, data_id in provider.asked] == ["image-0", "image-1", "image-2", "image-3"]


async def test_a_call_that_waits_for_its_slot_does_not_depart_into_an_outage() -> None:
    """
    What was let in before the breaker opened turns back at the last moment, and waits with the others.
    """
    clock = ManualClock()
    provider = Provider(clock, lambda: ProviderFailed("500"))
    world = World(provider, slots=1)

    asked = [asyncio.ensure_future(world.ask(str(number))) for number in range(10)]
    await clock.run(clock.sleep(0.95))
    departed = len(provider.asked)
    provider.failing = None
    await clock.run(asyncio.wait(asked))

    assert departed == LIMITS.provider_failures
    assert sum(isinstance(each.result(), ModerationResult) for each in asked) == 10 - LIMITS.provider_failures


async def test_a_cancelled_question_gives_its_permit_back() -> None:
    """
    The probe that was cancelled while it waited for a slot does not stop the probing.
    """
    clock = ManualClock()
    provider = Provider(clock, lambda: AccountRefused("408"))
    world = World(provider, slots=1)
    await clock.run(world.ask_in_turn(2))
    probe = asyncio.ensure_future(world.ask("probe"))
    await clock.run(clock.sleep(0.1))
    async with world.slots.slot(DEFAULT, Flow()):
        await clock.run(clock.sleep(1.5))

        probe.cancel()
    provider.failing = None

    assert isinstance(await clock.run(world.ask("next")), ModerationResult)


async def test_a_region_is_chosen_once_there_is_a_slot_for_the_call() -> None:
    """
    Many wait for their slots while a region goes and comes back: they ask whichever is there when they have one.
    """
    clock = ManualClock()
    first, second = Provider(clock, lambda: ProviderFailed("500")), Provider(clock)
    world = World(first, second, slots=2)
    asked = [asyncio.ensure_future(world.ask(str(number))) for number in range(100)]
    await clock.run(clock.sleep(1.5))
    first.failing = None

    await clock.run(asyncio.wait(asked))

    assert 20 <= len(second.asked) <= 60
    assert max(moment for moment, _ in second.asked) < 1_003.0
    assert len(first.asked) + len(second.asked) == 100
    assert clock.now() == pytest.approx(1_005.0, abs=0.3)


async def test_who_waits_for_a_permit_holds_no_slot() -> None:
    """
    One service's outage is none of another's: its calls have the slots meanwhile, and who waits has one again later.
    """
    clock = ManualClock()
    provider = Provider(clock, lambda: AccountRefused("408"))
    world = World(provider, slots=1)
    await clock.run(world.ask_in_turn(2))
    waiting = [asyncio.ensure_future(world.ask(str(number))) for number in range(3)]
    await clock.run(clock.sleep(0.1))
    held, provider.failing = world.slots.held, None

    others = await clock.run(asyncio.gather(*(world.ask(str(number), service="another") for number in range(3))))

    assert held == 0
    assert clock.now() < 1_001.0
    assert all(isinstance(each, ModerationResult) for each in [*others, *await clock.run(asyncio.gather(*waiting))])
    assert world.slots.held == 0


async def test_there_is_room_for_more_while_nobody_waits() -> None:
    """
    In an outage one request waits to probe, and no more need to be begun.
    """
    clock = ManualClock()
    provider = Provider(clock, lambda: AccountRefused("408"))
    world = World(provider)
    await clock.run(world.ask_in_turn(2))
    await clock.run(world.regions.wait_for_capacity())
    waiting = asyncio.ensure_future(world.ask("probe"))
    room = asyncio.ensure_future(world.regions.wait_for_capacity())
    await clock.run(clock.sleep(0.5))

    room_while_waiting = room.done()
    provider.failing = None
    await clock.run(asyncio.wait([waiting, room]))

    assert not room_while_waiting


async def test_an_input_that_was_never_accepted_is_our_configuration() -> None:
    """
    Until the first answer a refused input counts as the account's; after it, as the image's.
    """
    clock = ManualClock()
    provider = Provider(clock, lambda: InputRefused("401"))
    world = World(provider)

    before = await clock.run(world.ask("a"))
    provider.failing = None
    await clock.run(world.ask("b"))
    provider.failing = lambda: InputRefused("401")
    after = await clock.run(world.ask("c"))

    assert isinstance(before, AccountRefused)
    assert isinstance(after, InputRefused)
    assert world.call.region == "first"


@pytest.mark.parametrize("refusal", [ImageRefused("407"), InputRefused("402")])
async def test_refused_images_prove_that_the_provider_is_there(refusal: CallFailed) -> None:
    """
    However many images are refused for their own sake, the breaker stays closed.
    """
    clock = ManualClock()
    provider = Provider(clock)
    world = World(provider)
    await clock.run(world.ask("good"))
    provider.failing = lambda: type(refusal)(refusal.code)

    await clock.run(world.ask_in_turn(50))

    assert world.state() is State.CLOSED


async def test_after_an_outage_a_quiet_replica_is_ready_with_its_first_answer() -> None:
    """
    Coming back with nobody waiting holds nothing back: not 60 more images, nor one, are needed.
    """
    clock = ManualClock()
    provider = Provider(clock, lambda: ProviderFailed("500"))
    world = World(provider)
    await clock.run(world.ask_in_turn(LIMITS.provider_failures))
    waiting = asyncio.ensure_future(world.ask("waits"))
    await clock.run(clock.sleep(0.8))
    away = world.regions.reasons_not_ready()

    provider.failing = None
    await clock.run(waiting)

    assert away == [f"provider: {SERVICE} in first is not asked: provider 500 for 1 s; one probe a second"]
    assert world.state() is State.RAMPING
    assert world.regions.reasons_not_ready() == []


async def test_while_questions_wait_for_a_region_that_is_coming_back_it_says_so() -> None:
    """
    Then it is asked, and by how many calls at once; ready is who has let all of them through.
    """
    clock = ManualClock()
    provider = Provider(clock, lambda: AccountRefused("408"))
    world = World(provider)
    await clock.run(world.ask_in_turn(LIMITS.account_failures))
    provider.failing = None
    waiting = [asyncio.ensure_future(world.ask(str(number))) for number in range(30)]

    await clock.run(clock.sleep(1.15))
    coming_back = world.regions.reasons_not_ready()
    await clock.run(asyncio.wait(waiting))

    assert coming_back == [
        f"provider: {SERVICE} in first gets at most 2 calls at a time after account 408, as it recovers"
    ]
    assert world.regions.reasons_not_ready() == []


@pytest.mark.parametrize("turns", range(8))
async def test_a_call_that_comes_back_while_another_begins_to_wait_is_not_missed(turns: int) -> None:
    """
    As a region comes back only so many calls are out at once. When the last of them comes back in the turn of the event
    loop in which a request begins to wait, or any turn around it, that request is asked: no other call would wake it.
    """
    clock = ManualClock()
    provider = Held(clock, lambda: ProviderFailed("500"))
    world = World(provider)
    await clock.run(world.ask_in_turn(LIMITS.provider_failures))
    provider.failing = None
    await clock.run(world.ask("probe"))
    assert world.state() is State.RAMPING

    provider.held = asyncio.Event()
    out = [asyncio.ensure_future(world.ask(str(number))) for number in range(2)]
    await clock.run(clock.sleep(1.0))
    waiting = asyncio.ensure_future(world.ask("waits"))
    for _ in range(turns):
        await asyncio.sleep(0)
    provider.held.set()

    await clock.run(asyncio.wait([*out, waiting]))


async def test_a_region_that_nobody_asks_is_said_to_wait_for_the_next_image() -> None:
    """
    With nobody to ask about there are no probes, whatever the interval.
    """
    clock = ManualClock()
    world = World(Provider(clock, lambda: AccountRefused("408")))

    await clock.run(world.ask_in_turn(LIMITS.account_failures))

    [reason] = world.regions.reasons_not_ready()
    assert reason.endswith("is not asked: account 408 for 0 s; the next image will be the probe")


async def test_a_region_that_comes_back_while_the_other_stands_in_holds_nothing_back() -> None:
    """
    Who may ask the second region does not wait for the first.
    """
    clock = ManualClock()
    first, second = Provider(clock, lambda: ProviderFailed("500")), Provider(clock)
    world = World(first, second)
    await clock.run(world.ask_in_turn(20))
    away = world.regions.reasons_not_ready()

    first.failing = None
    while world.state() is State.OPEN:
        await clock.run(world.ask("next"))

    assert len(away) == 1
    assert world.state() is State.RAMPING
    assert world.regions.reasons_not_ready() == []


async def test_a_line_is_logged_when_a_breaker_opens_and_when_it_closes_again() -> None:
    """
    With region, service and cause, and how long it took; none for each probe that fails meanwhile.
    """
    clock = ManualClock()
    provider = Provider(clock, lambda: ProviderFailed("500"))
    world = World(provider)

    with structlog.testing.capture_logs() as logs:
        asking = asyncio.ensure_future(world.ask_in_turn(10))
        mending = asyncio.ensure_future(clock.sleep(5.0))
        mending.add_done_callback(lambda _: setattr(provider, "failing", None))
        await clock.run(asyncio.wait([asking, mending]))
        await clock.run(world.ask_in_turn(5))

    about = {"region": "first", "service": SERVICE}
    told = [line for line in logs if line["event"].startswith("breaker.")]
    assert [line["event"] for line in told] == ["breaker.opened", "breaker.ramping", "breaker.closed"]
    assert [about.items() <= line.items() for line in told] == [True] * 3
    assert (told[0]["kind"], told[0]["code"], told[0]["log_level"]) == ("provider", "500", "warning")
    assert 4.0 < told[1]["seconds"] <= told[2]["seconds"]


async def test_images_that_always_fail_do_not_take_every_probe() -> None:
    """
    They open the breaker where they come in a row, and come back for as long as no other image is answered. So another
    one may begin beside them, has its turn within a probe of each, and ends the outage.
    """
    clock = ManualClock()
    provider = Provider(clock, lambda: ProviderFailed("500"))
    world = World(provider)
    await clock.run(world.ask_in_turn(LIMITS.provider_failures))
    assert world.state() is State.OPEN

    async def come_back(name: str) -> None:
        attempt = 1
        while True:
            attempt += 1
            await world.ask(name, attempt)

    poison = [asyncio.ensure_future(come_back(f"poison-{n}")) for n in range(5)]
    await clock.run(clock.sleep(10.0))
    began = clock.now()
    may_begin = world.regions.has_capacity()
    fresh = asyncio.ensure_future(world.ask("fresh"))
    await clock.run(clock.sleep(0.0))
    may_another_begin = world.regions.has_capacity()
    while not any(name == "fresh" for _, name in provider.asked):
        await clock.run(clock.sleep(0.05))
    provider.failing = None
    asked_after = clock.now() - began
    for each in poison:
        each.cancel()
    await clock.run(fresh)

    assert (may_begin, may_another_begin) == (True, False)
    assert asked_after <= (len(poison) + 1) * LIMITS.probe_interval + 0.1
