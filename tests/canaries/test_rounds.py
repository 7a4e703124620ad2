"""Canaries in time: who asks, when, and what is said of the answers."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from consumer.canaries.asking import Asker, CanaryCalls
from consumer.canaries.expectations import Result, Told
from consumer.canaries.rounds import Canaries
from consumer.config.safety_nets import CanariesSettings, CanaryImage
from consumer.dispatch.concurrency import ConcurrencyLimit
from consumer.dispatch.gate import Gate
from consumer.dispatch.in_flight import InFlight
from consumer.dispatch.pace import Pace
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import AccountRefused, CallFailed, ProviderFailed
from consumer.locations import ByObject, ByUrl
from consumer.moderation import CallContext, ModerationRequest
from consumer.moderation.apart import Apart
from consumer.moderation.breaker import BreakerLimits, State
from consumer.moderation.paced import Paced
from consumer.moderation.regions import Region
from consumer.records import Label, ModerationResult, Partition
from tests.moderation.requests import GivenShares
from tests.rig.clock import ManualClock
from tests.rig.pictures import picture
from tests.rig.replica import total

FIRST = Partition("uploads", 0)
INTERVAL = 600.0
URL = "https://img.example.com/{}.jpg?token=secret"
BAD = {"name": "bad", "expect": "flagged", "url": URL.format("bad")}
GOOD = {"name": "good", "expect": "clean", "url": URL.format("good")}


class Account:
    """The provider: finds what is bad while its items are on, and keeps what is uploaded."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.items_are_on = True
        self.finds_good = False
        self.failure: CallFailed | None = None
        self.bug: Exception | None = None
        self.asked: list[tuple[float, str, str, str]] = []
        self.uploaded: list[tuple[bytes, str]] = []

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        assert call.before_sending is not None
        call.before_sending()
        self.asked.append((self._clock.now(), request.submission, request.service, call.region))
        if failure := self.bug or self.failure:
            raise failure
        where = request.location
        is_bad = isinstance(where, ByObject) or (isinstance(where, ByUrl) and "bad" in where.url) or self.finds_good
        level = "high" if is_bad and self.items_are_on else "none"
        return ModerationResult(
            service=request.service, request_id="R", risk_level=level,
            labels=(Label("violent_bloody", 90.0) if level == "high" else Label("nonLabel"),),
        )  # fmt: skip

    async def put(self, image: bytes, format_name: str) -> ByObject:
        self.uploaded.append((image, format_name))
        return ByObject("temporary", "upload/x", None)


class Rig:
    """Canaries of two regions, whose answers, partition and shares a test gives and takes."""

    def __init__(self, *images: Mapping[str, Any], services: tuple[str, ...] = ("a",), interval: float = INTERVAL):
        self.clock = ManualClock()
        self.account = Account(self.clock)
        self.epoch: int | None = 1
        self.services = services
        self.shares = GivenShares({"default": 10})
        pace = Pace(0, jitter=0.0, burst=0.0)
        gate = Gate(pace, self.shares, self.clock, InterruptibleWaits())
        self.regions = {name: Region(name, self.account, BreakerLimits()) for name in ("first", "second")}
        slots = ConcurrencyLimit(4)

        def apart(region: Region) -> Apart:
            paced = Paced(self.account, gate, pace, InFlight(self.clock), self.owns, self.clock, region.name)
            return Apart(paced, region, self.account, slots)

        self.calls = CanaryCalls({name: apart(region) for name, region in self.regions.items()})
        settings = CanariesSettings.model_validate({"interval": interval, "images": images or (BAD, GOOD)})
        self.canaries = Canaries(settings, self.calls, lambda: self.services, self.asker, self.clock)

    def owns(self, partition: Partition, epoch: int) -> bool:
        return (partition, epoch) == (FIRST, self.epoch)

    def asker(self) -> Asker | None:
        return Asker(FIRST, self.epoch) if self.epoch is not None else None

    async def passes(self, seconds: float) -> None:
        await self.clock.sleep(seconds)

    def run(self, *steps: Any) -> Any:
        async def flow() -> None:
            async with self.canaries.watched():
                for step in steps:
                    if callable(step):
                        step()
                    else:
                        await self.passes(step)

        return self.clock.run(flow())


