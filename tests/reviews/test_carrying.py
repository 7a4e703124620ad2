"""
Generated decisions through the whole of `feedback` but for Kafka: none is lost, none is invented, and it makes no
difference where it is killed.

    REVIEWS_FUZZED=20000 python -m pytest -q tests/reviews/test_carrying.py     20,000 instead of 600, killed as often
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import orjson
import pytest

from consumer.clock import Clock, SystemClock
from consumer.config.kafka import OutputTopics
from consumer.config.reviews import ReviewSettings
from consumer.dispatch.waits import InterruptibleWaits
from consumer.holding import Holding
from consumer.journal.headers import OF_VERDICT
from consumer.journal.journal import Journal
from consumer.journal.signatures import Keyring
from consumer.journal.verdict_records import Believing
from consumer.records import Delivery
from consumer.reviews.carrying import Carrying, Published, Remembering
from consumer.reviews.decided import Decided
from consumer.reviews.floors import Floors
from consumer.reviews.memory import Memory, read
from consumer.reviews.review import VerdictAt
from consumer.unexpected import UnexpectedErrors
from consumer.verdicts.encode import Encoding
from consumer.verdicts.outcomes import Outcome, Outcomes
from consumer.verdicts.publisher import Publisher
from consumer.verdicts.refused import RefusedOutcomes
from tests.reviews.made import review, verdict
from tests.rig.events import delivery

DECISIONS = int(os.environ.get("REVIEWS_FUZZED", "600"))
MOST_OF_A_WORLD = 600
"""Decisions between which a process is started again and again: each start reads all that was written before."""
TOPICS = OutputTopics()
SETTINGS = ReviewSettings(leads=("lead",))
FEEDBACK = SETTINGS.group_id


class Record(NamedTuple):
    """What a lookup finds, as aiokafka has it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Any


class Killed(BaseException):
    """The process ends here."""


class Turn:
    """One message after the other."""

    def narrow(self, tenants: object) -> None: ...

    async def wait(self) -> None: ...


@dataclass
class World:
    """What Kafka would hold, and what outlives a process."""

    kills: random.Random
    chance: float
    verdicts: dict[VerdictAt, Record] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    people: list[tuple[bytes, bytes]] = field(default_factory=list)
    told: set[int] = field(default_factory=set)

    def put(self, offset: int, label: str, sha256: str | None) -> tuple[str, VerdictAt]:
        """Publish a machine's verdict."""
        made = verdict(offset, label, sha256=sha256)
        record, topic = Encoding(group="group").verdict(made), TOPICS.by_decision[made.decision]
        at = VerdictAt(topic, 0, offset)
        self.verdicts[at] = Record(topic, 0, offset, record.key, record.value, record.headers)
        return made.submission.id, at

    def may_die(self) -> None:
        if self.kills.random() < self.chance:
            raise Killed

    async def wait_for_capacity(self) -> None: ...

    async def publish(self, outcome: Outcome) -> None:
        self.may_die()
        self.outcomes.append(outcome)
        self.may_die()

    async def record(self, at: VerdictAt) -> Any:
        return self.verdicts.get(at)

    async def remember(self, key: bytes, value: bytes) -> None:
        self.may_die()
        self.people.append((key, value))
        self.may_die()

    async def taken(self, moment: float) -> None: ...

    async def decided(self, decided: Decided) -> None:
        self.may_die()
        self.told.add(decided.delivery.offset)

    def process(self, clock: Clock | None = None, keyring: Keyring | None = None) -> Carrying:
        """One that has read what is published and remembered."""
        clock, keyring, journal, waits = clock or SystemClock(), keyring or Keyring({}), Journal(), InterruptibleWaits()
        for each in self.outcomes:
            journal.note(each.source.partition, each.source.offset, each.id, 1.0)
        memory, floors = Memory(1_000, 1e12), Floors()
        for key, value in self.people:
            if not floors.read(value):
                found = read(value)
                assert found is not None
                memory.note(key, found, 1.0)
        believing = [(group, Believing(group, keyring, 0.0, clock.wall)) for group in ("group", FEEDBACK)]
        return Carrying(
            settings=SETTINGS,
            published=Published(
                believing=believing, group=FEEDBACK, by_decision=TOPICS.by_decision, record=self.record
            ),
            people=Remembering(memory=memory, floors=floors, write=self.remember, taken=self.taken),
            outcomes=Outcomes(Encoding(group=FEEDBACK), TOPICS),
            holding=Holding(UnexpectedErrors(), clock, waits),
            publisher=Publisher(journal, self, RefusedOutcomes(clock, waits.interruptible), clock),
            told=[self],
        )


