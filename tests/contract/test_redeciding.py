"""
`policy redecide` on a real Kafka: what it tells, what it publishes, and what it leaves alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest

from consumer.clock import SystemClock
from consumer.commands.decode import show
from consumer.commands.policy.redecide.chains import Chains, TooMany
from consumer.commands.policy.redecide.redeciding import Options, Redeciding
from consumer.commands.policy.redecide.summary import Line, Summary
from consumer.config import Config
from consumer.errors import Misconfigured
from consumer.journal.headers import OF_VERDICT, Source
from consumer.journal.reader import OutputReader
from consumer.journal.signatures import HEADER, Claim, Keyring
from consumer.kafka.security import KafkaAccess
from consumer.locations import Image, ObjectRef
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Assessment, Label, ModerationResult, Verdict
from consumer.verdicts.encode import Encoding
from tests.contract.reading import kafka_settings
from tests.rig.events import delivery, submission
from tests.rig.kafka import KafkaCluster, NewRecord, publish, read_all

NO_KEYS = Keyring({})
SERVICE = "baselineCheck_global"


def policy(name: str, **members: Any) -> Policy:
    settings = PolicySettings.model_validate({"policy": name, "version": 1, **members})
    return Policy(settings=settings, sha256=name * 8)


A = policy("a")
B = policy("b", rules=[{"id": "art", "match": {"label": ["art*"]}, "then": "review"}])


class Told:
    """What a run told."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.remembered = 0
        self.cost: tuple[int, int] | None = None

    def told(self, line: Line) -> None:
        self.lines.append(line)

    def gathered(self, chains: Chains) -> None:
        self.remembered = len(chains)

    def progress(self, what: str, done: int, total: int) -> None:
        assert done <= total

    def may_rescan(self, summary: Summary, services: int) -> bool:
        self.cost = summary.rescans, services
        return True


class Stand:
    """The outputs of one group, in which a policy's verdicts stand."""

    def __init__(self, kafka: KafkaCluster, name: str, keyring: Keyring = NO_KEYS) -> None:
        self.kafka = kafka
        self.config = Config(kafka=kafka_settings(kafka, name))
        self.group = name
        self.keyring = keyring

    async def set_up(self) -> None:
        for each in self.config.kafka.outputs.all:
            await self.kafka.create_topic(each, partitions=2, replication=1)

    async def decided(self, by: Policy, labels: Iterable[tuple[str, str]], first: int = 0) -> None:
        """Publish a verdict of a policy about each image: its label, and its level."""
        for offset, (label, level) in enumerate(labels, first):
            await self.put(verdict(by, offset, label, level))

    async def put(self, decided: Verdict) -> None:
        record = Encoding(group=self.group).verdict(decided)
        topic = self.config.kafka.outputs.by_decision[decided.decision]
        headers = list(record.headers)
        if self.keyring.signs:
            read = decided.submission.delivery
            source = Source(decided.submission.id, read.topic_partition, read.offset)
            claim = Claim(self.group, OF_VERDICT, source, topic, record.key, record.value)
            headers.append((HEADER, self.keyring.sign(claim, 1.0, None)))
        await self.write(topic, record.value, record.key, headers)

    async def write(self, topic: str, value: bytes | None, key: bytes | None, headers: Sequence[Any]) -> None:
        await publish(self.kafka.bootstrap_servers, topic, [NewRecord(value, key=key, headers=headers)])

    async def person(self, about: Mapping[str, Any], decision: str) -> None:
        """Publish what a person decides about a verdict."""
        said = {**about, "decision": decision, "decided_by": "human", "verdict_id": f"{about['verdict_id']}-h",
                "supersedes": about["verdict_id"], "cause": "human", "sequence": 2}  # fmt: skip
        await self.write(self.config.kafka.outputs.by_decision[decision], orjson.dumps(said), b"k", [])

    async def run(self, candidate: Policy, keyring: Keyring | None = None, **options: Any) -> tuple[Summary, Told]:
        told = Told()
        run = Redeciding(self.config, candidate, keyring or self.keyring, SystemClock(), told)
        return await run.run(Options(since=0.0, **options)), told

    async def applied(self, candidate: Policy) -> int:
        """Publish what a policy decides otherwise; say how many that were."""
        summary, _ = await self.run(candidate, apply=True, rate=10_000.0)
        return summary.published

    async def verdicts(self) -> list[Any]:
        """All that stand there, by the order of their chains."""
        read = [
            await read_all(self.kafka.bootstrap_servers, each)
            for each in self.config.kafka.outputs.by_decision.values()
        ]
        found = [orjson.loads(record.value) for records in read for record in records]
        return sorted(found, key=lambda each: (each["event"]["offset"], each.get("sequence", 1)))

    async def chain(self, offset: int) -> list[str]:
        """What was decided about the image of a message, one after the other, and by which policy."""
        found = [each for each in await self.verdicts() if each["event"]["offset"] == offset]
        return [f"{each['decision']} by {each['policy']['id']}" for each in found]


