"""What a backtest counts: the decisions that the service would have made, one for each submission."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import permutations
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.policy.backtest import alike
from consumer.policy.backtest import counts as counting
from consumer.policy.backtest.alike import Kind, Kinds
from consumer.policy.backtest.counts import OTHERS, Counts
from consumer.policy.backtest.people import People
from consumer.policy.decide import Deciding
from consumer.policy.replay import NotReplayable, Replaying, recorded
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import DECISIONS, STRICTNESS, Assessment, Coverage, Decision, Failure
from consumer.verdicts.encode import Encoding
from tests.policy.drawn import rules
from tests.policy.test_rules import Tree
from tests.rig.verdicts import Uploaded, published, uploads

ENCODING = Encoding(group="group")
WIDTH = len(DECISIONS)


def policy(tree: Tree, version: int = 1) -> Policy:
    settings = PolicySettings.model_validate({"policy": "test", "version": version, **tree})
    return Policy(settings=settings, sha256=f"{version:064x}")


CURRENT = policy({})
STRICTER = policy({"strict_recall": True, "route": {"medium": "block"}}, 2)


def verdicts(found: Iterable[Uploaded], by: Policy = CURRENT) -> list[Any]:
    """As they were published."""
    deciding = Deciding(by)
    return [orjson.loads(published(each, deciding, ENCODING)[1].value or b"") for each in found]


def counted(found: Iterable[Any], candidate: Policy = STRICTER, current: Policy = CURRENT, **options: Any) -> Counts:
    counts = Counts(current, candidate, **options)
    for number, each in enumerate(found, 1):
        counts.add(each, "file", None, number)
    counts.end()
    return counts


def matrix(counts: Counts) -> list[int]:
    return [sum(each) for each in counts.blocks]


def expected(found: Iterable[Uploaded], *policies: Policy) -> list[int]:
    """What the service decides about the same answers under both policies."""
    cells, decide = [0] * WIDTH**2, [Deciding(each).decide for each in policies]
    for each in found:
        now, then = (STRICTNESS[one(each.submission, each.assessment, each.decided).decision] for one in decide)
        cells[WIDTH * now + then] += 1
    return cells


def trees(written: list[Tree], other: list[Tree], shares: list[float | None]) -> Tree:
    """A policy of generated rules for all and for one tenant, some of them rolled out."""

    def named(rules: list[Tree], prefix: str) -> list[Tree]:
        return [
            {
                "id": f"{prefix}{nth}",
                **each,
                **({"rollout": share} if share and not {"pin", "mode"} & each.keys() else {}),
            }
            for nth, (each, share) in enumerate(zip(rules, shares, strict=False))
        ]

    return {
        "rules": named(written, "r"),
        "overlays": [{"when": {"tenant": ["tenant-1"]}, "strict_recall": True, "rules": named(other, "o")}],
    }


some = st.lists(rules, max_size=4)
shares = st.lists(st.sampled_from([None, 0.5]), min_size=4, max_size=4)


@settings(max_examples=25)
@given(
    written=st.tuples(some, some, some, some), rolled=st.tuples(shares, shares),
    unseen=st.sampled_from(["pass", "review"]), seed=st.integers(0, 5),
)  # fmt: skip
def test_a_kind_is_decided_about_as_each_of_its_records(written: Any, rolled: Any, unseen: str, seed: int) -> None:
    """
    What is remembered of records that are alike is what `Replaying` says of each of them, whatever the rules.
    """
    current = policy(trees(written[0], written[1], rolled[0]))
    candidate = policy({**trees(written[2], written[3], rolled[1]), "unseen_frames": unseen}, 2)
    kinds, alone = Kinds(current, candidate, lambda _: None), (Replaying(current), Replaying(candidate))

    for verdict in verdicts(varied(30, seed), current):
        kind, record = kinds.of(verdict), recorded(verdict)
        assert not isinstance(record, NotReplayable)
        each = [replaying.decide(record) for replaying in alone]
        assert [getattr(one, "decision", None) for one in each] == [DECISIONS[kind.current], DECISIONS[kind.candidate]]


LABELS = ["x", "z", "y", "y_lib", "y_tii_lib", "nonLabel", "nonLabel_lib"]


def varied(count: int, seed: int) -> list[Uploaded]:
    """Uploads whose labels are those that the generated rules are about, with frames, failures and other tenants."""
    made = []
    for nth, each in enumerate(uploads(count, harmless=0.1, seed=seed)):
        (answer,) = each.assessment.answers
        labels = tuple(
            label._replace(name=LABELS[(nth + at) % len(LABELS)], confidence=label.confidence if nth % 7 else None)
            for at, label in enumerate(answer.labels)
        )
        coverage = Coverage(frames=1) if nth % 3 else Coverage(frames=9, seen=2)
        failure = Failure(kind="image", code="406", service=answer.service) if nth % 11 == 5 else None
        assessment = replace(
            each.assessment, answers=(answer._replace(labels=labels),), coverage=coverage, failure=failure
        )
        made.append(each._replace(assessment=assessment))
    return made


def test_the_matrix_is_what_the_service_decides() -> None:
    """
    Of every image under both policies, though most are decided about by what is remembered.
    """
    found = list(uploads(600))

    counts = counted(verdicts(found))

    assert matrix(counts) == expected(found, CURRENT, STRICTER)
    assert counts.replayed == 600
    assert counts.agreed == 600
    assert not counts.disagreed


def test_kinds_that_are_forgotten_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Memory is bounded: with room for few kinds the same comes out.
    """
    candidate = policy(
        {"rules": [{"id": "r", "match": {"label": ["*"], "confidence": {"gte": 80}}, "then": "block"}]}, 2
    )
    found = verdicts(uploads(200, harmless=0.2))
    usual = counted(found, candidate)
    monkeypatch.setattr(alike, "MOST_KINDS", 3)

    few = counted(found, candidate)

    assert matrix(few) == matrix(usual)
    assert few.marginals == usual.marginals
    assert few.marginals["r"]


