"""Files of many pictures: each is uploaded and asked about; and files that are made into another first."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from consumer.dispatch.concurrency import SLOTS_OF_WORKERS, ConcurrencyLimit, Slot
from consumer.dispatch.flows import Flow
from consumer.errors import CallFailed, Lost, Malformed, ProviderFailed, Unreachable
from consumer.fairness import DEFAULT
from consumer.images.errors import NotFetched
from consumer.images.preparing import Job, NotPrepared, Picture, Prepared, WorkerNotStarted
from consumer.images.preparing.plan import Wanted
from consumer.locations import ByObject, ByUpload, ByUrl, ImageLocation
from consumer.moderation.assess import PICTURES_AT_ONCE, Assessing
from consumer.moderation.copies import ASKED_ABOUT
from consumer.moderation.fetching import Fetching
from consumer.records import Assessment, Coverage
from tests.images.preparing.files import animated
from tests.moderation.requests import context
from tests.moderation.test_uploaded import URL, Queue, World
from tests.rig.events import submission
from tests.rig.pictures import picture
from tests.rig.ready_policies import asking

BASELINE, AIGC = "baselineCheck_global", "aigcDetector_global"
FRAMES = Wanted(frames=3)
FILE = animated("GIF", ("red", "lime", "blue", "black", "white"))
TAKEN = (0, 2, 4)


class Preparer:
    """Takes out as many frames as it is asked to, of five; notes the room for files that is taken meanwhile."""

    def __init__(self) -> None:
        self.refusing: str | None = None
        self.away = 0  # jobs for which no worker can be started
        self.jobs: list[Job] = []
        self.makes = Prepared(
            pictures=tuple(Picture(b"%d" % frame, "jpeg", frame) for frame in TAKEN), frames=5, scaled=False
        )

    @contextlib.asynccontextmanager
    async def prepared(self, data: bytes, job: Job) -> AsyncIterator[Prepared]:
        self.jobs.append(job)
        if self.away:
            self.away -= 1
            raise WorkerNotStarted("exit code -9")
        if self.refusing is not None:
            raise NotPrepared(self.refusing)
        yield self.makes


class Animated:
    """A world whose image is an animation, of which three frames are asked about."""

    def __init__(self, wanted: Wanted = FRAMES, services: Sequence[str] = (BASELINE,), data: bytes = FILE) -> None:
        self.preparer = Preparer()
        self.world = World(wanted=wanted, preparing=self.preparer)
        self.world.origin.images[URL] = data
        self.assessing = Assessing(self.world.moderator, asking(*services))
        self.first, self.second = self.world.providers["first"], self.world.providers["second"]

    async def assess(self, location: ImageLocation | None = None) -> Assessment:
        asked = replace(submission(), location=location or ByUpload(URL))
        return await self.world.clock.run(self.assessing.assess(asked))

    def put(self, region: str = "first") -> list[bytes]:
        return self.world.stores[region].objects


def copies(*numbers: int, region: str = "first") -> list[ImageLocation]:
    """Objects of a region's temporary store, by the order in which they were put there."""
    return [ByObject(f"temporary-{region}", f"{number}.jpeg", None) for number in numbers]


async def test_every_frame_is_asked_about_by_every_service() -> None:
    """
    The file is fetched once, and each frame uploaded once. Answers say which frame they are about.
    """
    animation = Animated(services=(BASELINE, AIGC))

    assessment = await animation.assess()

    assert [(each.service, each.frame) for each in assessment.answers] == [
        (service, frame) for service in (BASELINE, AIGC) for frame in TAKEN
    ]
    assert animation.first.asked == copies(1, 2, 3) * 2
    assert animation.put() == [b"0", b"2", b"4"]
    assert animation.world.origin.fetched == [URL]
    assert assessment.coverage == Coverage(seen=3, frames=5)
    assert assessment.sha256 == hashlib.sha256(FILE).hexdigest()
    assert (assessment.attempts, assessment.billed_calls) == (6, 6)
    assert animation.world.held.taken == 0


