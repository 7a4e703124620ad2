"""
A whole run, on the embedded broker: what is weighed, and what is not let through.
"""

import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from bench.contestants import CONTESTANTS, Course, Start, bare, contestant
from bench.events import publish_steadily, upload_events
from bench.race import Disqualified, run
from tests.rig.embedded import BrokerProcess
from tests.rig.kafka import publish
from tests.rig.quick_provider.process import QuickProvider

pytestmark = pytest.mark.scenario  # whole runs, each with a service and a provider of its own

EVENTS = 200


@pytest.fixture
def broker() -> Iterator[BrokerProcess]:
    with BrokerProcess() as broker:
        yield broker


@pytest.fixture
async def provider() -> AsyncIterator[QuickProvider]:
    async with QuickProvider.start(latency=0.01) as provider:
        yield provider


@pytest.fixture
async def course(broker: BrokerProcess, provider: QuickProvider, tmp_path: Path) -> Course:
    await publish(broker.bootstrap_servers, "uploads", upload_events(EVENTS))
    return Course(
        bootstrap_servers=broker.bootstrap_servers,
        provider=provider.endpoint,
        uploads="uploads",
        passed="moderation.pass",
        review="moderation.review",
        block="moderation.block",
        dead_letter="moderation.dead-letter",
        group="bench",
        in_flight=8,
        quota=100_000,
        events=EVENTS,
        folder=tmp_path,
    )


async def test_the_bare_loop_is_weighed(course: Course, provider: QuickProvider) -> None:
    """
    The bare loop carries every event once, and its steady part cost some CPU, but no more than the time it took.
    """
    cost = await run(bare, course, provider)

    assert cost.steady.events == EVENTS - 1 - 2 * (EVENTS // 10)
    assert 0 < cost.steady.cpu_seconds <= cost.steady.wall_seconds * 1.5
    assert cost.peak_rss > 10_000_000
    assert cost.busiest_second > 8
    assert cost.delays is None


async def test_uploads_may_come_while_it_runs(course: Course, provider: QuickProvider) -> None:
    """
    What is published at a rate once the first outcome is there is carried and weighed like what waited.
    """

    course = replace(course, events=EVENTS + 40, idle=0.5, latency=0.01)
    events = islice(upload_events(EVENTS + 40), EVENTS, None)

    async def steadily() -> Mapping[bytes, float]:
        return await publish_steadily(course.bootstrap_servers, course.uploads, events, 400.0)

    cost = await run(bare, course, provider, steadily)

    assert cost.steady.events == EVENTS + 40 - 1 - 2 * course.edge
    assert cost.delays is not None
    assert len(cost.delays) == 40
    assert min(cost.delays) > 0
    assert cost.idle_cores is not None
    assert 0 <= cost.idle_cores < 0.5


async def test_a_run_may_last_for_a_time(course: Course) -> None:
    """
    It ends after so many seconds, with events left, and what was in flight then is no fault.
    """

    def slow(course: Course) -> Start:
        return replace(bare(replace(course, in_flight=1)), warms_up=0.2)

    async with QuickProvider.start(latency=0.05) as slow_provider:
        seconds = EVENTS * 0.05 / 4
        slow_course = replace(course, in_flight=1, seconds=seconds, provider=slow_provider.endpoint)
        cost = await run(slow, slow_course, slow_provider)

    assert cost.steady.wall_seconds == seconds
    assert 0 < cost.steady.events < EVENTS


async def test_too_few_events_for_the_time_are_told(course: Course, provider: QuickProvider) -> None:
    """
    A contestant that has nothing left to do before the time is over is not weighed.
    """
    with pytest.raises(Disqualified, match="200 events were too few for 34 s"):
        await run(bare, replace(course, seconds=30.0), provider)


@pytest.mark.parametrize("name", ["gather"])
async def test_what_others_would_write_does_the_work(course: Course, provider: QuickProvider, name: str) -> None:
    """
    Each event has one outcome and one call.
    """
    cost = await run(CONTESTANTS[name], course, provider)

    assert cost.steady.events == EVENTS - 1 - 2 * (EVENTS // 10)


def test_any_command_is_a_contestant(course: Course) -> None:
    """
    It finds the course in the place of names in braces, and in its environment.
    """
    start = contestant("mine=./mine --at {provider} -n {in_flight}")(course)

    assert start.command == ["./mine", "--at", course.provider, "-n", "8"]
    assert start.environment["BENCH_UPLOADS"] == "uploads"
    assert start.environment["BENCH_PACED"] == "0"


def test_the_service_of_another_tree_is_a_contestant(tmp_path: Path) -> None:
    """
    `service@FOLDER` runs the sources in that folder, wherever the bench itself stands; without sources there is none.
    """
    (tmp_path / "consumer").mkdir()

    course = Course(
        bootstrap_servers="", provider="", uploads="", passed="", review="", block="", dead_letter="", group="",
        in_flight=1, quota=1, events=1, folder=tmp_path,
    )  # fmt: skip

    start = contestant(f"service@{tmp_path}")(course)

    assert start.environment["PYTHONPATH"] == str(tmp_path)
    with pytest.raises(KeyError):
        contestant(f"service@{tmp_path / 'consumer'}")
    with pytest.raises(KeyError):
        contestant(f"bare@{tmp_path}")


async def test_outcomes_in_another_topic_do_not_count(course: Course, provider: QuickProvider) -> None:
    """
    A contestant that sends harmless images to review has not done the work, however many outcomes there are.
    """

    def astray(course: Course) -> Start:
        return bare(replace(course, passed=course.review))

    with pytest.raises(Disqualified, match=r"200 outcomes in moderation\.pass were due"):
        await run(astray, course, provider)


async def test_unasked_images_do_not_count(course: Course, provider: QuickProvider) -> None:
    """
    Outcomes that the provider was not asked about are no work either.
    """
    async with QuickProvider.start(latency=0.01) as another:

        def elsewhere(course: Course) -> Start:
            return bare(replace(course, provider=another.endpoint))

        with pytest.raises(Disqualified, match="200 images were to be asked about once: 0 in 0 calls"):
            await run(elsewhere, course, provider)


async def test_a_contestant_that_ends_early_is_told_with_its_last_words(
    course: Course, provider: QuickProvider
) -> None:
    """
    A process that ends before its work is done is reported at once, with what it printed.
    """

    def short_lived(_: Course) -> Start:
        return Start([sys.executable, "-c", "raise SystemExit('out of breath')"])

    with pytest.raises(Disqualified, match=r"(?s)ended with status 1 .*out of breath"):
        await run(short_lived, course, provider)