def count(name: str, result: str) -> float:
    samples = [each for family in REGISTRY.collect() for each in family.samples]
    return total(samples, "moderation_canaries_total", canary=name, result=result)


async def test_each_image_is_asked_about_once_by_each_service_in_each_region() -> None:
    """
    At once, and then in every interval.
    """
    rig = Rig(services=("a", "b"))

    await rig.run(INTERVAL / 2, INTERVAL)

    once = [(f"canary-{n}", s, r) for n in ("bad", "good") for s in ("a", "b") for r in ("first", "second")]
    assert [each[1:] for each in rig.account.asked] == once * 2
    assert rig.account.asked[len(once)][0] - rig.account.asked[0][0] == pytest.approx(INTERVAL, abs=1.0)
    assert rig.canaries.degraded() == []


async def test_items_that_are_switched_off_are_noticed_within_an_interval() -> None:
    """
    It is an error in the log, once; readiness and the metric say so until the image is found again.
    """
    rig = Rig(BAD)
    said: list[list[str]] = []
    before = count("bad", "missed")

    def switch(on: bool) -> Any:
        def switched() -> None:
            rig.account.items_are_on = on

        return switched

    def look() -> None:
        said.append(rig.canaries.degraded())

    with capture_logs() as lines:
        await rig.run(1.0, switch(False), look, INTERVAL, look, INTERVAL, look, switch(True), INTERVAL, look)

    reasons = [
        f"canaries: bad is known to be bad, and a in {region} answers none: see which items are switched on"
        for region in ("first", "second")
    ]
    assert said == [[], reasons, reasons, []]
    assert count("bad", "missed") - before == 4
    assert [(each["event"], each["log_level"], each["region"], each["answered"]) for each in lines] == [
        ("canary.missed", "error", "first", "none"), ("canary.missed", "error", "second", "none"),
        ("canary.as_expected", "info", "first", "high"), ("canary.as_expected", "info", "second", "high"),
    ]  # fmt: skip
    assert "secret" not in str(lines)


async def test_a_good_image_that_is_found_to_be_bad_is_noticed() -> None:
    """
    As what is missed is, by another name.
    """
    rig = Rig(GOOD)
    rig.account.finds_good = True

    await rig.run(1.0)

    assert rig.canaries.degraded()[0] == "canaries: good is known to be good, and a in first answers high"


async def test_one_replica_asks() -> None:
    """
    It has the first topic's first partition. One that gets it asks at once; one that loses it asks no more, and says
    no more of what it has seen.
    """
    rig = Rig(BAD)
    rig.epoch = None
    rig.account.items_are_on = False
    seen: list[tuple[int, int]] = []

    def have(epoch: int | None) -> Any:
        def set_epoch() -> None:
            rig.epoch = epoch

        return set_epoch

    def look() -> None:
        seen.append((len(rig.account.asked), len(rig.canaries.degraded())))

    # Taken back and given again in the same epoch is as if it had never gone; in another, somebody else had it.
    await rig.run(
        INTERVAL, look, have(1), 2.0, look, have(None), 2 * INTERVAL / 3, look, have(1), 2.0, look, have(None), 2.0,
        have(2), 2.0, look,
    )  # fmt: skip

    assert seen == [(0, 0), (2, 2), (2, 0), (2, 2), (4, 2)]


async def test_a_call_takes_its_turn_and_waits_for_a_share() -> None:
    """
    None is sent while there is no lease, and no faster than the pace.
    """
    rig = Rig(BAD, services=("a", "b", "c"), interval=5.0)
    round_of = 6

    await rig.run(
        2.0, lambda: rig.shares.give(default=0), 5.0, lambda: rig.shares.give(default=2), 3.5,
    )  # fmt: skip

    moments = [each[0] for each in rig.account.asked[round_of:]]
    assert len(moments) >= round_of
    assert moments[0] >= 1_007.0
    assert all(later - earlier >= 1.0 - 1e-9 for earlier, later in zip(moments, moments[2:], strict=False))


