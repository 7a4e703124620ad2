"""`policy redecide` without Kafka: what it writes, what it says, and what it refuses."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from consumer.commands.arguments import SchemaName
from consumer.commands.policy.durations import seconds_in
from consumer.commands.policy.redecide.chains import Chains
from consumer.commands.policy.redecide.flips import Judged, judge
from consumer.commands.policy.redecide.showing import as_json, as_text, summary_as_text
from consumer.commands.policy.redecide.summary import Line, Summary
from consumer.commands.policy.redecide.writing import encoded, superseding_value
from consumer.commands.schema import schema
from consumer.errors import Misconfigured
from consumer.journal.headers import OF_VERDICT
from consumer.journal.signatures import Keyring
from consumer.journal.verdict_records import Believing, met
from consumer.policy.decide import Deciding
from consumer.policy.replay import Replaying
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Assessment, Coverage, Decision, Failure, Label, ModerationResult
from consumer.verdicts.encode import Encoding
from tests.commands.cli import command
from tests.rig.events import submission

NOW = 1_763_700_000.0
FOUND = ModerationResult(
    service="baselineCheck_global", request_id="R", risk_level="high", labels=(Label("art", 90.0),)
)


def policy(**members: Any) -> Policy:
    return Policy(settings=PolicySettings.model_validate({"policy": "p", "version": 2, **members}), sha256="cd" * 32)


def published(assessment: Assessment, **members: Any) -> dict[str, Any]:
    decided = Deciding(policy(**members)).decide(submission(), assessment, 1_763_632_801.25)
    found: dict[str, Any] = orjson.loads(Encoding(group="group").verdict(decided).value or b"")
    return found


def superseding(old: Mapping[str, Any], by: Policy) -> dict[str, Any]:
    judged = judge(old, Replaying(by))
    assert judged.kind == "flip"
    found: dict[str, Any] = orjson.loads(superseding_value(old, judged, Replaying(by).name, NOW) or b"")
    return found


@pytest.mark.parametrize(
    ("assessment", "members"),
    [
        (Assessment(answers=(FOUND,), coverage=Coverage()), {"route": {"high": "review"}}),
        (Assessment(answers=(FOUND,), coverage=Coverage()), {"unseen_frames": "review", "route": {"high": "pass"}}),
        (Assessment(failure=Failure(kind="fetch", code="404")), {"on_error": {"fetch": "block"}}),
    ],
)
def test_what_supersedes_is_a_verdict_by_the_schema(assessment: Assessment, members: Mapping[str, Any]) -> None:
    """
    Of findings, of frames that were not looked at, and of failures. It costs nothing, and can be decided again itself.
    """
    old = published(assessment)
    new = superseding(old, policy(**members))
    back = superseding(new, policy())

    problems = [
        error.message
        for each in (new, back)
        for error in Draft202012Validator(schema(SchemaName.VERDICT)).iter_errors(each)
    ]
    assert problems == []
    assert (new["supersedes"], new["cause"], new["sequence"]) == (old["verdict_id"], "policy_change", 2)
    assert (new["provider"]["attempts"], new["provider"]["billed_calls"]) == (0, 0)
    assert (back["decision"], back["findings"], back["reasons"]) == (old["decision"], old["findings"], old["reasons"])
    assert back["timing"]["as_of"] == old["timing"]["decided"]


def test_what_supersedes_has_no_headers_of_an_outcome() -> None:
    """
    Whatever the headers of the verdict in whose place it stands: none of `source_…`, and only its trace.
    """
    old = {"source_topic": b"t", "source_group": b"group", "traceparent": b"00-1-2-01", "original_x": b"x"}
    record = encoded(b"{}", "ab", 2, "group", b"k", old)
    headers = dict(record.headers)

    assert not [name for name in headers if name.startswith(("source_", "original_"))]
    assert (headers["traceparent"], headers["sequence"], record.key) == (b"00-1-2-01", b"2", b"k")
    assert OF_VERDICT.read("group", headers) is None


def test_a_breakers_review_is_decided_as_the_policy_decides() -> None:
    """
    By the same policy it becomes a block again.
    """
    held = {**published(Assessment(answers=(FOUND,))), "decision": "review", "decided_by": "breaker"}

    assert superseding(held, policy())["decision"] == "block"


def line(**changes: Any) -> Line:
    old = {**published(Assessment(answers=(FOUND,))), **changes}
    judged = judge(old, Replaying(policy(route={"high": "review"})), changes.get("person"))
    record = Record("moderation.block", 3, 918, b"k", orjson.dumps(old), [("source_group", b"group")])
    found = met(record, "group")
    assert found is not None
    return Line.of(judged, old, found, "ab" * 16)


class Record:
    """What aiokafka hands on, as far as it is looked at."""

    def __init__(self, topic: str, partition: int, offset: int, key: bytes, value: bytes, headers: Any) -> None:
        self.topic, self.partition, self.offset = topic, partition, offset
        self.key, self.value, self.headers = key, value, headers


def test_a_flip_is_told_in_a_line() -> None:
    """
    For people without what would act on their terminal, and for programs; never with a URL's query.
    """
    told = line(subject={"id": "u\x1b[2J_1", "revision": None, "type": None})

    what = "block → review  shop-eu/avatar  u�[2J_1  https://img.example.com/1.jpg  by default:high"
    assert as_text(told) == f"{what}  (moderation.block/3/918)"
    assert as_json(told)["rules"] == ("default:high",)
    assert "token" not in as_text(line(image={"id": "0", "url": "https://a.example/1?token=s"}))


def test_people_are_told_why() -> None:
    """
    And the numbers say what was left to them.
    """
    told = line(person=Decision.PASS)
    summary = Summary(people=1)
    summary.count(told.judged)

    assert as_text(told).startswith("! pass → review, for people: a person decided  ")
    assert "left to people: 1 that a person decided" in summary_as_text(summary, applied=True)


def test_the_last_of_a_chain_counts_whatever_the_order() -> None:
    """
    And of equals the stricter one; people are kept apart.
    """
    old = published(Assessment(answers=(FOUND,)))
    later = [{**old, "verdict_id": name, "sequence": sequence, "decision": decision}
             for name, sequence, decision in (("a", 3, "pass"), ("b", 2, "block"), ("c", 3, "review"))]  # fmt: skip
    for order in (later, later[::-1]):
        chains = Chains(1 << 20)
        for each in order:
            chains.note(each)
        chains.note({**old, "decided_by": "human", "decision": "pass"})
        about = next(iter(chains._machines))

        assert [chains.is_newest(about, name) for name in "abc"] == [False, False, True]
        assert chains.person(about) is Decision.PASS


def test_until_replicas_know_the_key_what_is_not_signed_is_believed() -> None:
    """
    As the service does; never what names a known key and was signed by another.
    """
    keyring = Keyring({"k": b"k" * 32}, "k")
    headers = [("source_group", b"group"), ("ce_id", b"1")]
    forged = [*headers, ("moderation_signature", b"v1 k 1 - - " + b"0" * 64)]
    plain, bad = (met(Record("t", 0, 0, b"k", b"{}", each), "group") for each in (headers, forged))
    assert plain is not None
    assert bad is not None

    before, after = (Believing("group", keyring, 10.0, lambda now=now: now) for now in (5.0, 15.0))  # type: ignore[misc]

    assert [before.believes(plain), after.believes(plain), before.believes(bad)] == [True, False, False]


def test_a_second_failure_is_no_reason_to_ask_again() -> None:
    """
    What cannot be decided again and what needs calls are told apart.
    """
    old = published(Assessment(answers=(FOUND._replace(risk_level="low"),)))
    more = policy(services=["baselineCheck_global", "x"])
    kinds = [judge(each, Replaying(more)) for each in (old, {**old, "omitted": ["findings"]})]

    assert [(each.kind, each.why, each.detail) for each in kinds] == [
        ("needs_calls", "services", "x"), ("not_replayable", "omitted", "findings"),
    ]  # fmt: skip
    assert judge(old, Replaying(more), Decision.PASS).kind == "not_replayable"
    assert isinstance(kinds[0], Judged)


@pytest.mark.parametrize(
    ("text", "expected"), [("90m", 5_400.0), ("12h", 43_200.0), ("30d", 2_592_000.0), ("1w", 604_800.0)]
)
def test_durations(text: str, expected: float) -> None:
    """
    A number and a unit.
    """
    assert seconds_in(text) == expected
    for wrong in ("", "30", "d", "1.5d", "-1d", "1 d"):
        with pytest.raises(Misconfigured, match="--since"):
            seconds_in(wrong)


async def test_what_is_wrong_is_said_before_anything_is_read(tmp_path: Path) -> None:
    """
    A topic that no service reads, or a broker that is not there: each by name.
    """
    good = tmp_path / "p.yaml"
    good.write_text("policy: p\nversion: 1\n")
    nowhere = ("--set", "kafka.bootstrap_servers=127.0.0.1:9")

    topic = await command("policy", "redecide", str(good), "--rescan", "elsewhere")
    broker = await command("policy", "redecide", str(good), *nowhere)

    assert [each.status for each in (topic, broker)] == [2, 1]
    assert "--rescan: 'elsewhere' is none of kafka.topics" in topic.errors
    assert "kafka.bootstrap_servers" in broker.errors
