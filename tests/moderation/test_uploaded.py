"""Images that this service fetches and uploads: what is fetched, put and asked about, in which region and how often."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from math import inf

import pytest

from consumer.dispatch.concurrency import SLOTS_OF_FETCHES, ConcurrencyLimit
from consumer.dispatch.hosts import Hosts
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import (
    AccountRefused,
    CallFailed,
    ImageRefused,
    NotFetchable,
    ProviderFailed,
    StoreAway,
    Unreachable,
)
from consumer.images.errors import NotFetched
from consumer.images.held import BytesHeld, Room
from consumer.images.preparing.plan import NOTHING, Wanted
from consumer.locations import ByObject, ByUpload, ByUrl, ImageLocation, StoredObject
from consumer.moderation import CallContext, Layer, ModerationRequest, Moderator, stacked
from consumer.moderation.breaker import BreakerLimits, State
from consumer.moderation.copies import ASKED_ABOUT, Copies
from consumer.moderation.fetching import Fetching, InTurn, Preparer
from consumer.moderation.origins import Origins
from consumer.moderation.paced import Limited
from consumer.moderation.regions import STORE, UPLOADS_AHEAD, Asked, Guarded, Region, Regions
from consumer.moderation.retries import Retrying, RetryPolicy
from consumer.moderation.uploaded import CopiesKept, OrUploaded, Uploaded
from consumer.records import ModerationResult
from tests.moderation.requests import answer, context
from tests.rig.clock import ManualClock
from tests.rig.pictures import picture

LIMITS = BreakerLimits(provider_failures=3, account_failures=2, probe_interval=1.0, full=4)
POLICY = RetryPolicy(first_delay=0.1, max_delay=1.0, fetch_attempts=3, attempts=5, others_answered=20)
URL = "https://img.example.com/1.png"
IMAGE = picture("red", "PNG", (8, 8))
KEPT = 1_800.0  # seconds. Vendor: an image that was uploaded is there for 30 minutes


class Origin:
    """Serves what it holds by URL, after a second; notes what was fetched."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.images: dict[str, bytes | NotFetched | AccountRefused] = {}
        self.fetched: list[str] = []
        self.hangs: set[str] = set()
        self.failed = 0
        self.proxy: str | None = None
        self.gives_others = False  # where an object fails
        self.others_asked: list[bool] = []

    def proxy_of(self, source: str | StoredObject) -> str | None:
        return self.proxy

    async def gives_another(self, wanted: StoredObject, *, is_refused: bool) -> bool:
        self.others_asked.append(is_refused)
        return self.gives_others

    async def fetch(self, source: str | StoredObject, room: Room) -> bytes:
        url = str(source)
        self.fetched.append(url)
        if url in self.hangs:
            await asyncio.Event().wait()
        await self.clock.sleep(1.0)
        found = self.images.get(url, IMAGE)
        if isinstance(found, NotFetched | AccountRefused):
            self.failed += 1
            raise found
        await room.take(len(found))
        return found


class Store:
    """A region's temporary store, which fails as `failing` says, and keeps what is put there for half an hour."""

    def __init__(self, region: str, clock: ManualClock) -> None:
        self.region = region
        self.clock = clock
        self.takes = 0.0  # seconds, for an object
        self.failing: Callable[[], CallFailed] | None = None
        self.objects: list[bytes] = []
        self.forgotten: dict[ImageLocation, float] = {}  # when

    async def put(self, image: bytes, format_name: str) -> ByObject:
        if self.failing is not None:
            raise self.failing()
        if self.takes:
            await self.clock.sleep(self.takes)
        self.objects.append(image)
        stored = ByObject(f"temporary-{self.region}", f"{len(self.objects)}.{format_name}", None)
        self.forgotten[stored] = self.clock.now() + KEPT
        return stored


