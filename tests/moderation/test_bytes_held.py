"""How long an image's bytes are held: from its fetching to its upload, and by nothing that waits for the provider."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from consumer.errors import AccountRefused, ProviderFailed
from consumer.images.preparing import Job, Picture, Prepared
from consumer.images.preparing.plan import Wanted
from consumer.locations import ByUpload
from consumer.moderation.breaker import State
from consumer.moderation.regions import STORE
from consumer.records import ModerationResult
from tests.images.preparing.files import animated
from tests.moderation.test_uploaded import URL, World
from tests.rig.clock import ManualClock

FILE = animated("GIF", ("red", "lime", "blue"))
DECODING = 10.0  # seconds
FILES = 6


class Slow:
    """One worker, which takes its time: a file becomes two pictures."""

    def __init__(self) -> None:
        self.clock: ManualClock | None = None
        self.decoded = 0

    @contextlib.asynccontextmanager
    async def prepared(self, data: bytes, job: Job) -> AsyncIterator[Prepared]:
        assert self.clock is not None
        await self.clock.sleep(DECODING)
        self.decoded += 1
        yield Prepared(pictures=(Picture(b"a", "jpeg", 0), Picture(b"b", "jpeg", 2)), frames=3, scaled=False)


def decoding(preparing: Slow | None = None) -> World:
    """A world whose images are animations, each decoded for ten seconds by the only worker."""
    preparing = preparing or Slow()
    world = World(wanted=Wanted(frames=2), preparing=preparing)
    preparing.clock = world.clock
    world.origin.images = {f"{URL}?{number}": FILE for number in range(FILES)}
    return world


async def test_while_no_call_may_leave_images_wait_without_their_bytes() -> None:
    """
    However many, and from the first moment on: they are not fetched before their region may be asked.
    """
    world = World()
    for region in world.all:
        for name in ("baselineCheck_global", STORE):
            for _ in range(10):
                permit = region.breakers[name].permit(world.clock.now())
                if permit.depart():
                    permit.failed(AccountRefused("408"), world.clock.now())
    asking = [asyncio.ensure_future(world.ask(ByUpload(f"{URL}?{number}"))) for number in range(20)]
    await asyncio.sleep(0)

    assert {region.breakers[STORE].state for region in world.all} == {State.OPEN}
    assert (world.origin.fetched, world.held.taken) == ([], 0)
    assert all(isinstance(each, ModerationResult) for each in await world.clock.run(asyncio.gather(*asking)))


async def test_an_image_that_waits_for_a_worker_holds_its_bytes_for_as_long_as_those_before_it_are_decoded() -> None:
    """
    And no longer, though the provider refuses all calls meanwhile: each is uploaded once it was decoded, and for as
    long as the halt lasts only copies wait.
    """
    world = decoding()
    asking = [asyncio.ensure_future(world.ask(ByUpload(f"{URL}?{number}"))) for number in range(FILES)]
    await world.clock.run(world.clock.sleep(2.0))
    assert world.held.taken == FILES * len(FILE)
    halted = world.clock.now() + 20 * 60
    for provider in world.providers.values():
        provider.failing = lambda _: AccountRefused("408") if world.clock.now() < halted else None

    held = []
    for _ in range(20 * 6 - 1):
        await world.clock.run(world.clock.sleep(DECODING))
        held.append(world.held.taken)

    # Each is decoded twice at the most, as the second region is tried too; from then on nothing is held.
    assert max(held) < FILES * len(FILE)
    assert held[2 * FILES :] == [0] * (20 * 6 - 1 - 2 * FILES)
    assert len(world.origin.fetched) == 2 * FILES
    assert not any(each.done() for each in asking)
    assert all(isinstance(each, ModerationResult) for each in await world.clock.run(asyncio.gather(*asking)))


async def test_while_the_temporary_store_is_away_one_image_waits_for_a_worker_at_the_most() -> None:
    """
    Those that did drop their bytes once it is known to be away, within the time of one decoding, and are decoded for
    nothing no more: only the one that is to probe its region's store is. They are fetched again when it is back.
    """
    worker, tried = Slow(), 0
    world = decoding(worker)

    def fails() -> ProviderFailed:
        nonlocal tried
        tried += 1
        return ProviderFailed("503")

    asking = [asyncio.ensure_future(world.ask(ByUpload(f"{URL}?{number}"))) for number in range(FILES)]
    await world.clock.run(world.clock.sleep(2.0))
    assert world.held.taken == FILES * len(FILE)
    for store in world.stores.values():
        store.failing = fails
    while {region.breakers[STORE].state for region in world.all} != {State.OPEN}:
        await world.clock.run(world.clock.sleep(1.0))
        assert world.clock.now() < 1_000.0 + 20 * DECODING
    await world.clock.run(world.clock.sleep(DECODING))

    held = []
    for _ in range(600):
        await world.clock.run(world.clock.sleep(1.0))
        held.append(world.held.taken)

    assert max(held) <= len(world.all) * len(FILE)
    assert worker.decoded == tried
    assert not any(each.done() for each in asking)
    for store in world.stores.values():
        store.failing = None
    began = world.clock.now()
    decoded_before = worker.decoded
    assert all(isinstance(each, ModerationResult) for each in await world.clock.run(asyncio.gather(*asking)))
    # Each once for each region at the most: whichever is back first has it, and the other may be asked instead.
    assert worker.decoded - decoded_before <= len(world.all) * FILES
    assert world.clock.now() - began < (len(world.all) * FILES + 1) * DECODING
    assert world.held.taken == 0


async def test_a_store_is_found_to_be_back_though_all_workers_are_busy_with_images_of_another_region() -> None:
    """
    The image that is to find out waits for a worker like any other: else the first region would be left for ever.
    """
    world = decoding()
    world.stores["first"].failing = lambda: ProviderFailed("503")
    world.origin.images |= {f"{URL}?{number}": FILE for number in range(60)}
    asking = [asyncio.ensure_future(world.ask(ByUpload(f"{URL}?{number}"))) for number in range(60)]
    while world.all[0].breakers[STORE].state is not State.OPEN:
        await world.clock.run(world.clock.sleep(1.0))
        assert world.clock.now() < 1_000.0 + 20 * DECODING
    world.stores["first"].failing = None
    await world.clock.run(world.clock.sleep(30 * DECODING))

    assert world.all[0].breakers[STORE].state is not State.OPEN
    assert len(world.stores["first"].objects) > 2
    assert not all(each.done() for each in asking)
    assert all(isinstance(each, ModerationResult) for each in await world.clock.run(asyncio.gather(*asking)))