async def test_by_default_the_file_is_uploaded_as_it_is() -> None:
    """
    No worker hears of it, and the verdict says how many frames were not seen.
    """
    animation = Animated(wanted=Wanted())

    assessment = await animation.assess()

    assert animation.preparer.jobs == []
    assert animation.put() == [FILE]
    assert [each.frame for each in assessment.answers] == [None]
    assert assessment.coverage == Coverage(seen=1, frames=5)


async def test_a_photograph_is_uploaded_as_it_is() -> None:
    """
    Where frames are wanted, too: no worker hears of it.
    """
    photograph = picture("red", "PNG", (8, 8))
    animation = Animated(data=photograph)

    assessment = await animation.assess()

    assert animation.preparer.jobs == []
    assert animation.put() == [photograph]
    assert assessment.coverage == Coverage(seen=1, frames=1)


async def test_a_file_that_turns_out_to_have_one_picture_is_uploaded_as_it_is() -> None:
    """
    What its headers did not say is known to the worker.
    """
    animation = Animated(data=FILE[:-1])
    animation.preparer.makes = Prepared(pictures=(), frames=1, scaled=False)

    assessment = await animation.assess()

    assert animation.put() == [FILE[:-1]]
    assert assessment.coverage == Coverage(seen=1, frames=1)


async def test_one_frame_that_fails_does_not_hide_the_others() -> None:
    """
    The image has failed, and what was found in others stands beside it.
    """
    animation = Animated()
    animation.first.failing = lambda location: Malformed("x", billed="yes") if location in copies(2) else None

    assessment = await animation.assess()

    assert [each.frame for each in assessment.answers] == [0, 4]
    assert [(each.kind, each.frame) for each in assessment.failures] == [("malformed", 2)]
    assert assessment.coverage == Coverage(seen=2, frames=5)
    assert assessment.billed_calls == 3


async def test_what_is_covered_is_what_every_service_has_seen() -> None:
    """
    A frame that one of them could not answer for was not looked at whole.
    """
    animation = Animated(services=(BASELINE, AIGC))
    asked = animation.first.asked
    [last] = copies(3)
    animation.first.failing = lambda location: Malformed("x") if location == last and asked.count(last) == 2 else None

    assessment = await animation.assess()

    assert [each.service for each in assessment.answers] == [BASELINE] * 3 + [AIGC] * 2
    assert assessment.coverage == Coverage(seen=2, frames=5)


async def test_another_region_is_given_copies_of_its_own() -> None:
    """
    All of them; what the first one has answered is not asked again.
    """
    animation = Animated()
    animation.first.failing = lambda location: ProviderFailed("500") if location in copies(2) else None

    assessment = await animation.assess()

    assert [each.frame for each in assessment.answers] == list(TAKEN)
    assert animation.second.asked == copies(2, region="second")
    assert sorted(map(str, animation.first.asked)) == sorted(map(str, copies(1, 2, 2, 3)))
    assert animation.put("second") == [b"0", b"2", b"4"]


async def test_only_the_copy_that_was_lost_is_uploaded_again() -> None:
    """
    The others are there still.
    """
    animation = Animated()
    animation.first.failing = lambda location: Unreachable("404") if location in copies(2) else None

    assessment = await animation.assess()

    assert [each.frame for each in assessment.answers] == list(TAKEN)
    assert animation.put() == [b"0", b"2", b"4", b"2"]
    assert set(animation.first.asked) == set(copies(1, 2, 3, 4))


async def test_copies_that_were_lost_together_are_uploaded_again_together() -> None:
    """
    The file is fetched once for all of them.
    """
    animation = Animated()
    animation.first.failing = lambda location: Unreachable("404") if location in copies(2, 3) else None

    assessment = await animation.assess()

    assert [each.frame for each in assessment.answers] == list(TAKEN)
    assert animation.put() == [b"0", b"2", b"4", b"2", b"4"]
    assert animation.world.origin.fetched == [URL, URL]


