"""The review tool of the examples keeps what people must look at."""

import runpy
from typing import Any

import orjson

from consumer.config.kafka import OutputTopics
from consumer.errors import Undecodable
from consumer.intake.decode import Bindings, decode
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Assessment, Failure, Ignored, PolicyName
from consumer.verdicts.encode import Encoding
from consumer.verdicts.outcomes import Outcomes
from tests.demo.test_uploads import SETTINGS, made
from tests.rig.events import delivery, upload
from tests.rig.replica import ROOT

REVIEW = runpy.run_path(str(ROOT / "examples" / "review.py"))
OUTCOMES = Outcomes(Encoding(group="group"), OutputTopics())
DECIDING = Deciding(Policy(settings=PolicySettings(policy="test", version=1), sha256="ab"))
FAILED = Assessment(failure=Failure(kind="fetch", code="404"))


def verdicts(value: bytes | None, headers: Any = (), offset: int = 0) -> list[dict[str, Any]]:
    """Review verdicts about each image of a message, as the service writes them."""
    try:
        decoded = decode(delivery(value, offset=offset, headers=headers), Bindings.of(SETTINGS), "group")
    except Undecodable:
        return []
    found = [] if isinstance(decoded, Ignored) else decoded
    written = [OUTCOMES.verdict(DECIDING.decide(each, FAILED, 0.0)) for each in found]
    return [orjson.loads(each.record.value or b"") for each in written]


def test_verdicts_about_the_demos_uploads_are_all_taken() -> None:
    """
    Of every format, with and without a revision, each image of an event: none fails, and none that is new is dropped.
    """
    queue: dict[Any, Any] = {}
    told = [verdict for offset, each in enumerate(made(300)) for verdict in verdicts(each.value, each.headers, offset)]

    taken = [REVIEW["add"](queue, verdict) for verdict in told]

    assert len(told) > 200
    assert any(verdict["subject"]["revision"] is None for verdict in told)
    assert any(verdict["image"]["of"] > 1 for verdict in told)
    assert [verdict["subject"]["id"] for verdict, new in zip(told, taken, strict=True) if not new] == []
    assert all(REVIEW["why"](verdict) == "could not be judged (fetch 404)" for verdict in told)


def test_each_image_of_an_event_waits_until_a_newer_upload_takes_its_place() -> None:
    """
    The second image of an event is kept, a repetition is not, and what is older comes too late.
    """
    queue: dict[Any, Any] = {}
    older = verdicts(upload("e", "https://a/1", "https://a/2", subject="u"), offset=1)
    newer = verdicts(upload("f", "https://a/3", subject="u"), offset=2)

    taken = [REVIEW["add"](queue, verdict) for verdict in [*older, older[1]]]
    both = [sorted(images) for images in queue.values()]
    replaced = [REVIEW["add"](queue, verdict) for verdict in [*newer, *older]]

    assert (taken, both) == ([True, True, False], [["0", "1"]])
    assert replaced == [True, False, False]
    assert [sorted(images) for images in queue.values()] == [["0"]]


def test_an_image_without_an_answer_waits_until_it_has_one_in_whatever_order_they_are_read() -> None:
    """
    A provisional verdict gives way to the final one: in the queue where that is a review, else it leaves. Read behind
    it, it does not come back.
    """
    [final] = verdicts(upload("e", "https://a/1", subject="u"))
    [image] = decode(delivery(upload("e", "https://a/1", subject="u")), Bindings.of(SETTINGS), "group")  # type: ignore[misc]
    told = OUTCOMES.provisional(image, PolicyName(id="test", version=1, sha256="ab"), 0.0)
    provisional = orjson.loads(told.record.value or b"")
    queue: dict[Any, Any] = {}

    assert REVIEW["add"](queue, provisional)
    assert REVIEW["why"](provisional) == "no answer yet"
    assert REVIEW["add"](queue, final)
    assert not REVIEW["add"](queue, provisional)
    assert [images["0"]["provisional"] for images in queue.values()] == [False]

    settled: set[Any] = set()
    queue = {}
    REVIEW["add"](queue, provisional, settled)
    REVIEW["settle"](queue, settled, {**final, "decision": "pass"})
    assert list(queue.values()) == [{}]
    assert not REVIEW["add"](queue, provisional, settled)
