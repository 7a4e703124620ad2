import hashlib
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.config.loading import load_config
from consumer.demo.images import draw_images
from consumer.demo.messages import (
    CEPH_BUCKET,
    MINIO_BUCKET,
    OBJECTS,
    OSS_BUCKET,
    PRIVATE_BUCKET,
    PRIVATE_OBJECTS,
    S3_BUCKET,
    Site,
    etag_of,
)
from consumer.demo.outcomes import WHOLE, Outcome, Place, Upload
from consumer.demo.rules import RULES
from consumer.demo.stage import CDN
from consumer.demo.uploads import FEWEST, KINDS, uploads
from consumer.emulator.errors import ServiceError
from consumer.emulator.images import Gallery
from consumer.emulator.parameters import ImageUrl, OssObject, Parameters
from consumer.emulator.rules import judgement
from consumer.errors import Undecodable
from consumer.intake.decode import Bindings, Omission, Rules, decode, recognise
from consumer.locations import ByObject, ByUpload, ImageLocation, NotAskable, StoredObject, fetched_from
from consumer.policy.schema import load_policy
from consumer.records import Ignored, Submission
from consumer.vendor_facts.aliyun import DEFAULT_REGION
from tests.demo.test_images import frames_of
from tests.rig.events import delivery

CONFIG = Path(__file__).parents[2] / "config" / "demo.yaml"
SETTINGS = load_config(CONFIG, {})
ROUTE = load_policy(SETTINGS.policies.file).settings.route
GALLERY = Gallery()
LEVELS = ("none", "low", "medium", "high")
SITE = Site("http://127.0.0.1:1", draw_images())
PUBLIC = frozenset({S3_BUCKET, MINIO_BUCKET, CEPH_BUCKET})


def made(count: int) -> list[Upload]:
    return list(uploads(count, SITE, 1_795_000_000.0))


def file_behind(location: ImageLocation) -> bytes | None:
    """What the provider would get: from a bucket, from the images' server, from the uploads' own URLs, or from us."""
    if isinstance(location, ByUpload):
        return stored(location.source) if isinstance(location.source, StoredObject) else None
    if isinstance(location, ByObject):
        return SITE.files[OBJECTS[location.key]] if location.bucket == OSS_BUCKET else None
    url = fetched_from(location) or ""
    path = unquote(urlsplit(url).path).removeprefix("/")
    bucket, _, key = path.partition("/")
    if url.startswith(CDN) and bucket in PUBLIC:
        return SITE.files[OBJECTS[key]]
    return SITE.files.get(path.rpartition("/")[2])


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def stored(wanted: StoredObject) -> bytes | None:
    """What the private bucket would give."""
    if wanted.bucket != PRIVATE_BUCKET or wanted.store not in SETTINGS.stores or wanted.key not in PRIVATE_OBJECTS:
        return None
    found = SITE.files[PRIVATE_OBJECTS[wanted.key]]
    return found if wanted.etag in (None, etag_of(found)) else None


def outcome_by_the_rules(submission: Submission) -> Outcome:
    """What the emulated provider answers about an image, and where the demo's policy sends it."""
    location = submission.location
    assert not isinstance(location, NotAskable)
    content = file_behind(location)
    if content is None:
        return Outcome(Place.REVIEW, "error: fetch")
    frames = frames_of(content) if isinstance(location, ByUpload) else [content]
    try:
        pictures = [GALLERY.look(frame) for frame in frames]
    except ServiceError as refusal:
        return Outcome(Place.REVIEW, {407: "error: image"}[refusal.code])
    image = (
        OssObject(location.region or "", location.bucket, location.key)
        if isinstance(location, ByObject)
        else ImageUrl(fetched_from(location) or "")
    )
    asked = Parameters("baselineCheck_global", image, data_id="", info_types=frozenset(), region=DEFAULT_REGION)
    level: Any = max((str(judgement(RULES, asked, picture)["RiskLevel"]) for picture in pictures), key=LEVELS.index)
    return Outcome(Place(getattr(ROUTE, level)), level)


def outcomes_by_the_service(upload: Upload) -> dict[str, Outcome]:
    """What the service's decoder, the provider's rules and the policy make of a message."""
    message = delivery(upload.value, headers=upload.headers)
    try:
        decoded = decode(message, Bindings.of(SETTINGS), "demo", Rules.of(SETTINGS))
    except Undecodable as error:
        return {WHOLE: Outcome(Place.DEAD_LETTER, error.reason)}
    if isinstance(decoded, Ignored):
        return {WHOLE: Outcome(Place.IGNORED, decoded.reason)}
    return {submission.image.id: outcome_by_the_rules(submission) for submission in decoded}


@settings(max_examples=30)  # each makes up to 2,000
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


def test_expectations_agree_with_the_service() -> None:
    """
    What the demo expects of each kind, which it says itself, is what decoder, provider's rules and policy come to.
    """
    sent = made(1_000)

    assert [upload.expected for upload in sent] == [outcomes_by_the_service(upload) for upload in sent]


def test_the_formats_of_applications_and_buckets_occur() -> None:
    """
    Each is among what is uploaded, already with the fewest uploads.
    """
    formats = {recognise(delivery(upload.value, headers=upload.headers)).format for upload in made(FEWEST)}

    assert formats >= {
        "cloudevents_structured", "cloudevents_binary", "native", "s3", "s3_eventbridge", "s3_test", "argo", "oss",
    }  # fmt: skip


def test_every_reason_to_ignore_and_every_level_occurs() -> None:
    """
    The demo shows all there is to ignore, every risk level, and what cannot be judged.
    """
    outcomes = {outcome for kind in KINDS for outcome in kind.outcomes}

    assert {outcome.why for outcome in outcomes if outcome.place is Place.IGNORED} == {*Omission}
    assert outcomes >= {
        (Place.BLOCK, "high"),
        (Place.REVIEW, "medium"),
        (Place.PASS, "low"),
        (Place.PASS, "none"),
        (Place.REVIEW, "error: image"),
        (Place.REVIEW, "error: fetch"),
    }


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


def test_what_the_service_is_to_fetch_is_known_by_its_digest() -> None:
    """
    The digest that the demo expects in a verdict is that of the private object; of nothing else is one expected.
    """
    digests: dict[str, set[str]] = {}
    for upload in made(600):
        message = delivery(upload.value, headers=upload.headers)
        try:
            decoded = decode(message, Bindings.of(SETTINGS), "demo", Rules.of(SETTINGS))
        except Undecodable:
            continue
        private = {
            each.image.id: file_behind(each.location)
            for each in (() if isinstance(decoded, Ignored) else decoded)
            if isinstance(each.location, ByUpload)
        }
        known = {image: sha256(data) for image, data in private.items() if data is not None}
        assert {image: wanted.sha256 for image, wanted in upload.fetched.items()} == known
        digests.setdefault(upload.kind, set()).update(known.values())

    assert set.union(*digests.values()) == {sha256(SITE.files[file]) for file in PRIVATE_OBJECTS.values()}
    assert [kind for kind in digests if kind.startswith("private") and not digests[kind]] == [
        "private, deleted meanwhile",
        "private, overwritten",
    ]


def test_messages_without_images_have_one_outcome() -> None:
    """
    What becomes a dead letter, or nothing, does so as a whole.
    """
    for upload in made(FEWEST):
        whole = {outcome.place for outcome in upload.expected.values()} <= {Place.DEAD_LETTER, Place.IGNORED}
        assert (set(upload.expected) == {WHOLE}) is whole
