"""Images of origins that fail: what waits for them, what goes on meanwhile, and whose fault it is in the end."""

import asyncio

import pytest

from consumer.errors import AccountRefused, CallFailed, ProviderFailed, StoreAway, StoreBusy, Unreachable
from consumer.images.errors import NotFetched
from consumer.images.held import Room
from consumer.locations import ByUpload, ByUrl, StoredObject
from consumer.moderation.breaker import State
from consumer.moderation.copies import Copies
from consumer.moderation.origins import AT_ONCE
from consumer.moderation.retries import BUSY_ATTEMPTS
from consumer.records import ModerationResult
from tests.moderation.requests import context
from tests.moderation.test_uploaded import AWAY, IMAGE, POLICY, REFUSED, URL, World, of_bucket

FETCHES = 8
SERVICE = "baselineCheck_global"
TIMEOUT = 10.0  # seconds after which a fetch from a store that hangs ends
BUSY = NotFetched("http_503", again=True, throttled=True)


class Hanging(World):
    """Buckets of the store `hanging` answer nothing while it hangs; others give an image after a second."""

    def __init__(self) -> None:
        super().__init__(fetches=FETCHES)
        self.hangs = True
        self.trying = self.most_trying = 0
        self._fetch = self.origin.fetch
        self.origin.fetch = self.fetch  # type: ignore[method-assign]

    async def fetch(self, source: str | StoredObject, room: Room) -> bytes:
        if not (isinstance(source, StoredObject) and source.store == "hanging" and self.hangs):
            return await self._fetch(source, room)
        self.trying += 1
        self.most_trying = max(self.most_trying, self.trying)
        try:
            await self.clock.sleep(TIMEOUT)
        finally:
            self.trying -= 1
        raise NotFetched("timeout", again=True)

    def begin(self, count: int) -> list[asyncio.Future[ModerationResult | CallFailed]]:
        """Ask about images of the store that hangs."""
        sources = (StoredObject("hanging", "photos", f"{number}.png") for number in range(count))
        return [asyncio.ensure_future(self.ask(ByUpload(source))) for source in sources]


async def test_a_store_that_hangs_takes_no_slots_from_others() -> None:
    """
    Once its first images have met it: objects of other stores, images of hosts and those that the provider fetches are
    judged as fast as ever, and messages begin. When it is back all of its images are judged.
    """
    world = Hanging()
    waiting = world.begin(12 * FETCHES)
    await world.clock.run(world.clock.sleep(TIMEOUT + 1.0))
    world.most_trying = 0

    for number in range(10):
        for other in (of_bucket(f"{number}.png"), ByUpload(f"{URL}?{number}"), ByUrl(f"{URL}?{number}")):
            began = world.clock.now()
            assert isinstance(await world.clock.run(world.ask(other)), ModerationResult)
            assert world.clock.now() - began < 1.2  # a second for the image, a tenth for the call
        await world.clock.run(world.clock.sleep(10.0))
        assert world.fetches.has_capacity()
        assert world.regions.has_capacity()

    assert world.most_trying == AT_ONCE
    assert not any(each.done() for each in waiting)
    world.hangs = False
    assert all(isinstance(each, ModerationResult) for each in await world.clock.run(asyncio.gather(*waiting)))


async def test_a_store_that_is_back_is_asked_by_more_and_more() -> None:
    """
    Each image that it gives lets one more try than before; soon it has all the slots.
    """
    world = Hanging()
    waiting = world.begin(15 * FETCHES)
    await world.clock.run(world.clock.sleep(100.0))
    world.hangs = False
    began = world.clock.now()

    await world.clock.run(asyncio.gather(*waiting))

    assert world.clock.now() - began < TIMEOUT + 15 + 7  # those that hang; at full speed; and until it is reached


async def test_images_that_wait_for_their_turn_hold_no_permit_of_the_temporary_store() -> None:
    """
    While that recovers it gives few: others' images have them.
    """
    world = Hanging()
    waiting = world.begin(3 * FETCHES)
    await world.clock.run(world.clock.sleep(TIMEOUT + 1.0))

    assert sum(region.breakers["temporary store"]._permits for region in world.all) <= AT_ONCE
    assert world.limit.held == 0
    for each in waiting:
        each.cancel()