def superseded(verdict: Any, **members: Any) -> Any:
    return {**verdict, "verdict_id": "f" * 32, "supersedes": verdict["verdict_id"], "sequence": 2, **members}


def test_one_record_a_submission_is_counted() -> None:
    """
    Whether it was published twice or superseded.
    """
    found = verdicts(uploads(20))
    again = [superseded(each) for each in found[:5]]

    counts = counted([*found, *again, *found[:3]])

    assert counts.replayed == 20
    assert counts.left_out["repeated"] == 8


def test_of_several_records_the_one_counts_that_subscribers_go_by() -> None:
    """
    A person's before a machine's, then the higher sequence, then the stricter one, in whatever order they are read; the
    matrix, and the rows of tenants and purposes, are as if the others were not there.
    """
    (harmless,) = verdicts(uploads(1, harmless=1))
    (found,) = verdicts(uploads(1, harmless=0, seed=3))
    answered = {name: found[name] for name in ("findings", "risk_level", "reasons", "hits")}
    blocked = {**harmless, **answered, "decision": "block"}
    newest = superseded(harmless, decision="pass")
    a_persons = {**blocked, "decided_by": "human", "decision": "review", "sequence": 1}

    for several, counts_alone in (
        ([harmless, blocked], blocked),
        ([harmless, blocked, newest], newest),
        ([newest, a_persons, blocked], a_persons),
    ):
        alone = counted([counts_alone])
        for order in permutations(several):
            counts = counted(order)
            assert (matrix(counts), counts.tenants, counts.purposes) == (
                matrix(alone), alone.tenants, alone.purposes,
            )  # fmt: skip
            assert counts.replayed == 1
            assert counts.left_out["repeated"] == len(several) - 1
    assert matrix(counted([harmless])) != matrix(counted([blocked]))


def test_what_verdicts_keep_of_the_context_is_known_where_it_is_absent() -> None:
    """
    A member that `privacy.context` keeps, and a verdict lacks, was not sent: the rule about it does not match. Of one
    that is not kept nothing is known, and nothing is guessed.
    """
    about = {"match": {"label": ["*"], "context": {"trust": ["new"]}}, "then": "block", "id": "new"}
    candidate = policy({"record_context": ["trust"], "rules": [about]}, 2)
    silent = [{**each, "context": {}} for each in verdicts(uploads(20, harmless=0))]

    kept, not_kept = counted(silent, candidate, kept=["trust"]), counted(silent, candidate)

    assert (kept.replayed, not_kept.replayed) == (20, 0)
    assert set(not_kept.not_replayed) == {"candidate: context: trust"}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"provisional": True}, "provisional"),
        ({"omitted": ["findings"]}, "omitted"),
        ({"findings": []}, "no_answer"),
        ({"asked": None}, "asked_not_said"),
        ({"schema": "moderation.verdict.v2"}, "not_a_verdict"),
        ({"findings": [{"label": 1}]}, "not_a_verdict"),
        ({"timing": {}}, "not_a_verdict"),
    ],
)
def test_what_is_not_replayed_is_counted_by_why(changed: Any, why: str) -> None:
    """
    Nothing is guessed, and nothing is passed over.
    """
    one, other = verdicts(uploads(2))

    counts = counted([{**one, **changed}, other])

    assert counts.left_out == {why: 1}
    assert counts.replayed == 1


@pytest.mark.parametrize("value", [None, 7, "text", [], {}, {"schema": "moderation.verdict.v1"}])
def test_whatever_is_read_is_counted(value: Any) -> None:
    """
    A line that is no verdict ends nothing, and its place is told.
    """
    counts = counted([value, *verdicts(uploads(1))])

    assert counts.left_out == {"not_a_verdict": 1}
    assert counts.not_verdicts == ["file:1"]
    assert counts.replayed == 1