class Provider:
    """
    One region of the provider: notes what it is asked about, and fails as `failing` says. About an object that its
    store has forgotten by then every call fails.
    """

    def __init__(self, clock: ManualClock, store: Store) -> None:
        self.clock = clock
        self.store = store
        self.asked_in_vain: list[ImageLocation] = []
        self.failing: Callable[[ImageLocation], CallFailed | None] = lambda location: None
        self.asked: list[ImageLocation] = []

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        self.asked.append(request.location)
        await self.clock.sleep(0.1)
        if self.clock.now() >= self.store.forgotten.get(request.location, inf):
            self.asked_in_vain.append(request.location)
            raise Unreachable("404")
        if (failure := self.failing(request.location)) is not None:
            raise failure
        return answer(request.service)


class Queue:
    """Stands where the pace does, and lets each call wait as long as `seconds` says."""

    seconds = 0.0

    def __init__(self, inner: Moderator, clock: ManualClock) -> None:
        self.inner = inner
        self.clock = clock

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        waits, Queue.seconds = Queue.seconds, 0.0  # once
        await self.clock.sleep(waits)
        return await self.inner.ask(request, call)


class World:
    """Two regions with a store each, and an origin."""

    def __init__(
        self, *, slots: int = 100, bytes_held: int = 1 << 20, fetches: int = 8, wanted: Wanted = NOTHING,
        preparing: Preparer | None = None,
    ) -> None:  # fmt: skip
        self.clock = clock = ManualClock()
        self.waits = InterruptibleWaits()
        self.origin = Origin(clock)
        self.held = BytesHeld(bytes_held)
        self.stores = {name: Store(name, clock) for name in ("first", "second")}
        self.providers = {name: Provider(clock, store) for name, store in self.stores.items()}
        self.fetches = ConcurrencyLimit(fetches, None, SLOTS_OF_FETCHES)
        self.origins = Origins(self.origin, clock)
        fetching = Fetching(self.origin, self.fetches, self.held, self.origins, wanted, preparing)
        answered = set[Asked]()

        def region(name: str) -> Region:
            around: list[Layer] = [
                lambda inner: Uploaded(inner, name, self.stores[name], fetching, self.waits, clock),
                lambda inner: Queue(inner, clock),
                lambda inner: CopiesKept(inner, name, clock),
                lambda inner: Guarded(inner, name, answered, clock),
            ]
            return Region(name, stacked(self.providers[name], around), LIMITS)

        self.all = [region(name) for name in self.providers]
        self.regions = Regions(self.all, clock, self.waits)
        self.limit = ConcurrencyLimit(slots)
        limited = Limited(self.regions, self.limit, defaultdict(Hosts), self.waits)
        in_turn = InTurn(limited, self.origins, self.waits, clock)
        self.moderator: Moderator = OrUploaded(Retrying(in_turn, POLICY, clock, self.waits))

    def request(
        self, location: ImageLocation | None = None, service: str = "baselineCheck_global"
    ) -> ModerationRequest:
        return ModerationRequest(submission="image-1", location=location or ByUpload(URL), service=service)

    async def ask(
        self,
        location: ImageLocation | None = None,
        call: CallContext | None = None,
        service: str = "baselineCheck_global",
    ) -> ModerationResult | CallFailed:
        try:
            return await self.moderator.ask(self.request(location, service), call or context())
        except CallFailed as failure:
            return failure


async def test_an_image_is_uploaded_once_for_all_its_services() -> None:
    """
    The provider is asked about the copy, without a region; the services share it, and its digest is known.
    """
    world, copies = World(), Copies()

    for service in ("baselineCheck_global", "aigcDetector_global"):
        call = replace(context(), copies=copies)
        assert isinstance(await world.clock.run(world.ask(call=call, service=service)), ModerationResult)

    copy = ByObject("temporary-first", "1.png", None)
    assert world.providers["first"].asked == [copy, copy]
    assert world.origin.fetched == [URL]
    assert world.stores["first"].objects == [IMAGE]
    known = copies.known(2)
    assert known is not None
    assert (known.sha256, known.frames) == (hashlib.sha256(IMAGE).hexdigest(), 1)
    assert world.held.taken == 0