async def test_a_stop_lets_go_of_images_that_wait_for_their_turn() -> None:
    """
    They have cost nothing.
    """
    world = Hanging()
    waiting = world.begin(3 * FETCHES)
    await world.clock.run(world.clock.sleep(TIMEOUT + 1.0))
    origin = world.origins.of(StoredObject("hanging", "photos", "a"))[0]
    assert origin.waiting == 3 * FETCHES - AT_ONCE

    world.waits.close()

    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in ended)
    assert (origin.waiting, origin._turns, origin.in_flight) == (0, 0, 0)


async def test_an_image_that_is_paid_for_has_its_turn_first() -> None:
    """
    What another service has judged is published the sooner.
    """
    world = Hanging()
    waiting = world.begin(3 * FETCHES)
    await world.clock.run(world.clock.sleep(TIMEOUT + 1.0))
    paid = asyncio.ensure_future(world.ask(ByUpload(StoredObject("hanging", "photos", "paid")), context(paid=True)))
    world.hangs = False

    await world.clock.run(paid)

    assert sum(each.done() for each in waiting) <= FETCHES
    await world.clock.run(asyncio.gather(*waiting))


async def test_a_proxy_that_is_away_takes_no_slots_from_what_needs_none() -> None:
    """
    Its images wait like those of a bucket: few of them try.
    """
    world = World(fetches=FETCHES)
    world.origin.proxy = "proxy:3128"
    urls = [f"{URL}?{number}" for number in range(10 * FETCHES)]
    world.origin.images.update(dict.fromkeys(urls, NotFetched("proxy", again=True)))
    waiting = [asyncio.ensure_future(world.ask(ByUpload(url))) for url in urls]
    await world.clock.run(world.clock.sleep(30.0))
    world.origin.fetched.clear()
    await world.clock.run(world.clock.sleep(10.0))

    assert 10 <= len(world.origin.fetched) <= (10 + 1) * AT_ONCE  # each takes a second
    assert not any(each.done() for each in waiting)
    world.origin.images.clear()
    assert all(isinstance(each, ModerationResult) for each in await world.clock.run(asyncio.gather(*waiting)))


async def test_a_proxy_that_lets_nothing_through_is_named() -> None:
    """
    After five seconds, until an image or a host's word comes through it. One host that it cannot reach is no outage.
    """
    world, told = World(), list[list[str]]()
    world.origin.proxy = "proxy:3128"
    world.origin.images[URL] = NotFetched("proxy", again=True)
    waiting = asyncio.ensure_future(world.ask())
    for seconds in (4.0, 3.0):
        await world.clock.run(world.clock.sleep(seconds))
        told.append(world.origins.reasons_not_ready())
    world.origin.images[URL] = NotFetched("proxy", again=True, answered=True)
    world.origin.images[f"{URL}?2"] = NotFetched("not_found", answered=True)
    await world.clock.run(world.ask(ByUpload(f"{URL}?2")))
    await world.clock.run(world.clock.sleep(10.0))
    told.append(world.origins.reasons_not_ready())
    waiting.cancel()

    assert told == [[], ["images: images.proxy, which is proxy:3128, lets nothing through for 6 s"], []]


async def test_a_store_behind_a_proxy_that_is_away_waits_for_the_proxy() -> None:
    """
    Which is named, once; what the store gives itself its own watch tells.
    """
    world = World()
    world.origin.proxy = "proxy:3128"
    stored = of_bucket("a.png")
    world.origin.images[str(stored.source)] = NotFetched("proxy", again=True)
    waiting = asyncio.ensure_future(world.ask(stored))
    await world.clock.run(world.clock.sleep(10.0))
    waiting.cancel()

    assert world.origins.reasons_not_ready() == [
        "images: images.proxy, which is proxy:3128, lets nothing through for 9 s"
    ]