def verdict(by: Policy, offset: int, label: str, level: str) -> Verdict:
    result = ModerationResult(service=SERVICE, request_id="R", risk_level=level, labels=(Label(label, 90.0, level),))
    about = submission(delivery(offset=offset))
    return Deciding(by).decide(
        replace(about, event_id=f"event-{offset}"), Assessment(answers=(result,)), 1_763_632_900.0
    )


@pytest.fixture
async def stand(kafka: KafkaCluster, topic: str) -> Stand:
    made = Stand(kafka, topic)
    await made.set_up()
    return made


async def test_each_flip_is_published_once_to_and_fro(stand: Stand) -> None:
    """
    From A to B and back to A: each time the flips alone are published, a repetition publishes nothing, and the newest
    of each chain is what A decides.
    """
    await stand.decided(A, [("art_nude", "high"), ("violent_gun", "high"), ("art_fine", "low")])
    listed, told = await stand.run(B)
    before = await stand.verdicts()

    published = [await stand.applied(each) for each in (B, B, A, A, B)]

    assert (listed.flips, listed.published, len(before)) == ({("block", "review"): 1, ("pass", "review"): 1}, 0, 3)
    assert [line.rules for line in told.lines] == [("art",), ("art",)]
    assert published == [2, 0, 2, 0, 2]
    assert await stand.chain(0) == ["block by a", "review by b", "block by a", "review by b"]
    assert await stand.chain(1) == ["block by a"]
    assert await stand.chain(2) == ["pass by a", "review by b", "pass by a", "review by b"]
    chain = [each for each in await stand.verdicts() if each["event"]["offset"] == 0]
    assert [each.get("supersedes") for each in chain[1:]] == [each["verdict_id"] for each in chain[:-1]]
    assert [each["sequence"] for each in chain[1:]] == [2, 3, 4]
    assert {each["cause"] for each in chain[1:]} == {"policy_change"}


async def test_a_person_is_never_answered(stand: Stand) -> None:
    """
    Where the policy decides otherwise than a person did, people are told and nothing is published; where it decides the
    same, nothing is said. A second verdict of the machine changes neither.
    """
    await stand.decided(A, [("art_nude", "high"), ("art_fine", "high"), ("art_fine", "low")])
    first, second, _ = await stand.verdicts()
    await stand.person(first, "pass")
    await stand.person(second, "review")

    summary, told = await stand.run(B, apply=True)

    assert (summary.people, summary.published, summary.for_people) == (2, 1, {"person": 1})
    assert [(line.judged.kind, line.judged.before, line.judged.after) for line in told.lines] == [
        ("for_people", "pass", "review"),
        ("flip", "pass", "review"),
    ]


async def test_no_flip_lowers_a_floor(stand: Stand) -> None:
    """
    The floor of the policy that decided first holds, through any number of later ones, also of those without the rule.
    """
    pinned = policy("p", rules=[{"id": "gun", "match": {"label": ["*gun"]}, "then": "review", "pin": True}])
    mild = policy("m", route={"high": "pass", "medium": "pass"})
    await stand.decided(pinned, [("violent_gun", "medium")])

    summary, told = await stand.run(mild, apply=True)
    raised = await stand.applied(policy("x", route={"medium": "block"}))
    again, _ = await stand.run(mild, apply=True)

    assert (summary.for_people, again.for_people, raised) == ({"floor": 1}, {"floor": 1}, 1)
    assert (told.lines[0].judged.why, told.lines[0].judged.detail) == ("floor", "gun")
    assert [each["floor"] for each in await stand.verdicts()] == [{"rule": "gun", "decision": "review"}] * 2


async def test_without_the_services_key_nothing_is_published(stand: Stand, kafka: KafkaCluster, topic: str) -> None:
    """
    Where the verdicts are signed. With the key what is published is signed too, and only what was genuine takes part:
    what somebody else wrote is not decided again, and keeps no genuine verdict from it.
    """
    keyring = Keyring({"k": b"k" * 32}, "k")
    signing = Stand(kafka, topic, keyring)
    await signing.decided(A, [("art_nude", "high")])
    await stand.decided(A, [("art_fine", "low")], first=1)  # by somebody without the key
    genuine = next(each for each in await stand.verdicts() if each["event"]["offset"] == 0)
    forged = {**genuine, "verdict_id": "f" * 32, "supersedes": genuine["verdict_id"], "sequence": 9}
    headers = [("superseding_group", topic.encode()), ("ce_id", b"f" * 32), (HEADER, b"v1 k 1 - - " + b"0" * 64)]
    await stand.write(f"{topic}.block", orjson.dumps(forged), b"k", headers)

    with pytest.raises(Misconfigured, match=r"identity\.sign"):
        await stand.run(B, apply=True)
    summary, _ = await signing.run(B, apply=True)
    repeated, _ = await signing.run(B, apply=True)

    assert (summary.published, repeated.published) == (1, 0)
    assert summary.set_aside["not_believed"] >= 1
    assert await signing.chain(1) == ["pass by a"]