async def test_of_an_image_that_was_exchanged_meanwhile_no_frame_is_mixed_with_the_firsts() -> None:
    """
    Of two files neither would have been looked at.
    """
    animation = Animated()

    def failing(location: ImageLocation) -> CallFailed | None:
        animation.world.origin.images[URL] = animated("GIF", ("red", "lime", "blue", "black", "red"))
        return Unreachable("404") if location in copies(1) else None

    animation.first.failing = failing

    assessment = await animation.assess()

    assert animation.put() == [b"0", b"2", b"4"] * 2
    assert animation.first.asked == copies(1, 4, 5, 6)
    assert animation.world.origin.fetched == [URL, URL]
    assert assessment.sha256 == hashlib.sha256(animation.world.origin.images[URL]).hexdigest()  # type: ignore[arg-type]


async def test_a_region_with_copies_of_another_version_than_is_judged_is_given_new_ones() -> None:
    """
    The first region had the image before it was exchanged, and the second, which answers first, has had it since.
    """
    animation = Animated()

    def failing(location: ImageLocation) -> CallFailed | None:
        if location not in copies(1):
            return None
        animation.world.origin.images[URL] = animated("GIF", ("red", "lime", "blue", "black", "red"))
        return ProviderFailed("500")

    animation.first.failing = failing

    assessment = await animation.assess()

    assert (assessment.failure, [each.frame for each in assessment.answers]) == (None, list(TAKEN))
    assert animation.second.asked == copies(1, region="second")
    assert animation.first.asked == copies(1, 1, 5, 6)
    assert animation.world.origin.fetched == [URL] * 3


async def test_an_image_that_is_another_once_a_frame_is_judged_has_failed() -> None:
    """
    The other frames are not asked about, and nothing is said of them.
    """
    animation = Animated()

    def failing(location: ImageLocation) -> CallFailed | None:
        animation.world.origin.images[URL] = picture("blue", "PNG", (8, 8))
        return Unreachable("404") if location in copies(2) else None

    animation.first.failing = failing

    assessment = await animation.assess()

    assert [each.frame for each in assessment.answers] == [0, 4]
    assert [(each.kind, each.code, each.frame) for each in assessment.failures] == [("fetch", "changed", None)]
    assert animation.world.origin.fetched == [URL, URL]


async def test_frames_that_wait_for_long_are_uploaded_again() -> None:
    """
    The provider has deleted them by then: one fetches the file and uploads all, for the others too. What was answered
    is not asked again.
    """
    animation = Animated()

    def failing(location: ImageLocation) -> CallFailed | None:
        if location in copies(1):
            Queue.seconds = ASKED_ABOUT
        return None

    animation.first.failing = failing

    assessment = await animation.assess()

    assert [each.frame for each in assessment.answers] == list(TAKEN)
    assert assessment.billed_calls == 3
    assert animation.world.origin.fetched == [URL, URL]
    assert animation.put() == [b"0", b"2", b"4"] * 2


async def test_frames_are_taken_where_the_provider_could_not_fetch_the_file() -> None:
    """
    Its binding says `fallback: upload`; where the provider did fetch it, it has looked at one frame.
    """
    location = ByUrl(URL, or_upload=ByUpload(URL))
    animation = Animated()

    seen = await animation.assess(location)
    assert [each.frame for each in seen.answers] == [None]
    assert seen.coverage == Coverage(seen=1, frames=None)

    for provider in (animation.first, animation.second):
        provider.failing = lambda asked: Unreachable("404") if isinstance(asked, ByUrl) else None
    uploaded = await animation.assess(location)
    assert [each.frame for each in uploaded.answers] == list(TAKEN)
    assert uploaded.coverage == Coverage(seen=3, frames=5)