async def test_another_region_is_given_a_copy_of_its_own() -> None:
    """
    Token, copy and call belong to one region: what the first one fails twice is fetched and uploaded for the second.
    """
    world = World()
    world.providers["first"].failing = lambda _: ProviderFailed("500")

    assert isinstance(await world.clock.run(world.ask()), ModerationResult)

    assert world.providers["first"].asked == [ByObject("temporary-first", "1.png", None)] * 2
    assert world.providers["second"].asked == [ByObject("temporary-second", "1.png", None)]
    assert world.origin.fetched == [URL, URL]


async def test_after_a_halt_of_31_minutes_the_image_is_uploaded_again() -> None:
    """
    No bytes are kept through it, and no call is about the copy of before it: the provider has deleted that.
    """
    world = World()
    began = world.clock.now()
    halted = began + 31 * 60
    for provider in world.providers.values():
        provider.failing = lambda _: AccountRefused("408") if world.clock.now() < halted else None
    for store in world.stores.values():
        store.takes = 2.0
    held: list[tuple[float, int]] = []

    async def look() -> None:
        while True:
            held.append((world.clock.now() - began, world.held.taken))
            await world.clock.sleep(0.5)

    looking = asyncio.ensure_future(look())
    assert isinstance(await world.clock.run(world.ask()), ModerationResult)
    looking.cancel()

    took = world.clock.now() - began
    assert 31 * 60 <= took < 32 * 60
    *_, last = world.providers["second"].asked  # where whatever the first one has failed twice is tried
    assert last == ByObject("temporary-second", "2.png", None)
    assert len(world.origin.fetched) == 3  # for the first region, and for the second one twice, with 25 minutes between
    assert [each.asked_in_vain for each in world.providers.values()] == [[], []]
    with_bytes = [moment for moment, taken in held if taken]
    assert 0.5 * len(with_bytes) <= 3 * (2.0 + 0.5)  # while each of the three is put, and at no other time
    assert not any(60 <= moment < 24 * 60 for moment in with_bytes)
    assert len(held) > 2 * took - 2
    assert world.held.taken == 0


async def test_a_copy_that_grew_old_in_the_queue_is_not_asked_about() -> None:
    """
    The call does not depart: the image is fetched and uploaded again first.
    """
    world = World()
    Queue.seconds = ASKED_ABOUT

    assert isinstance(await world.clock.run(world.ask()), ModerationResult)

    assert world.providers["first"].asked == [ByObject("temporary-first", "2.png", None)]
    assert world.origin.fetched == [URL, URL]


async def test_a_copy_that_the_store_has_lost_is_uploaded_again() -> None:
    """
    The provider says that it cannot fetch it; the next attempt is about another copy.
    """
    world = World()
    lost = ByObject("temporary-first", "1.png", None)
    world.providers["first"].failing = lambda location: Unreachable("404") if location == lost else None

    assert isinstance(await world.clock.run(world.ask()), ModerationResult)

    assert world.providers["first"].asked == [lost, ByObject("temporary-first", "2.png", None)]


async def test_while_a_store_is_away_other_images_are_judged_and_uploads_wait() -> None:
    """
    It is an outage: no image goes to review for it, whatever others are answered meanwhile, and readiness says so.
    """
    world = World()
    for store in world.stores.values():
        store.failing = lambda: ProviderFailed("ServiceUnavailable")
    uploads = [asyncio.ensure_future(world.ask(ByUpload(f"{URL}?{number}"))) for number in range(10)]

    async def others() -> None:
        for _ in range(600):  # a minute
            assert isinstance(await world.ask(ByUrl(URL)), ModerationResult)

    await world.clock.run(others())

    assert not any(upload.done() for upload in uploads)
    assert world.all[0].breakers[STORE].state is State.OPEN
    assert world.all[0].breakers["baselineCheck_global"].state is State.CLOSED
    assert world.regions.has_capacity()
    assert any("temporary store in first is not asked" in reason for reason in world.regions.reasons_not_ready())

    for store in world.stores.values():
        store.failing = None
    await world.clock.run(asyncio.gather(*uploads))
    assert all(isinstance(upload.result(), ModerationResult) for upload in uploads)


