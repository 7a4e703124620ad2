from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
import pytest
from prometheus_client import REGISTRY

from consumer.config import Config
from consumer.config.kafka import OutputTopics
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import Lost, Undecodable
from consumer.holding import Holding
from consumer.intake.decode import Bindings, Rules
from consumer.intake.decode import decode as decode_message
from consumer.journal.journal import Journal
from consumer.moderation import CallContext, ModerationRequest
from consumer.moderation.assess import Assessing
from consumer.pipeline import Decisions, Pipeline
from consumer.policy.candidate import Candidate
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import (
    Assessment,
    Decoded,
    Delivery,
    Ignored,
    Label,
    ModerationResult,
    Submission,
    Verdict,
    source_id,
)
from consumer.unexpected import UnexpectedErrors
from consumer.verdicts.encode import Encoding
from consumer.verdicts.outcomes import Outcome, Outcomes
from consumer.verdicts.publisher import Publisher
from consumer.verdicts.refused import RefusedOutcomes
from tests.rig.clock import ManualClock
from tests.rig.events import delivery, submission, upload
from tests.rig.ready_policies import asking

DECIDING = Deciding(Policy(settings=PolicySettings(policy="test", version=1), sha256="ab"))
OUTCOMES = Outcomes(Encoding(group="group"), OutputTopics())
HARMLESS = Assessment(
    answers=(ModerationResult(service="s", request_id="R", risk_level="none", labels=(Label("nonLabel"),)),)
)


class ListSink:
    """Keeps what is published, in order."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    async def wait_for_capacity(self) -> None:
        return

    async def publish(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        """The values of the verdicts."""
        return [orjson.loads(each.record.value or b"") for each in self.outcomes if "decision" in each.about]

    @property
    def dead_letters(self) -> list[tuple[bytes | None, bytes | None]]:
        """Value and reason of each."""
        found = [each.record for each in self.outcomes if "dead_letter_reason" in each.about]
        return [(record.value, dict(record.headers)["dlq_reason"]) for record in found]


class FirstTurn:
    """A turn that has come."""

    def __init__(self) -> None:
        self.tenants: Collection[str | None] = ()

    def narrow(self, tenants: Collection[str | None]) -> None:
        self.tenants = tenants

    async def wait(self) -> None:
        return


class LostTurn(FirstTurn):
    """The turn of a message whose partition went to another replica."""

    async def wait(self) -> None:
        raise Lost("uploads/0")


async def harmless(_: Submission) -> Assessment:
    return HARMLESS


def pipeline(
    sink: ListSink,
    decode: Callable[[Delivery], Decoded] = lambda read: [submission(read)],
    assess: Callable[[Submission], Awaitable[Assessment]] = harmless,
    journal: Journal | None = None,
    holding: Holding | None = None,
    decide: Callable[[Submission, Assessment, float], Verdict] = DECIDING.decide,
    outcomes: Outcomes = OUTCOMES,
) -> Pipeline:
    clock = ManualClock()
    return Pipeline(
        decode=decode, assess=assess, decisions=Decisions(decide, DECIDING.fall_back), outcomes=outcomes,
        holding=holding or Holding(UnexpectedErrors(), clock, InterruptibleWaits()), clock=clock,
        publisher=Publisher(
            Journal() if journal is None else journal, sink,
            RefusedOutcomes(clock, InterruptibleWaits().interruptible), clock,
        ),
    )  # fmt: skip


def images(read: Delivery, count: int) -> list[Submission]:
    """The images of one message."""
    return [replace(submission(read), id=source_id("group", read, "event-1", str(n)), of=count) for n in range(count)]


class Asked:
    """Answers about every image, and keeps which it was asked about."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def assess(self, asked: Submission) -> Assessment:
        self.ids.append(asked.id)
        return HARMLESS