async def test_no_journal_takes_it_for_an_outcome(stand: Stand) -> None:
    """
    The service reads its outputs back and finds the outcomes of uploads, and none else.
    """
    await stand.decided(A, [("art_nude", "high"), ("violent_gun", "high")])
    await stand.applied(B)
    reader = OutputReader(stand.config.kafka, KafkaAccess(stand.config.kafka), 1.0)

    found = [outcome.id async for outcomes in reader.read(0.0, lambda *_: True) for outcome in outcomes]

    stood = await stand.verdicts()
    assert sorted(found) == sorted(each["verdict_id"] for each in stood if "supersedes" not in each)
    assert len(stood) == 3


async def test_what_cannot_be_remembered_is_said_before_anything_is_published(stand: Stand) -> None:
    """
    With what to do about it.
    """
    await stand.decided(A, [("art_nude", "high"), ("art_fine", "low")])
    await stand.applied(B)
    stood = len(await stand.verdicts())

    with pytest.raises(TooMany, match="--memory"):
        await stand.run(A, apply=True, most_bytes=300)

    assert len(await stand.verdicts()) == stood


async def test_what_is_written_twice_is_decided_once(stand: Stand) -> None:
    """
    A verdict that a service published twice, as one that outlived its session may.
    """
    for _ in range(2):
        await stand.decided(A, [("art_nude", "high")])

    assert [await stand.applied(B), await stand.applied(B)] == [1, 0]


async def test_what_needs_calls_or_lacks_something_is_counted(stand: Stand) -> None:
    """
    By what would have to be asked, or what is not there; provisional ones are set aside.
    """
    more = policy("m", services=[SERVICE, "aigcDetector_global"])
    await stand.decided(A, [("art_nude", "high"), ("art_fine", "low")])
    broken: list[dict[str, Any]] = [{"omitted": ["findings"]}, {"provisional": True}, {"findings": 3}]
    for index, changes in enumerate(broken, 2):
        about = verdict(A, index, "x", "low")
        record = Encoding(group=stand.group).verdict(about)
        value = orjson.dumps({**orjson.loads(record.value or b""), **changes})
        await stand.write(f"{stand.group}.pass", value, record.key, list(record.headers))

    summary, told = await stand.run(more)

    assert summary.needs_calls == {"services: aigcDetector_global": 1}
    assert summary.not_replayable == {"omitted": 1, "not_a_verdict": 1}
    assert summary.set_aside == {"provisional": 1}
    assert [line.judged.kind for line in told.lines].count("flip") == 0


async def test_what_needs_calls_can_be_asked_about_again_once(stand: Stand) -> None:
    """
    As an upload event that names the same object, tenant, purpose and subject, with the same key; what it will cost is
    said first. A URL, of which verdicts keep no query, cannot be asked about again, and a person's image is not.
    """
    lane = stand.config.kafka.topics[0]
    await stand.kafka.create_topic(lane, partitions=1, replication=1)
    more = policy("m", services=[SERVICE, "aigcDetector_global"])
    ref = ObjectRef(store="oss", bucket="ugc", key="a/1.jpg", region="ap-southeast-1", version="v1")
    for offset in range(3):
        decided = verdict(A, offset, "art_fine", "low")
        image = (
            Image(id="0", ref=ref, mime="image/jpeg") if offset else Image(id="0", url="https://a.example/1?token=s")
        )
        await stand.put(decided._replace(submission=replace(decided.submission, image=image)))
    await stand.person(next(each for each in await stand.verdicts() if each["event"]["offset"] == 2), "pass")

    first, told = await stand.run(more, rescan=lane)
    second, _ = await stand.run(more, rescan=lane)

    [event] = await read_all(stand.kafka.bootstrap_servers, lane)
    said = orjson.loads(event.value)
    assert (first.rescanned, second.rescanned, second.rescanned_before, told.cost) == (1, 0, 1, (1, 2))
    assert first.needs_calls == {"services: aigcDetector_global": 2}
    assert (said["schema"], said["tenant"], said["purpose"], event.key) == (
        "image.uploaded.v1",
        "shop-eu",
        "avatar",
        b"k",
    )
    assert said["subject"] == {"id": "u_1/avatar", "type": "user_avatar", "revision": 3}
    assert said["images"] == [{
        "id": "0", "mime": "image/jpeg",
        "ref": {"store": "oss", "bucket": "ugc", "key": "a/1.jpg", "region": "ap-southeast-1", "version": "v1"},
    }]  # fmt: skip
    shown, was_read = show(event.value, (), None, None)
    assert was_read
    assert [(each["bucket"], each["key"], each["version"], each["of"]) for each in shown] == [
        ("ugc", "a/1.jpg", "v1", 1)
    ]