def generated(chosen: random.Random, verdicts: list[tuple[str, VerdictAt]]) -> tuple[bytes, str]:
    """A decision, and what must become of it."""
    verdict_id, at = chosen.choice(verdicts)
    pinned = at.offset % 5 == 0
    decision = chosen.choice(["approve", "approve", "remove", "escalate"])
    match chosen.randrange(8):
        case 0:
            return chosen.choice([b"{", b"null", orjson.dumps({"schema": "moderation.review.v1"})]), "dead_letter"
        case 1:
            return review(verdict_id, at._replace(offset=at.offset + 10**6), decision), "dead_letter"
        case 2:
            return review("another", at, decision), "dead_letter"
    lead, override = chosen.random() < 0.5, chosen.random() < 0.5
    value = review(verdict_id, at, decision, reviewer="lead" if lead else "r-1", override_pin=override)
    if decision == "escalate":
        return value, "nothing"
    if decision == "approve" and pinned and not (lead and override):
        return value, "dead_letter"
    return value, "pass" if decision == "approve" else "block"


def happened(world: World) -> Mapping[int, list[str]]:
    """What became of each decision, by its offset."""
    found: dict[int, list[str]] = {}
    for each in world.outcomes:
        value = orjson.loads(each.record.value or b"") if each.names is OF_VERDICT else None
        found.setdefault(each.source.offset, []).append(value["decision"] if value else "dead_letter")
    return found


@pytest.mark.parametrize("chance", [0.0, 0.1])
async def test_of_generated_decisions_none_is_lost_and_none_is_invented(chance: float) -> None:
    """
    Each has the outcome that it asks for, once, wherever the process is killed; who goes on from decisions is told of
    every one that was taken, escalations among them, and of no other.
    """
    chosen, kills = random.Random(7), random.Random(8)
    for begin in range(0, DECISIONS, MOST_OF_A_WORLD):
        await _are_taken(chosen, World(kills, chance), min(MOST_OF_A_WORLD, DECISIONS - begin))


async def _are_taken(chosen: random.Random, world: World, decisions: int) -> None:
    verdicts = [world.put(n, "terror" if n % 5 == 0 else "porn", None if n % 3 else f"{n % 4:064}") for n in range(40)]
    made = [generated(chosen, verdicts) for _ in range(decisions)]
    deliveries = [_delivery(value, offset) for offset, (value, _) in enumerate(made)]
    carrying, deaths = world.process(), 0
    for each in deliveries:
        while True:
            try:
                await carrying.carry(each, Turn())
                break
            except Killed:
                deaths, carrying = deaths + 1, world.process()
    assert (deaths > 0) == (world.chance > 0)
    expected = {offset: [what] for offset, (_, what) in enumerate(made) if what != "nothing"}
    assert happened(world) == expected
    assert world.told == {offset for offset, (_, what) in enumerate(made) if what != "dead_letter"}
    assert len(Counter(what for _, what in made)) == 4