@pytest.mark.parametrize(
    "said", [NotFetched("dns"), NotFetched("address_refused"), NotFetched("changed"), NotFetched("url")]
)
async def test_what_was_not_asked_for_says_nothing_of_its_origin(said: NotFetched) -> None:
    """
    A proxy, or a bucket, that is away is not there because other images were refused before anything was asked.
    """
    world = World()
    world.origin.proxy = "proxy:3128"
    world.origin.images[URL] = NotFetched("proxy", again=True)
    stored = of_bucket("a.png")
    world.origin.images[str(stored.source)] = AWAY
    waiting = [asyncio.ensure_future(world.ask(each)) for each in (ByUpload(URL), stored)]
    for number in range(2 * POLICY.others_answered):
        for other in (ByUpload(f"{URL}?{number}"), of_bucket(f"{number}.png")):
            world.origin.images[str(other.source)] = said
            await world.clock.run(world.ask(other))
    await world.clock.run(world.clock.sleep(60.0))

    assert not any(each.done() for each in waiting)
    for each in waiting:
        each.cancel()


@pytest.mark.parametrize("said", [None, NotFetched("not_found", answered=True)])
async def test_an_image_that_a_proxy_fails_alone_is_given_up(said: NotFetched | None) -> None:
    """
    It cannot reach the image's host, and others were answered through it: by bytes, or by what their hosts said.
    """
    world = World()
    world.origin.proxy = "proxy:3128"
    world.origin.images[URL] = NotFetched("proxy", again=True, answered=True)
    waiting = asyncio.ensure_future(world.ask())
    await world.clock.run(world.clock.sleep(60.0))
    waited = not waiting.done()
    for number in range(POLICY.others_answered + 5):
        if said is not None:
            world.origin.images[f"{URL}?{number}"] = said
        await world.clock.run(world.ask(ByUpload(f"{URL}?{number}")))

    outcome = await world.clock.run(waiting)

    assert waited
    assert isinstance(outcome, StoreAway)


async def test_a_store_behind_a_proxy_is_not_there_because_the_proxy_is() -> None:
    """
    The proxy cannot reach it; however many images of hosts come through, its images wait.
    """
    world = World()
    world.origin.proxy = "proxy:3128"
    stored = of_bucket("a.png")
    world.origin.images[str(stored.source)] = NotFetched("proxy", again=True, answered=True)
    waiting = asyncio.ensure_future(world.ask(stored))
    for number in range(2 * POLICY.others_answered):
        assert isinstance(await world.clock.run(world.ask(ByUpload(f"{URL}?{number}"))), ModerationResult)
    await world.clock.run(world.clock.sleep(60.0))

    assert not waiting.done()
    waiting.cancel()


@pytest.mark.parametrize(
    ("failure", "kind"),
    [(AWAY, StoreAway), (REFUSED, AccountRefused), (NotFetched("truncated", again=True), StoreAway)],
)
async def test_an_object_that_always_fails_is_given_up_in_a_quiet_bucket(
    failure: NotFetched | AccountRefused, kind: type[CallFailed]
) -> None:
    """
    From its second failure on another object is asked for each time; once that was given often enough, this one is to
    blame, and its partition goes on. Other images have the bucket as ever meanwhile.
    """
    world = World()
    image = of_bucket("a.png")
    world.origin.images[str(image.source)] = failure
    world.origin.gives_others = True
    call = context()

    outcome = await world.clock.run(world.ask(image, call))

    assert isinstance(outcome, kind)
    assert call.attempt == POLICY.others_answered + 1
    assert world.origin.others_asked == [failure is REFUSED] * POLICY.others_answered
    assert world.origins.of(StoredObject("minio", "photos", "b"))[0].code is None


async def test_in_an_outage_of_a_quiet_bucket_an_object_waits() -> None:
    """
    Nothing else is given either.
    """
    world = World()
    image = of_bucket("a.png")
    world.origin.images[str(image.source)] = AWAY
    waiting = asyncio.ensure_future(world.ask(image))
    await world.clock.run(world.clock.sleep(200.0))
    assert not waiting.done()
    assert len(world.origin.others_asked) > 2 * POLICY.others_answered

    del world.origin.images[str(image.source)]

    assert isinstance(await world.clock.run(waiting), ModerationResult)


