"""
Libraries brought to what a file says, against the emulated account: nothing is ever made twice.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from consumer.alibaba.libraries import LibraryClient
from consumer.clock import SystemClock
from consumer.config.credentials import Credentials
from consumer.emulator import Emulator, EmulatorSettings, Fault, Match, What, running
from consumer.http.exchange import Exchanges, Timeouts
from consumer.http.transport import open_transport
from consumer.libraries import Library, LimitReached, VendorRefused
from consumer.libraries.apply import Applying, NotFoundYet, read_state
from consumer.libraries.file import Wanted
from consumer.libraries.lock import NO_LOCK, Lock
from consumer.libraries.plan import SETTLED, Allowed, Plan, plan

IMAGE = Wanted(Library(kind="image", name="terror", category="BLACK", scene="ILLEGAL"), ("image_libraries", "0"))
WORDS = Wanted(
    Library(kind="text", name="w", category="REVIEW", resource_type="IMAGE", lib_type="textKeyword"),
    ("keyword_libraries", "0"),
    frozenset({"casino", "poker"}),
)


class Hasty(SystemClock):
    """Waits for nothing, and remembers for how long it was asked to."""

    def __init__(self) -> None:
        self.slept = 0.0

    def now(self) -> float:
        return super().now() + self.slept

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds
        await asyncio.sleep(min(seconds, 0.01))


@dataclass
class Desk:
    """An operator with a lock file, at an account."""

    client: LibraryClient
    clock: Hasty
    waits: list[str]
    lock: Lock = NO_LOCK
    saved: list[Lock] = field(default_factory=list)

    async def plan(self, *wanted: Wanted, later: float = 0.0, **allowed: bool) -> Plan:
        state = await read_state(self.client, wanted, self.lock)
        return plan(wanted, (), state, self.lock, self.clock.wall() + later, Allowed(**allowed))

    async def apply(self, *wanted: Wanted, later: float = 0.0, **allowed: bool) -> Plan:
        state = await read_state(self.client, wanted, self.lock)
        planned = plan(wanted, (), state, self.lock, self.clock.wall() + later, Allowed(**allowed))
        assert planned.problems == []
        await Applying(self.client, self.lock, self.save, self.clock).carry_out(planned, state, lambda _: None)
        return planned

    def save(self, lock: Lock) -> None:
        self.saved.append(lock)
        self.lock = lock


@asynccontextmanager
async def desk(emulator: Emulator) -> AsyncIterator[Desk]:
    """Somebody who begins without a lock."""
    settings = EmulatorSettings()
    key = Credentials(access_key_id=settings.access_key_id, access_key_secret=settings.access_key_secret)
    clock, waits = Hasty(), list[str]()
    async with open_transport(4) as transport:
        exchanges = Exchanges(transport, Timeouts(connect=2.0, read=5.0), SystemClock())
        client = LibraryClient(exchanges, emulator.url, key, clock, lambda operation, _: waits.append(operation))
        yield Desk(client, clock, waits)


def fault(action: str, what: What, times: int = 1) -> EmulatorSettings:
    return EmulatorSettings(faults=(Fault(match=Match(action=action), what=what, times=times),), library_qps=100)


def created(emulator: Emulator) -> int:
    return sum(str(call.action).startswith("Create") for call in emulator.calls)


async def test_the_second_run_does_nothing() -> None:
    """
    Image and keyword libraries, keywords included.
    """
    async with running(EmulatorSettings(library_qps=100)) as emulator, desk(emulator) as operator:
        await operator.apply(IMAGE, WORDS)
        made = created(emulator)
        second = await operator.apply(IMAGE, WORDS)

        assert second.is_empty
        assert (made, created(emulator)) == (3, 3)
        assert {item.text for item in emulator.libraries.of("keyword")[0].items.values()} == {"casino", "poker"}


@pytest.mark.parametrize(
    "what",
    [
        What(drop="after_judging"),
        What(body='{"requestId": "795D8871", "code": 200}'),  # CreateImageLib in the words of its page
        What(garbage=True),
        What(body="<html>", http_status=502),
    ],
    ids=["cut", "no id", "garbage", "bad gateway"],
)
async def test_a_creation_without_a_readable_answer_is_looked_for(what: What) -> None:
    """
    It was carried out: its id is found, and it is not asked for again.
    """
    async with running(fault("CreateImageLib", what)) as emulator, desk(emulator) as operator:
        await operator.apply(IMAGE)
        second = await operator.apply(IMAGE)

        [library] = emulator.libraries.all()
        assert second.is_empty
        assert operator.lock.find("image", "terror") == str(library.id)


async def test_a_creation_that_is_not_listed_is_left_to_the_operator_until_it_had_its_time() -> None:
    """
    Then the next run looks first, and creates it.
    """
    async with running(fault("CreateImageLib", What(drop="after_reading"))) as emulator, desk(emulator) as operator:
        with pytest.raises(NotFoundYet, match="nothing is repeated"):
            await operator.apply(IMAGE)
        soon = await operator.plan(IMAGE)
        await operator.apply(IMAGE, later=SETTLED + 1)

        assert ["it may still appear" in each.text for each in soon.problems] == [True]
        assert len(emulator.libraries.all()) == 1


async def test_a_kill_between_the_call_and_the_lock_makes_no_second_library() -> None:
    """
    The lock says that the creation was begun: what is there under its name is taken.
    """
    async with running(EmulatorSettings(library_qps=100)) as emulator, desk(emulator) as operator:
        await operator.apply(IMAGE)
        begun = next(lock for lock in operator.saved if lock.creating)
        operator.lock = begun
        again = await operator.apply(IMAGE)

        assert [step.verb for step in again.steps] == ["take"]
        assert len(emulator.libraries.all()) == 1


async def test_a_library_that_no_lock_knows_is_not_touched() -> None:
    """
    Whether its settings are the same or others, which are named.
    """
    async with running(EmulatorSettings(library_qps=100)) as emulator, desk(emulator) as operator:
        emulator.libraries.create("image", {"name": "terror", "category": "WHITE", "scene": "ILLEGAL"})
        planned = await operator.plan(IMAGE)

        [problem] = planned.problems
        assert "with other settings (category WHITE, not BLACK)" in problem.text
        assert "libraries adopt" in problem.text


async def test_a_lock_of_another_account_is_refused() -> None:
    """
    Nothing is planned.
    """
    async with running(EmulatorSettings(library_qps=100)) as emulator, desk(emulator) as operator:
        operator.lock = Lock(account="f" * 16, libraries=())
        planned = await operator.plan(IMAGE)

        assert (planned.steps, ["another account's" in each.text for each in planned.problems]) == ((), [True])


async def test_the_limit_of_libraries_has_its_own_word() -> None:
    """
    What was refused is not looked for: the lock has no beginning of it.
    """
    async with running(EmulatorSettings(libraries=1, library_qps=100)) as emulator, desk(emulator) as operator:
        emulator.libraries.create("image", {"name": "other", "category": "WHITE", "scene": "AD"})
        with pytest.raises(LimitReached, match="as many libraries as it may have"):
            await operator.apply(IMAGE)

        assert operator.lock.creating == ()
        assert len(emulator.libraries.all()) == 1


async def test_a_throttled_call_waits_and_goes_on() -> None:
    """
    As long as the provider asks, and once more each time.
    """
    throttle = What.model_validate({"throttle": {"retry_after": 2.0}})
    async with running(fault("CreateImageLib", throttle, times=3)) as emulator, desk(emulator) as operator:
        await operator.apply(IMAGE)

        assert operator.waits == ["CreateImageLib"] * 3
        assert operator.clock.slept > 6.0
        assert len(emulator.libraries.all()) == 1


async def test_a_refusal_is_passed_on_in_the_vendors_words() -> None:
    """
    No lengths are documented: what the vendor says of a name is what the operator reads.
    """
    what = What(gateway_code="InvalidName")
    async with running(fault("CreateImageLib", what)) as emulator, desk(emulator) as operator:
        with pytest.raises(VendorRefused, match="CreateImageLib was refused: InvalidName: A fault of the emulator"):
            await operator.apply(IMAGE)

        assert operator.lock.creating == ()


async def test_what_an_update_cannot_change_is_replaced_only_where_that_is_said() -> None:
    """
    The problem says what is lost.
    """
    other = Wanted(Library(kind="image", name="terror", category="REVIEW", scene="AD"), IMAGE.keys)
    async with running(EmulatorSettings(library_qps=100)) as emulator, desk(emulator) as operator:
        await operator.apply(IMAGE)
        [old] = emulator.libraries.all()
        refused = await operator.plan(other)
        await operator.apply(other, replace=True)

        [problem] = refused.problems
        assert "--replace" in problem.text
        assert f"its id {old.id}" in problem.text
        [new] = emulator.libraries.all()
        assert (new.category, new.scene, new.id != old.id) == ("REVIEW", "AD", True)
        assert operator.lock.find("image", "terror") == str(new.id)


async def test_what_was_deleted_and_not_created_again_is_created_by_the_next_run() -> None:
    """
    The old one goes first: two of a name, or one too many, may be refused. The lock has neither in between.
    """
    other = Wanted(Library(kind="image", name="terror", category="REVIEW", scene="AD"), IMAGE.keys)
    refusal = Fault(match=Match(action="CreateImageLib"), what=What(gateway_code="InvalidScene"), times=1)
    async with running(EmulatorSettings(library_qps=100)) as emulator, desk(emulator) as operator:
        await operator.apply(IMAGE)
        emulator.faults.add(refusal)
        with pytest.raises(VendorRefused, match="InvalidScene"):
            await operator.apply(other, replace=True)
        left, known = emulator.libraries.all(), operator.lock.libraries

        done = await operator.apply(other)

        assert (left, known, [step.verb for step in done.steps]) == ([], (), ["create"])
        assert [each.category for each in emulator.libraries.all()] == ["REVIEW"]


async def test_settings_and_keywords_are_updated_in_place() -> None:
    """
    The scene of an image library is one of them.
    """
    scene = Wanted(Library(kind="image", name="terror", category="BLACK", scene="AD", enable=False), IMAGE.keys)
    words = Wanted(WORDS.library, WORDS.keys, frozenset({"casino", "dice"}))
    async with running(EmulatorSettings(library_qps=100)) as emulator, desk(emulator) as operator:
        await operator.apply(IMAGE, WORDS)
        changed = await operator.apply(scene, words)

        image, text = emulator.libraries.all()
        assert [step.verb for step in changed.steps] == ["update", "keywords"]
        assert (image.scene, image.enable) == ("AD", False)
        assert {item.text for item in text.items.values()} == {"casino", "dice"}
        assert (await operator.apply(scene, words)).is_empty


async def test_a_library_that_left_the_file_is_deleted_only_where_that_is_said() -> None:
    """
    Until then it is left as it is.
    """
    async with running(EmulatorSettings(library_qps=100)) as emulator, desk(emulator) as operator:
        await operator.apply(IMAGE)
        kept = await operator.apply()
        still = len(emulator.libraries.all())
        await operator.apply(remove=True)

        assert ([step.verb for step in kept.steps], still) == (["keep"], 1)
        assert (emulator.libraries.all(), operator.lock.libraries) == ([], ())


async def test_no_operation_is_called_more_often_than_its_quota_allows() -> None:
    """
    Eleven calls of one take more than a second, and none is refused.
    """
    key = Credentials.model_validate(EmulatorSettings().model_dump(include={"access_key_id", "access_key_secret"}))
    clock, waits = SystemClock(), list[str]()
    async with running(EmulatorSettings(library_qps=10)) as emulator, open_transport(4) as transport:
        exchanges = Exchanges(transport, Timeouts(connect=2.0, read=5.0), clock)
        client = LibraryClient(exchanges, emulator.url, key, clock, lambda operation, _: waits.append(operation))
        began = clock.now()
        await asyncio.gather(*(client.scenarios() for _ in range(11)))

        assert waits == []
        assert clock.now() - began > 1.0
        assert {call.code for call in emulator.calls} == {200}