async def test_no_more_begins_once_many_uploads_wait_for_a_store() -> None:
    """
    Which images need the store is known only once they have begun: else all that is read would wait in tasks.
    """
    world = World(slots=4)
    for region in world.all:
        breaker = region.breakers[STORE]
        for number in range(LIMITS.account_failures):
            permit = breaker.permit(world.clock.now())
            permit.depart()
            permit.failed(AccountRefused("AccessDenied"), world.clock.now() + number)
        assert breaker.state is State.OPEN
        breaker._next_probe = world.clock.now() + 3600.0

    waiting = [asyncio.ensure_future(world.ask()) for _ in range(UPLOADS_AHEAD)]
    await world.clock.run(asyncio.sleep(0))

    assert not world.regions.has_capacity()
    world.waits.close()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert world.regions.has_capacity()


@pytest.mark.parametrize(
    ("why", "kind", "attempts"),
    [
        (NotFetched("http_503", again=True), Unreachable, 3),
        (NotFetched("not_found"), NotFetchable, 1),
        (NotFetched("address_refused"), NotFetchable, 1),
        (NotFetched("too_large"), ImageRefused, 1),
    ],
)
async def test_an_image_that_cannot_be_fetched_is_given_up(
    why: NotFetched, kind: type[CallFailed], attempts: int
) -> None:
    """
    After a few attempts, or at once where none can help. Neither the store nor the provider is asked.
    """
    world = World()
    world.origin.images[URL] = why

    failure = await world.clock.run(world.ask())

    assert type(failure) is kind
    assert failure.code == why.code
    assert world.origin.fetched == [URL] * attempts
    assert world.stores["first"].objects == []
    assert world.providers["first"].asked == []
    assert world.held.taken == 0


@pytest.mark.parametrize(
    ("data", "code"), [(b"<html>not found</html>", "format"), (IMAGE[:16] + b"\x00\x01\x00\x00" * 2, "side_too_long")]
)
async def test_what_the_provider_would_refuse_is_not_uploaded(data: bytes, code: str) -> None:
    """
    It costs no call: the image goes to review as one that the provider has refused.
    """
    world = World()
    world.origin.images[URL] = data

    failure = await world.clock.run(world.ask())

    assert isinstance(failure, ImageRefused)
    assert failure.code == code
    assert world.stores["first"].objects == []


@pytest.mark.parametrize(
    ("claimed", "is_judged"),
    [
        (hashlib.sha256(IMAGE).hexdigest().upper(), True),
        (hashlib.sha256(b"another").hexdigest(), False),
        ("no digest", True),  # nothing is claimed that could be compared
    ],
)
async def test_another_image_than_the_event_says_is_not_judged(claimed: str, is_judged: bool) -> None:
    """
    Where the event names a SHA-256, the bytes must have it.
    """
    world = World()

    outcome = await world.clock.run(world.ask(call=replace(context(), copies=Copies(claimed))))

    if is_judged:
        assert isinstance(outcome, ModerationResult)
    else:
        assert isinstance(outcome, NotFetchable)
        assert outcome.code == "changed"


async def test_two_services_judge_the_same_bytes_or_none() -> None:
    """
    Where an image must be fetched again between them and has changed, its verdict is a person's.
    """
    world, copies = World(), Copies()
    assert isinstance(await world.clock.run(world.ask(call=replace(context(), copies=copies))), ModerationResult)
    copies.forget("first")
    world.origin.images[URL] = picture("blue", "PNG", (8, 8))

    second = await world.clock.run(world.ask(call=replace(context(), copies=copies, paid=True)))

    assert isinstance(second, NotFetchable)
    assert second.code == "changed"