async def test_what_a_rule_in_shadow_would_have_changed_is_counted_once_it_is_published() -> None:
    """
    By rule, by the decision that it would be, and by the one that was published.
    """
    tried = {"id": "none", "match": {"label": ["nonLabel"]}, "then": "review", "mode": "shadow"}
    policy = PolicySettings.model_validate({"policy": "test", "version": 1, "rules": [tried]})
    labels = {"rule": "none", "decision": "review", "instead_of": "pass"}
    sink, name = ListSink(), "moderation_shadow_disagreements_total"
    before = REGISTRY.get_sample_value(name, labels) or 0.0

    deciding = Deciding(Policy(settings=policy, sha256="ab"))
    await pipeline(sink, decode=lambda read: images(read, 3), decide=deciding.decide).carry(delivery(), FirstTurn())

    assert [each["decision"] for each in sink.verdicts] == ["pass"] * 3
    assert (REGISTRY.get_sample_value(name, labels) or 0.0) - before == 3


@pytest.mark.parametrize(("route", "expected"), [("review", 3), ("pass", 0)])
async def test_what_a_policy_in_shadow_would_decide_otherwise_is_counted(route: str, expected: int) -> None:
    """
    Without a rule, and only where it is another decision.
    """
    other = PolicySettings.model_validate(
        {"policy": "other", "version": 2, "services": ["s"], "route": {"none": route}}
    )
    decide = Candidate(DECIDING.decide, DECIDING.asked, Policy(settings=other, sha256="cd")).decide
    labels = {"rule": "", "decision": "review", "instead_of": "pass"}
    sink, name = ListSink(), "moderation_shadow_disagreements_total"
    before = REGISTRY.get_sample_value(name, labels) or 0.0

    await pipeline(sink, decode=lambda read: images(read, 3), decide=decide).carry(delivery(), FirstTurn())

    assert [each["shadow"]["candidate"]["decision"] for each in sink.verdicts] == [route] * 3
    assert (REGISTRY.get_sample_value(name, labels) or 0.0) - before == expected


async def test_an_image_ends_as_one_verdict() -> None:
    """
    Decode, assess, decide, publish: one verdict an image.
    """
    sink = ListSink()

    await pipeline(sink, decode=lambda read: images(read, 3)).carry(delivery(), FirstTurn())

    assert [verdict["decision"] for verdict in sink.verdicts] == ["pass"] * 3


async def test_what_cannot_be_read_is_buried_whole() -> None:
    """
    An undecodable message goes to the dead letters, and nothing is asked.
    """

    def refuse(_: Delivery) -> Decoded:
        raise Undecodable("not_json", "at byte 0")

    sink, read = ListSink(), delivery(b"\xff")

    await pipeline(sink, decode=refuse).carry(read, FirstTurn())

    assert sink.dead_letters == [(b"\xff", b"not_json")]
    assert sink.verdicts == []


class Answering:
    """Answers every question, and keeps them."""

    def __init__(self) -> None:
        self.asked: list[ModerationRequest] = []

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        self.asked.append(request)
        return HARMLESS.answers[0]


OBJECT = {"store": "oss", "bucket": "ugc", "key": "k", "region": "ap-southeast-1"}


async def test_a_version_that_cannot_be_asked_for_is_neither_paid_nor_passed() -> None:
    """
    The other images of its message are judged; it goes to review, and its verdict says why.
    """
    sink, provider = ListSink(), Answering()
    images = [{"id": "old", "ref": {**OBJECT, "version": "v1"}}, {"id": "any", "ref": OBJECT}]
    reading = partial(decode_message, bindings=Bindings(opened=["ugc"]), group="group")

    carrying = pipeline(sink, decode=reading, assess=Assessing(provider, asking("s")).assess)
    await carrying.carry(delivery(upload("e", images=images)), FirstTurn())

    told = {verdict["image"]["id"]: verdict for verdict in sink.verdicts}
    assert {name: verdict["decision"] for name, verdict in told.items()} == {"old": "review", "any": "pass"}
    assert told["old"]["error"] == {"class": "input", "code": "version_not_askable", "service": None}
    assert told["old"]["provider"]["billed_calls"] == 0
    assert [request.submission for request in provider.asked] == [told["any"]["verdict_id"]]


async def test_what_its_topic_may_not_claim_is_buried_unasked() -> None:
    """
    The whole message, though one of its images would be allowed.
    """
    sink, provider = ListSink(), Answering()
    rules = Rules.of(Config.model_validate({"sources": {"uploads": {"hosts": ["cdn.example.com"]}}}))
    reading = partial(decode_message, bindings=Bindings(), group="group", rules=rules)
    read = delivery(upload("e", "https://cdn.example.com/0", "https://elsewhere.example.com/1"))

    await pipeline(sink, decode=reading, assess=Assessing(provider, asking("s")).assess).carry(read, FirstTurn())

    assert sink.dead_letters == [(read.value, b"not_allowed")]
    assert (sink.verdicts, provider.asked) == ([], [])