def test_a_service_that_was_not_asked_is_not_guessed() -> None:
    """
    The candidate asks one more: what it would have said is not known, and counted by its name.
    """
    more = policy({"services": ["baselineCheck_global", "aigcDetector_global"]}, 2)
    found = [each for each in verdicts(uploads(200)) if each["decision"] != "block"]

    counts = counted(found, more)

    assert counts.replayed == 0
    assert dict(counts.not_replayed) == {"candidate: services: aigcDetector_global": len(found)}


def test_a_sample_has_the_same_images_every_time() -> None:
    """
    By their identity, whatever the order in which they are read.
    """
    found = verdicts(uploads(800))

    forth, back = counted(found, share=0.1), counted(reversed(found), share=0.1)

    assert matrix(forth) == matrix(back)
    assert 50 < forth.replayed < 110
    assert forth.left_out["not_sampled"] == 800 - forth.replayed
    assert list(forth.samples) != []
    assert [(one, [each["verdict_id"] for each in images]) for one, images in forth.samples] == [
        (one, [each["verdict_id"] for each in images]) for one, images in back.samples
    ]


def test_the_moment_at_which_it_was_decided_counts() -> None:
    """
    A rule that had expired by then matches nothing, and what is older than `since` is not counted.
    """
    rule = {
        "id": "r", "match": {"label": ["*"]}, "then": "block",
        "why": {"owner": "o", "reason": "r", "expires": "2025-11-20"},
    }  # fmt: skip
    found = list(uploads(100, harmless=0.0, apart=1_200.0))

    counts = counted(verdicts(found), policy({"rules": [rule]}, 2), since="2025-11-20T12:00:00.000Z")

    late = [each for each in found if each.decided >= 1_763_640_000]
    assert counts.left_out == {"before": len(found) - len(late)}
    assert matrix(counts) == expected(late, CURRENT, policy({"rules": [rule]}, 2))


def test_tenants_beyond_the_bound_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Producers name tenants: however many they name, memory stays the same.
    """
    monkeypatch.setattr(counting, "MOST_NAMES", 10)
    (one,) = verdicts(uploads(1))
    named = [
        {**one, "tenant": f"t{nth}", "event": {**one["event"], "offset": nth}} for nth in range(60)
    ]  # fmt: skip

    counts = counted(named)

    assert len(counts.tenants) == 11
    assert sum(counts.tenants[OTHERS]) == 50


def test_each_rule_is_left_out_once() -> None:
    """
    Told of is what the candidate would decide without it; a rule that changes nothing is not.
    """
    found = list(uploads(250, harmless=0.0))
    gun = {"id": "gun", "match": {"label": ["violent_*"]}, "then": "review"}
    idle = {"id": "idle", "match": {"label": ["violent_*"]}, "then": "block"}
    with_them, without = policy({"rules": [gun, idle]}, 2), policy({"rules": [idle]}, 2)

    counts = counted(verdicts(found), with_them)

    cells = expected(found, without, with_them)
    assert counts.marginals == {"gun": [0 if at % (WIDTH + 1) == 0 else cell for at, cell in enumerate(cells)]}


def test_a_persons_decision_is_compared_once() -> None:
    """
    Also where it is about the verdict that superseded another of the same submission.
    """
    people = People()
    first, second = verdicts(uploads(2, harmless=0.0))
    superseding = {**second, "verdict_id": "ab" * 16, "supersedes": second["verdict_id"]}
    for verdict_id, decision in ((first["verdict_id"], "remove"), ("ab" * 16, "approve"), ("cd" * 16, "remove")):
        people.add(
            {"schema": "moderation.review.v1", "verdict_id": verdict_id, "decision": decision,
             "decided_at": "2026-01-01T00:00:00Z", "claimed_at": "2025-12-31T23:59:30Z"}
        )  # fmt: skip

    counted([first, first, second, superseding], people=people)

    assert {removed: sum(cells) for removed, cells in people.matched.items()} == {True: 1, False: 1}
    assert people.not_matched == 1
    assert people.seconds_per_review == 30.0


def test_a_kind_says_where_it_stands_in_the_matrix() -> None:
    """
    By the current decision first.
    """
    assert Kind(2, 0).cell == 2 * WIDTH


def test_failures_of_services_are_replayed_with_what_others_found() -> None:
    """
    `on_error` of either policy decides beside the findings.
    """
    strict = policy({"on_error": {"image": "block"}}, 2)
    (upload,) = uploads(1, harmless=1.0)
    failure = Failure(kind="image", code="406", service=upload.assessment.answers[0].service)
    failed = upload._replace(assessment=replace(upload.assessment, failure=failure))
    nothing = upload._replace(
        submission=replace(upload.submission, event_id="e2", image=replace(upload.submission.image, id="1")),
        assessment=Assessment(failure=failure),
    )

    counts = counted(verdicts([failed, nothing]), strict)

    expected_cell = WIDTH * STRICTNESS[Decision.REVIEW] + STRICTNESS[Decision.BLOCK]
    assert matrix(counts) == [int(at == expected_cell) for at in range(WIDTH**2)]
    assert counts.left_out == {"no_answer": 1}
