from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.config import load_config, load_policy
from consumer.demo.images import draw_images
from consumer.demo.outcomes import WHOLE, Outcome, Place, Upload
from consumer.demo.rules import RULES
from consumer.demo.uploads import FEWEST, KINDS, OSS_BUCKET, S3_BUCKET, STRANGE_BUCKET, Site, uploads
from consumer.emulator.errors import ServiceError
from consumer.emulator.images import look
from consumer.emulator.parameters import ImageUrl, Parameters
from consumer.emulator.rules import judgement

CONFIG = Path(__file__).parents[2] / "config" / "demo.yaml"
SITE = Site("http://127.0.0.1:1", draw_images())


def made(count: int) -> list[Upload]:
    return list(uploads(count, SITE, 1_795_000_000.0))


def outcome_by_the_rules(url: str) -> Outcome:
    """What the emulated provider answers about an image, and where the demo's policy sends it."""
    content = SITE.files.get(urlsplit(url).path.rpartition("/")[2])
    if content is None:
        return Outcome(Place.REVIEW, "error: fetch")
    try:
        picture = look(content, "")
    except ServiceError as refusal:
        return Outcome(Place.REVIEW, {407: "error: image"}[refusal.code])
    asked = Parameters("baselineCheck_global", ImageUrl(url), data_id="", info_types=frozenset())
    level: Any = judgement(RULES, asked, picture)["RiskLevel"]
    route = load_policy(load_config(CONFIG, {}).policy).settings.route
    return Outcome(Place(getattr(route, level)), level)


@given(st.integers(FEWEST, 2_000))
def test_every_kind_occurs(count: int) -> None:
    """
    As many uploads are made as were asked for, with every kind among them.
    """
    kinds = Counter(upload.kind for upload in made(count))

    assert kinds.total() == count
    assert set(kinds) == {kind.name for kind in KINDS}


def test_kinds_are_mixed() -> None:
    """
    Each kind is spread over the whole length, so that nothing is told by the end of a run alone.
    """
    sent = made(600)

    for kind in KINDS:
        places = [number for number, upload in enumerate(sent) if upload.kind == kind.name]
        assert places[0] < 100 <= 500 < places[-1]


def test_expected_outcomes_follow_from_rules_and_policy() -> None:
    """
    What is expected of an image is what the emulated provider's rules and the policy make of it.
    """
    expected, derived = [], []
    for upload in made(100):
        if upload.value and upload.value.startswith(b'{"schema"'):
            event = orjson.loads(upload.value)
            expected.append(dict(upload.expected))
            derived.append({image["id"]: outcome_by_the_rules(image["url"]) for image in event["images"]})

    assert expected == derived
    assert {outcome for each in derived for outcome in each.values()} >= {
        (Place.BLOCK, "high"),
        (Place.REVIEW, "medium"),
        (Place.PASS, "low"),
        (Place.PASS, "none"),
        (Place.REVIEW, "error: image"),
        (Place.REVIEW, "error: fetch"),
    }


def test_the_configuration_binds_the_buckets_of_notifications() -> None:
    """
    The buckets that are expected to have verdicts are bound, the one that is not has no binding.
    """
    bound = {binding.bucket for binding in load_config(CONFIG, {}).bindings}

    assert bound == {S3_BUCKET, OSS_BUCKET}
    assert STRANGE_BUCKET not in bound


def test_kinds_that_are_ignored_have_reasons_of_their_own() -> None:
    """
    The service counts what it ignores by reason, so a reason tells the kind.
    """
    reasons = [kind.outcomes[0].why for kind in KINDS if kind.outcomes[0].place is Place.IGNORED]

    assert len(reasons) == len(set(reasons)) > 0


@pytest.mark.parametrize("count", [FEWEST, 60, 600])
def test_some_keys_have_an_order_to_keep(count: int) -> None:
    """
    Some subjects are uploaded again and again, with rising revisions, under one key; no event id occurs twice.
    """
    events = [orjson.loads(each.value) for each in made(count) if each.value and each.value.startswith(b'{"schema"')]

    revisions: dict[str, list[int]] = {}
    for event in events:
        revisions.setdefault(event["subject"]["id"], []).append(event["subject"]["revision"])
    assert max(map(len, revisions.values())) >= 3
    assert all(several == sorted(set(several)) for several in revisions.values())
    assert len({event["event_id"] for event in events}) == len(events)


def test_messages_without_images_have_one_outcome() -> None:
    """
    What becomes a dead letter, or nothing, does so as a whole.
    """
    for upload in made(FEWEST):
        whole = {outcome.place for outcome in upload.expected.values()} <= {Place.DEAD_LETTER, Place.IGNORED}
        assert (set(upload.expected) == {WHOLE}) is whole