async def test_fetching_takes_no_calls_slot() -> None:
    """
    With one slot for calls, and an image that hangs, others are judged.
    """
    world = World(slots=1)
    world.origin.hangs.add(URL)
    hanging = asyncio.ensure_future(world.ask())

    for number in range(3):
        assert isinstance(await world.clock.run(world.ask(ByUrl(f"{URL}?{number}"))), ModerationResult)

    assert not hanging.done()
    hanging.cancel()


async def test_a_stop_lets_go_of_an_image_that_is_fetched() -> None:
    """
    It has cost nothing; its message is read again.
    """
    world = World()
    world.origin.hangs.add(URL)
    hanging = asyncio.ensure_future(world.ask())
    await world.clock.run(world.ask(ByUrl(URL)))

    world.waits.close()

    with pytest.raises(asyncio.CancelledError):
        await hanging
    assert world.limit.held == 0


async def test_what_the_provider_cannot_fetch_is_uploaded_where_its_binding_says_so() -> None:
    """
    Attempts count together; without the binding's word the image is unreachable.
    """
    world, call = World(), context()
    for provider in world.providers.values():
        provider.failing = lambda location: Unreachable("404") if isinstance(location, ByUrl) else None

    outcome = await world.clock.run(world.ask(ByUrl(URL, or_upload=ByUpload(URL)), call))

    assert isinstance(outcome, ModerationResult)
    assert outcome.attempts == call.attempt == 4  # three by URL
    assert isinstance(await world.clock.run(world.ask(ByUrl(URL))), Unreachable)


def of_bucket(key: str, bucket: str = "photos") -> ByUpload:
    return ByUpload(StoredObject("minio", bucket, key))


REFUSED = AccountRefused("InvalidAccessKeyId", detail="the store minio answers InvalidAccessKeyId")
AWAY = NotFetched("http_503", again=True)


@pytest.mark.parametrize("failure", [REFUSED, AWAY])
async def test_while_a_store_refuses_or_is_away_its_images_wait(failure: AccountRefused | NotFetched) -> None:
    """
    However often they are tried, none is given up; others go on, no breaker opens, and no slot is held.
    """
    world = World()
    image = of_bucket("a.png")
    world.origin.images[str(image.source)] = failure
    call = context()
    waiting = asyncio.ensure_future(world.ask(image, call))

    for number in range(30):
        assert isinstance(await world.clock.run(world.ask(ByUrl(f"{URL}?{number}"))), ModerationResult)
        await world.clock.run(world.clock.sleep(2.0))

    assert not waiting.done()
    assert call.attempt > POLICY.attempts
    assert world.regions.reasons_not_ready() == []
    assert world.held.taken == 0
    del world.origin.images[str(image.source)]
    assert isinstance(await world.clock.run(waiting), ModerationResult)


@pytest.mark.parametrize(("failure", "kind"), [(REFUSED, AccountRefused), (AWAY, StoreAway)])
async def test_an_image_that_its_store_fails_alone_is_given_up(
    failure: AccountRefused | NotFetched, kind: type[CallFailed]
) -> None:
    """
    As one that the provider fails alone is: once enough others of its bucket were read. Those of other buckets say
    nothing of this one.
    """
    world = World()
    image = of_bucket("a/../b")
    world.origin.images[str(image.source)] = failure
    waiting = asyncio.ensure_future(world.ask(image))
    for number in range(POLICY.others_answered + 5):
        await world.clock.run(world.ask(of_bucket(f"{number}.png", "another")))
    await world.clock.run(world.clock.sleep(5.0))
    waited = not waiting.done()

    for number in range(POLICY.others_answered + 5):
        await world.clock.run(world.ask(of_bucket(f"{number}.png")))
    outcome = await world.clock.run(waiting)

    assert waited
    assert isinstance(outcome, kind)


