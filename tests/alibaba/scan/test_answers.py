"""What is accepted of the 1.0 API's answers, and what of them is a failure."""

import json
import random
from collections import Counter
from typing import Any

import pytest

from consumer.alibaba.scan.answers import judged, tasks_in
from consumer.errors import (
    AccountRefused,
    CallFailed,
    ImageRefused,
    InputRefused,
    Malformed,
    ProviderFailed,
    Throttled,
    Unreachable,
)
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings, asked_by
from consumer.records import Assessment, Failure, ModerationResult
from consumer.vendor_facts.scan import ONLY_SERVICE
from tests.alibaba.scan.made_up import OURS, SCENES, answer, mildest
from tests.rig.events import submission

# As the page has it, with an image's two scenes.
ENTRY: dict[str, Any] = {
    "msg": "OK", "code": 200, "dataId": OURS, "extras": {}, "taskId": "img5RFnCR5sruX5l7UknC4UcQ-1u3eGE",
    "url": "http://img.example.com/1.jpg",
    "results": [
        {"rate": 99.9, "suggestion": "pass", "label": "normal", "scene": "porn"},
        {"rate": 77.57, "suggestion": "review", "label": "weapon", "scene": "terrorism"},
        {"rate": 95, "suggestion": "block", "label": "npx", "scene": "ad"},
    ],
}  # fmt: skip


def read(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> ModerationResult:
    found = tasks_in(status, headers or {}, body)
    return judged(found.tasks[0], OURS, SCENES, found.request_id)


def body(entry: dict[str, Any] | None = None, **changes: Any) -> bytes:
    return json.dumps({"msg": "OK", "code": 200, "data": [entry or ENTRY], "requestId": "R-1", **changes}).encode()


def failure(text: bytes, status: int = 200, headers: dict[str, str] | None = None) -> CallFailed:
    with pytest.raises(CallFailed) as failed:
        read(text, status, headers)
    return failed.value


def test_each_scene_is_a_finding_with_the_level_of_its_suggestion() -> None:
    """
    Block is high, review medium, pass none; the highest is the overall level, and each scene is charged for.
    """
    result = read(body())

    assert [(each.name, each.level, each.confidence) for each in result.labels] == [
        ("v1:porn:normal", "none", 99.9),
        ("v1:terrorism:weapon", "medium", 77.57),
        ("v1:ad:npx", "high", 95.0),
    ]
    assert (result.service, result.risk_level, result.billed, result.request_id) == ("scan-1.0", "high", 3, "R-1")


@pytest.mark.parametrize(
    ("member", "value", "named"),
    [
        ("dataId", "another", "dataId"),
        ("dataId", None, "dataId"),
        ("results", [], "results"),
        ("results", None, "results"),
        ("results", ENTRY["results"][:2], "scene"),
        ("results", [*ENTRY["results"], {"scene": "logo"}], "label"),
        ("code", "200", "code"),
    ],
)  # fmt: skip
def test_what_is_not_all_that_was_asked_is_malformed_and_was_billed(member: str, value: Any, named: str) -> None:
    """
    Another image's answer, a scene that is missing, and one more that nobody can read.
    """
    failed = failure(body({**ENTRY, member: value}))

    assert (type(failed), failed.code, failed.billed, failed.request_id) == (Malformed, named, "yes", "R-1")


@pytest.mark.parametrize(
    ("member", "value"),
    [("suggestion", "unsure"), ("suggestion", "Pass"), ("suggestion", None), ("rate", "99"), ("rate", None),
     ("rate", True), ("rate", 100.1), ("label", ""), ("label", 3), ("scene", "x" * 200)],
)  # fmt: skip
def test_a_result_of_unknown_words_or_numbers_is_malformed(member: str, value: Any) -> None:
    """
    An unknown suggestion among them: what it asks for is not known.
    """
    first, *others = ENTRY["results"]

    assert isinstance(failure(body({**ENTRY, "results": [{**first, member: value}, *others]})), Malformed)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(588, Throttled), (403, Unreachable), (404, Unreachable), (480, Unreachable), (592, Unreachable),
     (594, Unreachable), (589, ImageRefused), (590, ImageRefused), (595, ImageRefused), (400, InputRefused),
     (401, AccountRefused), (596, AccountRefused), (500, ProviderFailed), (581, ProviderFailed),
     (280, ProviderFailed), (999, ProviderFailed)],
)  # fmt: skip
def test_codes_are_sorted_alike_in_the_answer_and_in_a_task(code: int, kind: type[CallFailed]) -> None:
    """
    403 is an image that cannot be fetched and 588 the quota; a code that nobody lists is the provider's failure.
    """
    for failed in (failure(body(code=code, data=None)), failure(body({"code": code, "dataId": OURS}))):
        assert (type(failed), failed.billed) == (kind, "no")


def test_the_gateway_refuses_in_words() -> None:
    """
    As it does for 2.0; and any error that asks to wait is throttling.
    """
    refused = json.dumps({"Code": "SignatureDoesNotMatch", "Message": "…", "RequestId": "R-2"}).encode()

    assert type(failure(refused, 400)) is AccountRefused
    assert failure(refused, 400).request_id == "R-2"
    waits = failure(body(code=500), 200, {"x-acs-retry-after": "1500"})
    assert (type(waits), waits.retry_after) == (Throttled, 1.5)
    assert type(failure(b"<html>", 502)) is ProviderFailed


@pytest.mark.parametrize(
    ("text", "named"),
    [(body(data=[ENTRY, ENTRY]), "data"), (body(data={}), "data"), (body(data=[3]), "data"),
     (body(Code=200), "code"),
     (body().replace(b'"suggestion"', b'"suggestion": "pass", "suggestion"', 1), "member_twice")],
)  # fmt: skip
def test_an_answer_that_has_two_readings_has_none(text: bytes, named: str) -> None:
    """
    Two tasks for one image, and members that stand twice.
    """
    assert (type(failure(text)), failure(text).code) == (Malformed, named)


def decision(text: bytes) -> str:
    """What a policy without rules makes of an answer."""
    policy = Deciding(Policy(settings=asked_by(ONLY_SERVICE, PolicySettings(policy="p", version=1)), sha256="0"))
    try:
        assessment = Assessment(answers=(read(text),))
    except CallFailed as failed:
        assessment = Assessment(failure=Failure(kind=failed.kind, code=failed.code))
    return str(policy.decide(submission(), assessment, 0.0).decision)


@pytest.mark.parametrize("seed", range(4))
def test_no_made_up_answer_passes_where_any_part_asks_for_more_or_is_missing(seed: int) -> None:
    """
    500 answers each, against a reading of their own; `python -m tests.alibaba.scan.test_answers` has 20,000.
    """
    assert look_at(random.Random(seed), 500)["pass"] > 50


def look_at(dice: random.Random, many: int) -> Counter[str]:
    """Compare the decisions about so many answers with what is allowed, and count them."""
    seen: Counter[str] = Counter()
    for _ in range(many):
        text = answer(dice)
        got, allowed = decision(text), mildest(text)
        assert got == (allowed or "review"), text
        seen[got] += 1
    return seen


if __name__ == "__main__":
    print(look_at(random.Random(14), 20_000))
