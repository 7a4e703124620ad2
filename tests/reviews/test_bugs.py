"""What an error that nobody foresaw leads to: no verdict of a machine is passed over that could not be compared."""

import asyncio
import random
from dataclasses import replace
from typing import Any

import orjson
import pytest
from prometheus_client import REGISTRY

from consumer.clock import Clock
from consumer.commands.feedback.room import Places, Room
from consumer.journal.headers import OF_VERDICT, Source
from consumer.journal.signatures import HEADER, Claim, Keyring
from consumer.records import Delivery
from consumer.reviews.carrying import Carrying
from consumer.reviews.memory import Remembered, read
from consumer.reviews.published import MEMBERS, is_verdict
from consumer.unexpected import IN_A_ROW, OTHERS_JUDGED
from consumer.verdicts.encode import Encoding
from tests.reviews.broken import BrokenFloors, BrokenMemory
from tests.reviews.made import review, verdict
from tests.reviews.test_carrying import TOPICS, Turn, World, _delivery, happened
from tests.rig.clock import ManualClock
from tests.rig.events import delivery

SAME = "a" * 64
PASSED = 7  # the offset of the verdict that contradicts a removal
SIGNS = Keyring({"k": b"k" * 32}, "k")
LANES = {TOPICS.pass_: "verdicts"}
ERRORS = [KeyError("x"), TypeError("x"), ValueError("x"), AttributeError("x"), ZeroDivisionError("x")]


def contradicting(sha256: str = SAME, offset: int = PASSED, **members: Any) -> Delivery:
    """A machine's verdict that passes these bytes, written after the removal."""
    record = Encoding(group="group").verdict(verdict(offset, "nonLabel", "none", sha256=sha256))
    value = orjson.dumps({**orjson.loads(record.value or b""), **members})
    made = delivery(value, offset=offset, headers=record.headers)
    return replace(made, topic=TOPICS.pass_, timestamp=60.0)


async def removed(world: World, clock: Clock) -> None:
    """A person removes these bytes, at offset 100."""
    name, at = world.put(1, "porn", SAME)
    await world.process(clock).carry(_delivery(review(name, at, "remove"), 100), Turn())


async def others(carrying: Carrying) -> None:
    """More verdicts than it takes to believe that the fault is one verdict's own."""
    for offset in range(1_000, 1_000 + 2 * OTHERS_JUDGED):
        await carrying.carry(contradicting(f"{offset:064}", offset), Turn())


def unforeseen() -> float:
    return REGISTRY.get_sample_value("moderation_unforeseen_errors_total") or 0.0


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("part", ["memory", "floors"])
async def test_a_verdict_that_meets_a_bug_stays_open_until_it_is_compared(part: str, error: Exception) -> None:
    """
    However many others are judged meanwhile: it is counted, `/readyz` says so, and it is not settled. Once the bug is
    gone the person's removal is published again.
    """
    world, clock = World(random.Random(0), 0.0), ManualClock()
    await removed(world, clock)
    carrying, before = world.process(clock), unforeseen()
    memory = BrokenMemory(1_000, 1e12)
    for key, value in world.people:
        memory.note(key, _read(value), 1.0)
    floors = BrokenFloors()
    carrying.people = replace(carrying.people, memory=memory, floors=floors)
    broken: Any = memory if part == "memory" else floors

    async def flow() -> list[str]:
        broken.error = error
        open_ = asyncio.create_task(carrying.carry(contradicting(), Turn()))
        await clock.sleep(0.5)
        broken.error = None
        await others(carrying)
        broken.error = error
        await clock.sleep(600.0)
        assert not open_.done()
        said = carrying.holding.degraded()
        broken.error = None
        await clock.sleep(61.0)
        assert open_.done()
        await open_
        return said

    [said] = await clock.run(flow())

    assert said.startswith(f"internal: 1 messages that met an unexpected error ({type(error).__name__}) stay open")
    assert happened(world) == {100: ["block"], PASSED: ["block"]}
    assert carrying.holding.degraded() == []
    assert unforeseen() - before >= 3


def _read(value: bytes) -> Remembered:
    found = read(value)
    assert found is not None
    return found


async def test_a_decision_that_meets_a_bug_of_its_own_is_a_dead_letter() -> None:
    """
    Once others were taken: it says so, and what comes after it goes on.
    """
    world, clock = World(random.Random(0), 0.0), ManualClock()
    name, at = world.put(1, "porn", SAME)
    carrying = world.process(clock)
    memory = BrokenMemory(1_000, 1e12)
    carrying.people = replace(carrying.people, memory=memory)

    async def flow() -> None:
        memory.error = KeyError("x")
        open_ = asyncio.create_task(carrying.carry(_delivery(review(name, at, "remove"), 100), Turn()))
        await clock.sleep(0.5)
        memory.error = None
        await others(carrying)
        memory.error = KeyError("x")
        await open_

    await clock.run(flow())

    assert happened(world) == {100: ["dead_letter"]}


def signed(made: Delivery) -> Delivery:
    """The same, by the service's key."""
    source = OF_VERDICT.read("group", dict(made.headers))
    assert isinstance(source, Source)
    claim = Claim("group", OF_VERDICT, source, made.topic, made.key, made.value or b"")
    return replace(made, headers=[*made.headers, (HEADER, SIGNS.sign(claim, 1.0, None))])