@pytest.mark.parametrize("code", ["undecodable", "decode_timeout", "decode_memory", "decoder_died", "too_many_pixels"])
async def test_what_nothing_can_be_made_of_goes_to_review(code: str) -> None:
    """
    No call is made.
    """
    animation = Animated()
    animation.preparer.refusing = code

    assessment = await animation.assess()

    assert [(each.kind, each.code, each.attempts) for each in assessment.failures] == [("image", code, 1)]
    assert animation.first.asked == []
    assert animation.world.held.taken == 0


async def test_an_image_that_is_made_smaller_is_said_to_be() -> None:
    """
    Its digest is the file's, which is not what the provider has seen all of.
    """
    image = picture("red", "PNG", (8, 8))
    large = image[:16] + b"\x00\x01\x00\x00" * 2 + image[24:]  # that many pixels a side
    animation = Animated(wanted=Wanted(scales=True), data=large)
    animation.preparer.makes = Prepared(pictures=(Picture(b"small", "jpeg"),), frames=1, scaled=True)

    assessment = await animation.assess()

    assert animation.put() == [b"small"]
    assert assessment.coverage == Coverage(seen=1, frames=1, scaled=True)
    assert assessment.sha256 == hashlib.sha256(large).hexdigest()


async def test_a_files_bytes_are_not_held_while_its_pictures_are_uploaded() -> None:
    """
    They are of no use any more.
    """
    animation = Animated()
    held = animation.world.held
    taken: list[int] = []

    class Store:
        async def put(self, image: bytes, format_name: str) -> ByObject:
            taken.append(held.taken)
            return ByObject("temporary-first", f"{len(taken)}.{format_name}", None)

    animation.world.stores["first"].put = Store().put  # type: ignore[method-assign]

    await animation.assess()

    assert taken == [0, 0, 0]


async def test_frames_that_are_anothers_by_now_are_counted_as_paid_in_vain() -> None:
    """
    As answers of other services are.
    """
    animation = Animated()

    def failing(location: ImageLocation) -> CallFailed | None:
        if location in copies(3):
            raise Lost("uploads/0")
        return None

    animation.first.failing = failing

    with pytest.raises(Lost):
        await animation.assess()


async def test_where_fetching_has_failed_no_further_frame_is_begun() -> None:
    """
    It would fail as well. Those that had begun have ended.
    """
    animation = Animated()
    many = tuple(Picture(b"%d" % frame, "jpeg", frame) for frame in range(40))
    animation.preparer.makes = Prepared(pictures=many, frames=40, scaled=False)

    def failing(location: ImageLocation) -> CallFailed | None:
        animation.world.origin.images[URL] = NotFetched("not_found")
        return None if location in copies(1) else Unreachable("404")

    animation.first.failing = failing

    assessment = await animation.assess()

    assert [each.frame for each in assessment.answers] == [0]
    assert [(each.kind, each.code) for each in assessment.failures] == [("fetch", "not_found")] * PICTURES_AT_ONCE
    assert len(animation.world.origin.fetched) == 1 + PICTURES_AT_ONCE


async def test_a_few_frames_are_asked_about_at_once() -> None:
    """
    So that a stop, which waits for all, has not long to wait; and no image takes all slots.
    """
    animation = Animated()
    many = tuple(Picture(b"%d" % frame, "jpeg", frame) for frame in range(33))
    animation.preparer.makes = Prepared(pictures=many, frames=33, scaled=False)
    began = animation.world.clock.now()
    most = 0

    def failing(_: ImageLocation) -> CallFailed | None:
        nonlocal most
        most = max(most, animation.world.limit.held)
        return None

    animation.first.failing = failing

    assessment = await animation.assess()

    assert [each.frame for each in assessment.answers] == list(range(33))
    assert most == PICTURES_AT_ONCE
    assert animation.world.clock.now() - began == pytest.approx(1.0 + 0.1 + 32 / PICTURES_AT_ONCE * 0.1)