async def test_images_that_were_let_in_before_an_outage_say_nothing_of_it() -> None:
    """
    However many are on their way when the first is refused: what begins then is no image's fault.
    """
    world = World(fetches=100)
    refused = of_bucket("a.png")
    world.origin.images[str(refused.source)] = REFUSED
    waiting = asyncio.ensure_future(world.ask(refused))
    early = [asyncio.ensure_future(world.ask(of_bucket(f"{n}.png"))) for n in range(POLICY.others_answered + 5)]

    for each in early:
        assert isinstance(await world.clock.run(each), ModerationResult)
    await world.clock.run(world.clock.sleep(60.0))

    assert not waiting.done()
    waiting.cancel()


async def test_an_object_that_the_provider_cannot_read_is_uploaded_from_its_store() -> None:
    """
    Where its binding says so.
    """
    world = World()
    for provider in world.providers.values():
        provider.failing = lambda location: (
            Unreachable("404") if isinstance(location, ByObject) and location.region else None
        )

    outcome = await world.clock.run(world.ask(ByObject("photos", "a.png", "cn-shanghai", of_bucket("a.png"))))

    assert isinstance(outcome, ModerationResult)
    assert world.origin.fetched == [str(of_bucket("a.png").source)]


async def test_fetching_takes_no_permit_of_the_service() -> None:
    """
    While a service recovers it gets few calls at a time: images that hang on their way to the store are none of them.
    """
    world = World()
    breaker = world.all[0].breakers["baselineCheck_global"]
    world.providers["first"].failing = lambda _: ProviderFailed("500")
    world.providers["second"].failing = lambda _: ProviderFailed("500")
    waiting = asyncio.ensure_future(world.ask(ByUrl(f"{URL}?1")))
    await world.clock.run(world.clock.sleep(20.0))
    assert breaker.state is State.OPEN
    for provider in world.providers.values():
        provider.failing = lambda _: None
    await world.clock.run(waiting)
    assert State.RAMPING in [region.breakers["baselineCheck_global"].state for region in world.all]
    world.origin.hangs.add(URL)

    hanging = [asyncio.ensure_future(world.ask()) for _ in range(6)]
    await world.clock.run(world.clock.sleep(1.0))
    judged = [await world.clock.run(world.ask(ByUrl(f"{URL}?{number}"))) for number in range(3)]

    assert len(world.origin.fetched) == 6
    assert all(isinstance(each, ModerationResult) for each in judged)
    for each in hanging:
        each.cancel()


@pytest.mark.parametrize("code", ["404", "405"])
async def test_a_provider_that_cannot_read_its_own_store_is_at_fault_itself(code: str) -> None:
    """
    The image was uploaded: it waits for as long as that lasts, however often it is tried.
    """
    world = World()
    away = world.clock.now() + 600.0
    for provider in world.providers.values():
        provider.failing = lambda _: Unreachable(code) if world.clock.now() < away else None

    assert isinstance(await world.clock.run(world.ask()), ModerationResult)

    assert world.clock.now() >= away


async def test_a_copy_is_asked_about_where_the_image_cannot_be_fetched_again() -> None:
    """
    The other region would need a copy of its own, and the image is gone: the first region is waited for.
    """
    world = World()

    def failing(_: ImageLocation) -> CallFailed | None:
        world.origin.images[URL] = NotFetched("not_found")
        return ProviderFailed("500") if len(world.providers["first"].asked) < 4 else None

    world.providers["first"].failing = failing

    assert isinstance(await world.clock.run(world.ask()), ModerationResult)
    assert world.providers["second"].asked == []
    assert len(world.origin.fetched) == 2


async def test_an_outage_uses_up_no_attempt_at_fetching() -> None:
    """
    After it a host has as many attempts as ever.
    """
    world = World()
    for store in world.stores.values():
        store.failing = lambda: ProviderFailed("503")
    asking = asyncio.ensure_future(world.ask())
    await world.clock.run(world.clock.sleep(60.0))
    for store in world.stores.values():
        store.failing = None
    world.origin.images[URL] = NotFetched("http_503", again=True)

    failure = await world.clock.run(asking)

    assert isinstance(failure, Unreachable)
    assert world.origin.failed == POLICY.fetch_attempts