async def test_no_breaker_learns_from_it() -> None:
    """
    Neither a failure nor an answer says whose fault it is that uploads fail.
    """
    rig = Rig(BAD, interval=1.0)
    rig.account.failure = ProviderFailed("500")
    breaker = rig.regions["first"].breakers["a"]
    permit = breaker.permit(0.0)
    permit.depart()

    await rig.run(60.0)
    failed = breaker.state
    rig.account.failure = None
    await rig.run(60.0)

    assert len(rig.account.asked) > 60
    assert (failed, breaker.state) == (State.CLOSED, State.CLOSED)
    assert permit.others_answered_since(permit.departure or 0) == 0


async def test_while_uploads_are_held_back_nothing_is_asked() -> None:
    """
    A breaker that is open is for uploads to close. That nothing was asked is counted, and logged.
    """
    rig = Rig(BAD)
    breaker = rig.regions["first"].breakers["a"]
    for n in range(20):
        permit = breaker.permit(float(n))
        permit.depart()
        permit.failed(AccountRefused("Forbidden"), float(n))
    before = count("bad", "unanswered")

    with capture_logs() as lines:
        await rig.run(1.0)

    assert [each[3] for each in rig.account.asked] == ["second"]
    assert count("bad", "unanswered") - before == 1
    assert lines == [
        {
            "event": "canary.unanswered", "log_level": "warning", "canary": "bad", "service": "a", "region": "first",
            "code": "breaker_open",
        }
    ]  # fmt: skip


async def test_what_was_said_holds_until_there_is_another_answer() -> None:
    """
    A call that fails, and a bug, end no round, and nothing is taken back for them.
    """
    rig = Rig(BAD, GOOD)
    rig.account.items_are_on = False
    said: list[int] = []

    def fail(failure: CallFailed | None, bug: Exception | None) -> Any:
        def set_failure() -> None:
            said.append(len(rig.canaries.degraded()))
            rig.account.failure, rig.account.bug = failure, bug

        return set_failure

    with capture_logs() as lines:
        await rig.run(
            1.0, fail(ProviderFailed("500"), None), INTERVAL, fail(None, ValueError("secret")), INTERVAL,
            fail(None, None), INTERVAL, fail(None, None),
        )  # fmt: skip

    assert said == [2, 2, 2, 2]
    assert len(rig.account.asked) == 4 * 4
    codes = [each.get("code") for each in lines if each["event"] == "canary.unanswered"]
    assert codes == ["provider 500"] * 4 + ["ValueError"] * 4
    assert "secret" not in str(lines)


async def test_calls_are_counted_as_billed() -> None:
    """
    What the operator pays for stands in one number.
    """
    rig = Rig()
    before = REGISTRY.get_sample_value("moderation_calls_billed_total") or 0.0

    await rig.run(1.0)

    assert REGISTRY.get_sample_value("moderation_calls_billed_total") == before + 4


async def test_a_file_is_uploaded_each_time(tmp_path: Path) -> None:
    """
    To each region's temporary store; one that is not there, or no image, is said to be unanswered.
    """
    (tmp_path / "bad.png").write_bytes(picture("red", "PNG", (8, 8)))
    (tmp_path / "text.png").write_bytes(b"no image")
    images = [
        {"name": name, "expect": "flagged", "file": tmp_path / f"{name}.png"} for name in ("bad", "text", "missing")
    ]
    rig = Rig(*images)
    asker = rig.asker()
    assert asker is not None

    told = [await rig.calls.ask(CanaryImage.model_validate(each), "a", "first", asker) for each in images]

    assert told == [
        Told(Result.AS_EXPECTED, "high"), Told(Result.UNANSWERED, code="file: is no image"),
        Told(Result.UNANSWERED, code="file: No such file or directory"),
    ]  # fmt: skip
    assert rig.account.uploaded == [(picture("red", "PNG", (8, 8)), "png")]
    assert len(rig.account.asked) == 1


async def test_nothing_runs_without_canaries() -> None:
    """
    Which is the default.
    """
    settings = CanariesSettings()
    canaries = Canaries(settings, CanaryCalls({}), lambda: ("a",), lambda: None, ManualClock())
    tasks = len(asyncio.all_tasks())

    async with canaries.watched():
        assert len(asyncio.all_tasks()) == tasks