async def test_machines_verdicts_that_come_later_are_contradicted_once() -> None:
    """
    The same bytes, blocked anew: passed once more, and once only where it is killed. Other bytes under the same name,
    a pinned rule's block, and what is older than the decision stay.
    """
    world = World(random.Random(3), 0.3)
    name, at = world.put(1, "porn", "a" * 64)
    blocked = [(2, "porn", "a"), (3, "porn", "b"), (4, "terror", "a"), (5, "porn", "a")]
    deliveries = [_delivery(review(name, at), 100, timestamp=50.0)]
    for offset, label, content in blocked:
        _, place = world.put(offset, label, content * 64)
        record = world.verdicts[place]
        late = replace(
            delivery(record.value, offset=offset, headers=record.headers),
            topic=record.topic,
            timestamp=40.0 if offset == 5 else 60.0,
        )
        deliveries.append(late)
    carrying = world.process()
    for each in deliveries:
        while True:
            try:
                await carrying.carry(each, Turn())
                break
            except Killed:
                carrying = world.process()
    assert happened(world) == {100: ["pass"], 2: ["pass"]}
    restated = orjson.loads(world.outcomes[1].record.value or b"")
    assert (restated["decided_by"], restated["sequence"], restated["review"]["offset"]) == ("human", 2, 100)
    assert restated["event"]["offset"] == 2


def _delivery(value: bytes, offset: int, timestamp: float = 50.0) -> Delivery:
    return replace(delivery(value, offset=offset), topic=SETTINGS.topic, timestamp=timestamp)


async def test_a_person_can_be_overruled_by_a_decision_about_that_persons_verdict() -> None:
    """The second decision names the first one's verdict: its own has the higher sequence, and it is what holds."""
    world = World(random.Random(0), 0.0)
    name, at = world.put(1, "porn", "a" * 64)
    carrying = world.process()
    await carrying.carry(_delivery(review(name, at), 1), Turn())
    record = world.outcomes[0].record
    place = VerdictAt(TOPICS.pass_, 0, 500)
    world.verdicts[place] = Record(TOPICS.pass_, 0, 500, record.key, record.value, record.headers)
    person = orjson.loads(record.value or b"")["verdict_id"]
    await asyncio.wait_for(carrying.carry(_delivery(review(person, place, "remove"), 2, 51.0), Turn()), 5)
    again = orjson.loads(world.outcomes[1].record.value or b"")
    assert (again["decision"], again["sequence"], again["supersedes"]) == ("block", 3, person)
    key = world.people[-1][0]
    held = carrying.people.memory.of(key, 60.0)
    assert held is not None
    assert held.decision == "block"


async def test_a_floor_that_came_after_the_reviewer_looked_is_known_after_a_restart() -> None:
    """
    A newer verdict about the same upload is pinned, which another process has read: the approval of the older one is a
    dead letter, and a lead's names the rule that it overrides.
    """
    world = World(random.Random(5), 0.0)
    name, at = world.put(1, "porn", "a" * 64)
    newer = newer_verdict(world, name, at)
    await world.process().carry(newer, Turn())

    await world.process().carry(_delivery(review(name, at), 100), Turn())
    await world.process().carry(
        _delivery(review(name, at, reviewer="lead", override_pin=True), 101, timestamp=51.0), Turn()
    )

    assert happened(world) == {100: ["dead_letter"], 101: ["pass"]}
    assert orjson.loads(world.outcomes[1].record.value or b"")["review"]["overrides"] == "never"


def newer_verdict(world: World, name: str, at: VerdictAt) -> Delivery:
    """The record of a verdict of a machine's that takes the place of another one, with a pinned rule's floor."""
    old = world.verdicts[at]
    value = {
        **orjson.loads(old.value or b""), "verdict_id": "e" * 32, "supersedes": name, "sequence": 2,
        "floor": {"rule": "never", "decision": "block"}, "cause": "policy_change",
    }  # fmt: skip
    made = delivery(orjson.dumps(value), offset=7, headers=old.headers)
    return replace(made, topic=at.topic, timestamp=45.0)