async def test_a_stop_does_not_let_go_of_an_image_of_which_a_frame_is_paid() -> None:
    """
    It would be paid for again: also where the first one has failed, and others may have been paid for.
    """
    animation = Animated()
    many = tuple(Picture(b"%d" % frame, "jpeg", frame) for frame in range(20))
    animation.preparer.makes = Prepared(pictures=many, frames=20, scaled=False)

    def failing(location: ImageLocation) -> CallFailed | None:
        if location in copies(1):
            return Malformed("x")
        animation.world.waits.close()
        return None

    animation.first.failing = failing

    assessment = await animation.assess()

    assert [each.frame for each in assessment.answers] == list(range(1, 20))
    assert [each.frame for each in assessment.failures] == [0]


async def test_images_that_are_decoded_for_long_wait_among_themselves() -> None:
    """
    Those of another tenant have the next worker.
    """
    world = World(fetches=100)
    workers, order = ConcurrencyLimit(1, shown=SLOTS_OF_WORKERS), []

    class Slow(Preparer):
        @contextlib.asynccontextmanager
        async def prepared(self, data: bytes, job: Job) -> AsyncIterator[Prepared]:
            await world.clock.sleep(10.0)
            yield self.makes

    world.origin.images[URL] = FILE
    fetching = Fetching(world.origin, ConcurrencyLimit(100), world.held, None, FRAMES, Slow(), workers)

    async def fetched(tenant: str) -> None:
        slot = Slot(ConcurrencyLimit(1), DEFAULT, Flow("uploads", tenant))
        async with fetching.fetched(URL, replace(context(), slot=slot)):
            order.append(tenant)

    await world.clock.run(asyncio.gather(*map(fetched, ["slow"] * 10 + ["other"])))

    assert order.index("other") <= 2


async def test_a_worker_is_free_while_its_pictures_are_uploaded() -> None:
    """
    It has done its part.
    """
    world = World()
    world.origin.images[URL] = FILE
    workers = ConcurrencyLimit(1, shown=SLOTS_OF_WORKERS)
    fetching = Fetching(world.origin, ConcurrencyLimit(2), world.held, None, FRAMES, Preparer(), workers)

    async def both() -> None:
        async with fetching.fetched(URL, context()) as first, fetching.fetched(URL, context()) as second:
            assert first.pictures == second.pictures

    await world.clock.run(both())


async def test_without_workers_an_image_waits_and_nothing_is_paid_twice() -> None:
    """
    However long it lasts: what another service has answered meanwhile stays, and no image is blamed.
    """
    animation = Animated(services=(BASELINE, AIGC))
    animation.preparer.away = 30
    asked: list[ImageLocation] = []

    def failing(location: ImageLocation) -> CallFailed | None:
        asked.append(location)
        return Unreachable("404") if isinstance(location, ByUrl) and len(asked) > 1 else None

    animation.first.failing = animation.second.failing = failing

    assessment = await animation.assess(ByUrl(URL, or_upload=ByUpload(URL)))

    assert len(animation.preparer.jobs) > 30
    assert assessment.failures == ()
    assert [type(each) for each in asked] == [ByUrl] * 4 + [ByObject] * 3  # answered once, and thrice not to be had
    assert assessment.billed_calls == len(assessment.answers) == 1 + len(TAKEN)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (ByUpload(URL), [6, 5, 4, 3, 2, 1]),
        (ByUrl(URL), [2, 1]),
        (ByUrl(URL, or_upload=ByUpload(URL)), [128, 127]),
    ],
)
async def test_of_an_image_a_stop_waits_for_the_calls_that_are_left(
    location: ImageLocation, expected: list[int]
) -> None:
    """
    Each that ends is one less. Of an animation they are known once it is uploaded, when the first one has its slot; of
    an image that may have to be uploaded later on it is not known what it may become.
    """
    animation = Animated(services=(BASELINE, AIGC))
    left: list[int] = []

    def looked(_: ImageLocation) -> CallFailed | None:
        left.append(sum(image.calls_left(2 * 64) for image in animation.world.limit.unfinished))
        return None

    animation.first.failing = looked

    await animation.assess(location)

    assert left == expected
    assert not animation.world.limit.unfinished