async def test_a_verdict_of_ours_that_this_release_cannot_read_stays_open() -> None:
    """
    The service's key vouches for it, and it may be a pass: another release has written it. What nobody vouches for is
    counted and left alone.
    """
    world, clock = World(random.Random(0), 0.0), ManualClock()
    unreadable = contradicting(timing="otherwise")

    async def is_open(keyring: Keyring, each: Delivery) -> bool:
        carrying = world.process(clock, keyring)
        carried = asyncio.create_task(carrying.carry(each, Turn()))
        await clock.sleep(200.0)
        if carried.done():
            await carried
            return False
        assert "(UnknownVerdict) stay open" in carrying.holding.degraded()[0]
        carried.cancel()
        return True

    assert await clock.run(is_open(SIGNS, signed(unreadable)))
    assert not await clock.run(is_open(SIGNS, signed(contradicting())))
    assert not await clock.run(is_open(SIGNS, unreadable))
    assert not await clock.run(is_open(Keyring({}), unreadable))


def test_whatever_the_service_writes_is_read() -> None:
    """
    Whole and minimal verdicts, of machines and of people, pinned ones among them.
    """
    encoding = Encoding(group="group")
    for label in ("porn", "terror"):
        made = verdict(1, label)
        for record in (
            encoding.verdict(made),
            encoding.minimal_verdict(made),
            encoding.verdict(made._replace(provisional=True)),
        ):
            assert is_verdict(orjson.loads(record.value or b""))


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: ".".join(member.path))
def test_what_lacks_a_member_or_has_another_kind_of_it_is_no_verdict(member: Any) -> None:
    """
    Each member that is read is looked at, so that nothing is found out halfway.
    """
    value = Encoding(group="group").verdict(verdict(1, "terror")).value
    for change in ("gone", "otherwise"):
        document = orjson.loads(value or b"")
        holder = document
        for name in member.path[:-1]:
            holder = holder[name]
        if change == "gone":
            holder.pop(member.path[-1], None)
        else:
            holder[member.path[-1]] = {1.5}
        assert is_verdict(document) == (change == "gone" and not member.required)


@pytest.mark.parametrize(
    ("members", "is_read"),
    [
        ({"sequence": None}, False), ({"sequence": True}, False), ({"sequence": -1}, False),
        ({"sequence": 2**64 - 1}, False), ({"sequence": 2**53 - 1}, True), ({"findings": None}, True),
        ({"omitted": None, "context": "x" * 900_000}, True),
    ],
    ids=lambda each: ",".join(each) if isinstance(each, dict) else "",
)  # fmt: skip
async def test_what_is_taken_for_a_verdict_can_be_answered(members: dict[str, Any], is_read: bool) -> None:
    """
    Anybody who may write to the topic can write such a record where no key signs: none of them stays open.
    """
    world, clock = World(random.Random(0), 0.0), ManualClock()
    await removed(world, clock)
    carried = asyncio.create_task(world.process(clock).carry(contradicting(**members), Turn()))

    await clock.run(asyncio.wait_for(asyncio.shield(carried), 5.0))

    assert (happened(world).get(PASSED) == ["block"]) == is_read


async def test_while_every_record_meets_a_bug_one_a_second_begins() -> None:
    """
    As `/readyz` says: what else would begin would be held, and be all that there is room for.
    """
    world, clock = World(random.Random(0), 0.0), ManualClock()
    carrying = world.process(clock)
    memory = BrokenMemory(1_000, 1e12)
    memory.error = KeyError("x")
    carrying.people = replace(carrying.people, memory=memory)
    room = Room(carrying, Places(LANES, 1_000), carrying.holding.waits)

    async def flow() -> int:
        begun: list[asyncio.Task[None]] = []
        until = clock.now() + 10.0
        while clock.now() < until and len(begun) < 100:
            await room.wait_for_capacity({"verdicts"})
            begun.append(asyncio.create_task(room.carry(contradicting(offset=1_000 + len(begun)), Turn())))
            await clock.sleep(0.01)
        assert not room.has_capacity("verdicts")
        for each in begun:
            each.cancel()
        return len(begun)

    assert IN_A_ROW <= await clock.run(flow()) <= IN_A_ROW + 10
    assert "one image in 1 s is tried" in carrying.holding.reasons_not_ready()[0]


async def test_verdicts_that_are_held_take_no_places() -> None:
    """
    As many as there is room for may be held, all of one partition: those of others begin, and are compared.
    """
    world, clock = World(random.Random(0), 0.0), ManualClock()
    await removed(world, clock)
    carrying = world.process(clock)
    memory = BrokenMemory(1_000, 1e12)
    for key, value in world.people:
        memory.note(key, _read(value), 1.0)
    carrying.people = replace(carrying.people, memory=memory)
    places = Places(LANES, 3)
    carrying.holding = replace(carrying.holding, aside=places.given_back)
    room = Room(carrying, places, carrying.holding.waits)

    async def flow() -> None:
        memory.error = KeyError("x")
        held = []
        for offset in range(1_000, 1_010):
            await room.wait_for_capacity({"verdicts"})
            held.append(asyncio.create_task(room.carry(contradicting(f"{offset:064}", offset), Turn())))
            await asyncio.sleep(0)
            assert not any(each.done() for each in held)
        memory.error = None
        await room.wait_for_capacity({"verdicts"})
        await room.carry(contradicting(), Turn())
        assert room.has_capacity("verdicts")
        await clock.sleep(61.0)
        assert all(each.done() for each in held)

    await clock.run(flow())

    assert happened(world)[PASSED] == ["block"]