async def test_a_message_says_whose_it_is_as_soon_as_it_is_decoded() -> None:
    """
    Its turn learns the tenants of all its images before any is asked about; what cannot be read is of none.
    """
    turn, dead = FirstTurn(), FirstTurn()
    known: list[Collection[str | None]] = []

    async def assess(_: Submission) -> Assessment:
        known.append(turn.tenants)
        return HARMLESS

    def unreadable(_: Delivery) -> Decoded:
        raise Undecodable("bad_json", "value: no JSON")

    def of_two(read: Delivery) -> list[Submission]:
        return [replace(each, tenant=tenant) for each, tenant in zip(images(read, 2), ("acme", "globex"), strict=True)]

    await pipeline(ListSink(), decode=of_two, assess=assess).carry(delivery(), turn)
    await pipeline(ListSink(), decode=unreadable).carry(delivery(), dead)

    assert known == [{"acme", "globex"}] * 2
    assert dead.tenants == {None}


async def test_what_is_ignored_leaves_no_trace() -> None:
    """
    A message ignored by rule ends without an outcome.
    """
    sink = ListSink()

    await pipeline(sink, decode=lambda _: Ignored("no_value")).carry(delivery(None), FirstTurn())

    assert sink.outcomes == []


async def test_what_is_published_is_neither_paid_nor_published_again() -> None:
    """
    Of a message that is read again, only the images whose verdict is not there yet are asked about.
    """
    sink, asked, journal, read = ListSink(), Asked(), Journal(), delivery()
    first, second, third = images(read, 3)
    for known in (first, third):
        journal.note(read.topic_partition, read.offset, known.id, 0.0)

    await pipeline(sink, lambda read: images(read, 3), asked.assess, journal).carry(read, FirstTurn())

    assert asked.ids == [second.id]
    assert [verdict["verdict_id"] for verdict in sink.verdicts] == [second.id]
    assert all(journal.holds(read, each.id) for each in (first, second, third))


async def test_a_dead_letter_is_buried_once() -> None:
    """
    A message that cannot be read, and is read again, stands in the dead letters once.
    """

    def refuse(_: Delivery) -> Decoded:
        raise Undecodable("not_json", "at byte 0")

    sink, read = ListSink(), delivery(b"\xff")
    refusing = pipeline(sink, decode=refuse)

    for _ in range(2):
        await refusing.carry(read, FirstTurn())

    assert sink.dead_letters == [(b"\xff", b"not_json")]


async def test_an_answer_for_a_partition_that_is_gone_is_dropped_and_counted() -> None:
    """
    Its verdict is another replica's affair now: nothing is published, and what was paid for it is counted.
    """
    sink = ListSink()
    before = REGISTRY.get_sample_value("moderation_paid_in_vain_total") or 0.0

    with pytest.raises(Lost):
        await pipeline(sink).carry(delivery(), LostTurn())

    assert sink.verdicts == []
    assert REGISTRY.get_sample_value("moderation_paid_in_vain_total") == before + 1


async def test_what_another_replica_published_meanwhile_is_not_published_again() -> None:
    """
    A partition that was lost and came back: the journal is asked once more before the verdict goes out.
    """
    sink, journal, read = ListSink(), Journal(), delivery()

    class LongTurn(FirstTurn):
        async def wait(self) -> None:
            journal.note(read.topic_partition, read.offset, submission(read).id, 0.0)

    await pipeline(sink, journal=journal).carry(read, LongTurn())

    assert sink.verdicts == []


async def test_a_lost_message_is_no_bug() -> None:
    """
    A call that was not made because the partition is gone sends nothing to review.
    """

    async def lost(_: Submission) -> Assessment:
        raise Lost("uploads/0")

    sink = ListSink()

    with pytest.raises(Lost):
        await pipeline(sink, assess=lost).carry(delivery(), FirstTurn())

    assert sink.verdicts == []