@pytest.mark.parametrize("source", [URL, StoredObject("photos", "b", "1.png", None)])
async def test_no_failure_at_fetching_is_the_regions(source: str | StoredObject) -> None:
    """
    An image that was fetched at the third attempt is uploaded and asked about in the first region, as any is.
    """
    world = World()
    world.origin.images[str(source)] = NotFetched("http_503", again=True)
    asking = asyncio.ensure_future(world.ask(ByUpload(source)))
    while world.origin.failed < 2:
        await world.clock.run(world.clock.sleep(0.05))
    world.origin.images.clear()

    assert isinstance(await world.clock.run(asking), ModerationResult)
    assert [len(store.objects) for store in world.stores.values()] == [1, 0]
    assert [len(provider.asked) for provider in world.providers.values()] == [1, 0]


async def test_a_region_whose_store_has_failed_an_image_twice_is_not_asked_about_it() -> None:
    """
    The image is uploaded to the second region.
    """
    world = World()
    world.stores["first"].failing = lambda: ProviderFailed("503")

    assert isinstance(await world.clock.run(world.ask()), ModerationResult)
    assert world.all[0].breakers[STORE].state is State.CLOSED
    assert len(world.stores["second"].objects) == 1


async def test_the_fallback_begins_in_the_first_region() -> None:
    """
    That the provider could not fetch the image says nothing of where it should be uploaded.
    """
    world = World()
    for provider in world.providers.values():
        provider.failing = lambda location: Unreachable("405") if isinstance(location, ByUrl) else None

    assert isinstance(await world.clock.run(world.ask(ByUrl(URL, ByUpload(URL)))), ModerationResult)
    assert [len(store.objects) for store in world.stores.values()] == [1, 0]


async def test_what_is_said_of_an_image_is_of_the_copy_that_was_judged() -> None:
    """
    Another one that was fetched later, and that nobody was asked about, says nothing.
    """
    world, copies = World(), Copies()
    world.stores["second"].failing = lambda: ProviderFailed("503")

    def failing(_: ImageLocation) -> CallFailed | None:
        world.origin.images[URL] = picture("blue", "PNG", (8, 8))
        return ProviderFailed("500") if len(world.providers["first"].asked) < 3 else None

    world.providers["first"].failing = failing

    assert isinstance(await world.clock.run(world.ask(call=replace(context(), copies=copies))), ModerationResult)

    known = copies.known(1)
    assert known is not None
    assert known.sha256 == hashlib.sha256(IMAGE).hexdigest()
    assert world.providers["first"].asked[-1] == ByObject("temporary-first", "1.png", None)


async def test_where_a_service_has_judged_the_url_nothing_is_said_of_the_bytes() -> None:
    """
    Whoever serves it could have given the provider another image than this service.
    """
    world, copies = World(), Copies()
    location = ByUrl(URL, or_upload=ByUpload(URL))
    await world.clock.run(world.ask(location, replace(context(), copies=copies)))
    for provider in world.providers.values():
        provider.failing = lambda asked: Unreachable("404") if isinstance(asked, ByUrl) else None

    second = await world.clock.run(world.ask(location, replace(context(), copies=copies, paid=True)))

    assert isinstance(second, ModerationResult)
    assert copies.known(2) is None


async def test_a_proxy_that_is_away_is_an_outage() -> None:
    """
    It is so for every image; none goes to review for it.
    """
    world = World()
    world.origin.proxy = "proxy:3128"
    world.origin.images[URL] = NotFetched("proxy", again=True)
    asking = asyncio.ensure_future(world.ask())
    await world.clock.run(world.clock.sleep(300.0))
    assert not asking.done()

    del world.origin.images[URL]

    assert isinstance(await world.clock.run(asking), ModerationResult)