async def test_a_store_that_asks_to_come_later_uses_up_no_attempt() -> None:
    """
    However many others it gives: an image that it fails afterwards has all its attempts still.
    """
    world = World()
    image, call = of_bucket("a.png"), context()
    world.origin.images[str(image.source)] = BUSY
    waiting = asyncio.ensure_future(world.ask(image, call))
    for number in range(POLICY.others_answered + 5):
        assert isinstance(await world.clock.run(world.ask(of_bucket(f"{number}.png"))), ModerationResult)
    assert POLICY.attempts < call.attempt < BUSY_ATTEMPTS
    assert world.origin.others_asked == []  # it is not asked for more
    world.origin.images[str(image.source)] = AWAY
    world.origin.failed = 0

    outcome = await world.clock.run(waiting)

    assert type(outcome) is StoreAway
    assert world.origin.failed == POLICY.attempts


@pytest.mark.parametrize("gives_others", [True, False])
async def test_an_object_that_a_store_always_puts_off_is_given_up(gives_others: bool) -> None:
    """
    After very many times, if it gives others: MinIO says so of an object that it has lost parts of.
    """
    world = World()
    image, call = of_bucket("a.png"), context()
    world.origin.images[str(image.source)] = BUSY
    world.origin.gives_others = gives_others
    waiting = asyncio.ensure_future(world.ask(image, call))
    await world.clock.run(world.clock.sleep(300.0))

    assert waiting.done() == gives_others
    assert call.attempt > BUSY_ATTEMPTS
    if gives_others:
        assert isinstance(await waiting, StoreBusy)
    waiting.cancel()


async def test_an_image_is_fetched_by_the_fallback_with_attempts_of_its_own() -> None:
    """
    Those at which the provider could not reach it are over.
    """
    world = World()
    for provider in world.providers.values():
        provider.failing = lambda location: Unreachable("404") if isinstance(location, ByUrl) else None
    world.origin.images[URL] = NotFetched("http_503", again=True)

    await world.clock.run(world.ask(ByUrl(URL, or_upload=ByUpload(URL))))

    assert world.origin.failed == POLICY.fetch_attempts


async def test_an_image_with_a_copy_keeps_none_waiting_that_needs_no_store() -> None:
    """
    Its region is away, and the other's temporary store too: those that the provider fetches are judged in the other
    region, and so is one whose copy is there.
    """
    world = World()
    for number in range(1, 30):
        world.origin.images[f"{URL}?{number}"] = IMAGE
    copies = {name: Copies() for name in world.providers}
    assert isinstance(await world.clock.run(world.ask(call=context(copies=copies["first"]))), ModerationResult)
    world.providers["first"].failing = lambda _: ProviderFailed("500")
    while world.all[0].breakers[SERVICE].state is not State.OPEN:
        assert isinstance(await world.clock.run(world.ask(ByUrl(URL))), ModerationResult)
    assert isinstance(await world.clock.run(world.ask(call=context(copies=copies["second"]))), ModerationResult)
    world.stores["second"].failing = lambda: ProviderFailed("503")
    new = [asyncio.ensure_future(world.ask(ByUpload(f"{URL}?{number}"))) for number in range(5)]
    await world.clock.run(world.clock.sleep(10.0))
    holding = [asyncio.ensure_future(world.ask(call=context(copies=copies["first"]))) for _ in range(3)]
    await world.clock.run(world.clock.sleep(1.0))

    began = world.clock.now()
    for location, call in ((ByUrl(URL), context()), (None, context(copies=copies["second"]))):
        assert isinstance(await world.clock.run(world.ask(location, call)), ModerationResult)

    assert world.clock.now() - began < 2.0
    assert not any(each.done() for each in [*new, *holding])
    assert world.regions.has_capacity()
    for each in [*new, *holding]:
        each.cancel()
