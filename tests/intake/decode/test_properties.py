"""
What holds for every message, however broken: more than 20,000 of them are made up here.

Nothing but `Undecodable` escapes, and what is submitted is whole, named once and the same on every delivery.
Every outcome of theirs is encoded, traced, logged, built by the record builder, and found again by who reads the
outputs as journal. No user part of a URL is in any of it.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any
from urllib.parse import unquote

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consumer.commands.decode import show
from consumer.config import Config
from consumer.errors import Undecodable
from consumer.intake.decode import Omission, Rejection, Rules, decode, recognise
from consumer.locations import ByObject, ByUrl, NotAskable
from consumer.records import Assessment, Decoded, Delivery, Headers, Ignored, Submission
from consumer.redaction import presentable, redacted
from consumer.tracing.spans import _origin, _renamed
from consumer.verdicts.outcomes import Outcome
from tests.intake.decode.messages import BINDINGS, GROUP, SAMPLES, message, refused, sample, submitted
from tests.verdicts.test_fitting import DECIDING, OUTCOMES, check_journal

# Time limits an example would measure the machine's load; what could take long has tests of its own.
REJECTIONS = {reason.value for reason in Rejection}
ANYTHING = {name: ["*"] for name in ("tenants", "purposes", "hosts", "buckets")}
ANY_CLAIM = Rules.of(Config.model_validate({"sources": {"uploads": ANYTHING}}))
"""Looks at every claim, and finds none that is beyond."""
OMISSIONS = {reason.value for reason in Omission}

Path = tuple[str | int, ...]


def paths(document: Any) -> list[Path]:
    """The way to each member and element of a document."""
    children = document.items() if isinstance(document, dict) else enumerate(document)
    found: list[Path] = []
    for step, child in children:
        found.append((step,))
        if isinstance(child, dict | list):
            found += [(step, *path) for path in paths(child)]
    return found


PLACES = [(name, path) for name, document in SAMPLES.items() for path in paths(document)]
VOCABULARY = sorted({step for _, path in PLACES for step in path if isinstance(step, str)})
NASTY: list[Any] = [
    None, True, False, 0, -1, 2**63, 2**64 - 1, 1e308, "", " ", "\x00", "a" * 1025, "a" * 5000, "é", "%", "%FF", "..",
    "0", "[]", "image.uploaded.v1", "image.uploaded.v2", "oss:ObjectCreated:PutObject", "ObjectCreated:Put", "1.0",
    "https://example.com/", "https://例子/", "http://[::", "2026-11-20T10:00:00Z", "2026-02-30T10:00:00Z", "{key}", "{",
    [], [None], {}, {"": {}}, [[[[[[[[]]]]]]]], {"a": "b" * 9000}, ["x"] * 100,
]  # fmt: skip
HEADERS: st.SearchStrategy[Headers] = st.lists(
    st.tuples(
        st.sampled_from(["content-type", "ce_specversion", "ce_type", "ce_source", "ce_id", "ce_time", "traceparent"]),
        st.sampled_from(
            [None, b"", b"\xff", b"1.0", b"image.uploaded.v1", b"application/cloudevents+json", b"application/json",
             b"application/cloudevents-batch+json", b"2026-11-20T10:00:00Z"]
        ),
    ),
    max_size=6,
)  # fmt: skip
DOCUMENTS = st.recursive(
    st.sampled_from(NASTY) | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(VOCABULARY), inner, max_size=6),
    max_leaves=12,
)


def check(read: Delivery) -> None:
    """All that must hold of whatever becomes of a message."""
    assert isinstance(recognise(read).format, str)
    outcome = outcome_of(read)
    if isinstance(outcome, Undecodable):
        assert outcome.reason in REJECTIONS
        assert outcome.detail.isprintable()
        assert len(outcome.detail) < 250
        check_outcome(read, OUTCOMES.dead_letter(read, outcome, 0.0))
    elif isinstance(outcome, Ignored):
        assert outcome.reason in OMISSIONS
    else:
        check_submissions(read, outcome)


def check_outcome(read: Delivery, outcome: Outcome) -> None:
    """What comes after decoding takes it: the trace, the record builder, the journal."""
    _origin(read)
    check_journal(read, outcome, _renamed(outcome).record)


def outcome_of(read: Delivery) -> Decoded | Undecodable:
    """What becomes of a message; any other exception fails the test. It may claim anything, by what sources says."""
    try:
        return decode(read, BINDINGS, GROUP, ANY_CLAIM)
    except Undecodable as error:
        refusal = error
    assert refusal.reason != Rejection.NOT_ALLOWED
    return refusal


def check_submissions(read: Delivery, decoded: Sequence[Submission]) -> None:
    """They are whole, each is named once, and the provider and JSON can take them."""
    assert 1 <= len(decoded) <= 64
    assert len({each.id for each in decoded}) == len({each.image.id for each in decoded}) == len(decoded)
    for each in decoded:
        assert each.of == len(decoded)
        assert each.delivery is read
        assert each.event_id
        check_outcome(read, OUTCOMES.verdict(DECIDING.decide(each, Assessment(), 0.0)))
        assert each.subject.id
        assert abs(each.subject.revision or 0) < 2**53
        check_shown(each)
        if isinstance(each.location, ByUrl):
            assert each.location.url.isascii()
            assert len(each.location.url) <= 2048
        assert all(isinstance(orjson.loads(part), dict) for part in (each.context, each.attrs, each.extra))


def check_shown(each: Submission) -> None:
    """The verdict shows an object or a URL, never both, and what is asked about is that."""
    ref, location = each.image.ref, each.location
    assert (each.image.url is None) == (ref is not None)
    if ref is None:
        assert isinstance(location, ByUrl)
    elif ref.version is not None:  # no binding here can ask for one
        assert isinstance(location, NotAskable)
    elif isinstance(location, ByObject):
        assert (location.bucket, location.key) == (ref.bucket, ref.key)
    else:
        assert isinstance(location, ByUrl)
        assert unquote(location.url).endswith(f"/{ref.key}")


def changed(document: Any, path: Path, value: Any) -> Any:
    """A copy with one member or element replaced, or removed where `value` is `...`."""
    copy = deepcopy(document)
    *parents, last = path
    holder = copy
    for step in parents:
        holder = holder[step]
    if value is ...:
        del holder[last]
    else:
        holder[last] = value
    return copy


@pytest.mark.parametrize("name", SAMPLES)
def test_an_event_with_any_member_changed_has_an_outcome(name: str) -> None:
    """
    Real events with each member in turn removed, and replaced by each value that parsers dislike, are read or refused
    by a rule.
    """
    for path in paths(SAMPLES[name]):
        for value in (..., *NASTY):
            check(message(changed(SAMPLES[name], path, value)))


@settings(max_examples=500)
@given(
    place=st.sampled_from(PLACES),
    other=st.sampled_from(PLACES),
    values=st.tuples(st.sampled_from(NASTY), st.sampled_from(NASTY)),
    headers=HEADERS,
)
def test_an_event_changed_twice_has_an_outcome(
    place: tuple[str, Path], other: tuple[str, Path], values: tuple[Any, Any], headers: Headers
) -> None:
    """
    Two changes, one of them foreign to the format, and headers that do not fit make no new kind of outcome.
    """
    name, path = place
    document = changed(SAMPLES[name], path, values[0])

    check(message({**document, str(other[1][-1]): values[1]}, headers))


@settings(max_examples=2_000)
@given(value=st.binary(max_size=64), headers=HEADERS)
def test_any_bytes_have_an_outcome(value: bytes, headers: Headers) -> None:
    """
    Whatever a producer puts on the topic, with whatever headers, is a dead letter, ignored, or submitted.
    """
    check(message(value))
    check(message(value, headers))


@settings(max_examples=1_000)
@given(document=DOCUMENTS, headers=HEADERS)
def test_any_json_has_an_outcome(document: Any, headers: Headers) -> None:
    """
    So has every JSON document made of the formats' own names and of values that parsers dislike.
    """
    check(message(document))
    check(message(document, headers))


@settings(max_examples=400)
@given(name=st.sampled_from(sorted(SAMPLES)), at=st.integers(0, 1200), cut=st.integers(0, 12))
def test_an_event_with_its_bytes_damaged_has_an_outcome(name: str, at: int, cut: int) -> None:
    """
    Bytes lost or put in between, as by a faulty producer, do no more harm than a changed member.
    """
    value = orjson.dumps(SAMPLES[name])

    for insert in (b"", b"\xff", b'"', b"}", b"{", b"[", b",", b":", b"\\", b"\\ud800", b"9", b"null", b"NaN"):
        check(message(value[:at] + insert + value[at + cut :]))


@settings(max_examples=300)
@given(kinds=st.lists(st.sampled_from(["created", "removed", "tagged", "broken", "unbound"]), min_size=1, max_size=64))
@pytest.mark.parametrize("name", ["aws_s3", "oss"])
def test_a_notification_is_read_whole_or_not_at_all(name: str, kinds: list[str]) -> None:
    """
    One rejected record among many leaves nothing submitted; without one, exactly the created objects are, by index.
    """
    changes: dict[str, dict[str, Any]] = {
        "aws_s3": {
            "created": {},
            "removed": {"Records__0__eventName": "ObjectRemoved:Delete"},
            "tagged": {"Records__0__eventName": "ObjectTagging:Put"},
            "broken": {"Records__0__s3__object": None},
            "unbound": {"Records__0__s3__bucket__name": "elsewhere"},
        },
        "oss": {
            "created": {},
            "removed": {"events__0__eventName": "ObjectRemoved:DeleteObject"},
            "tagged": {"events__0__eventName": "ObjectTagging:Put"},
            "broken": {"events__0__oss": None},
            "unbound": {"events__0__oss__bucket__name": "elsewhere"},
        },
    }
    member = "Records" if name == "aws_s3" else "events"
    event = {member: [sample(name, **changes[name][kind])[member][0] for kind in kinds]}

    created = [str(index) for index, kind in enumerate(kinds) if kind == "created"]
    if {"broken", "unbound"} & set(kinds):
        first = next(kind for kind in kinds if kind in ("broken", "unbound"))
        assert refused(message(event))[0] == {"broken": "missing_member", "unbound": "unbound_bucket"}[first]
    elif created:
        assert [each.image.id for each in submitted(message(event))] == created
    else:
        assert isinstance(decode(message(event), BINDINGS, GROUP), Ignored)


@given(
    name=st.sampled_from(
        ["native", "aws_s3", "minio", "ceph", "s3_eventbridge", "oss", "oss_eventbridge", "cloudevents"]
    ),
    moved=st.sampled_from(
        [{"topic": "other"}, {"partition": 9}, {"offset": 9}, {"timestamp": 9.0}, {"group": "other"}]
    ),
    received=st.floats(0, 2e9),
)
def test_ids_are_those_of_the_place_in_kafka(name: str, moved: dict[str, Any], received: float) -> None:
    """
    A redelivery, whenever it is received, has the same ids; another place, a topic made anew or another group has none
    of them.
    """
    read = message(SAMPLES[name])
    fields = {field: getattr(read, field) for field in Delivery.__slots__}
    group = moved.get("group", GROUP)
    elsewhere = Delivery(**{**fields, **{key: value for key, value in moved.items() if key != "group"}})

    ids = {each.id for each in submitted(read)}
    again = {each.id for each in submitted(Delivery(**{**fields, "received": received}))}
    other = decode(elsewhere, BINDINGS, group)

    assert ids == again
    assert not isinstance(other, Ignored)
    assert not ids & {each.id for each in other}


SECRET = "s3cr3t"
USERS = st.lists(
    st.sampled_from(
        ["user", ":", "%41", "%zz", "@", "／", "＠", "：", "\\", "/", "?", "#", "[", "é", " ", "\t", "\x00", "+"]
    ),
    max_size=4,
).map("".join)
HOSTS = st.sampled_from(
    ["img.example", "[::1]", "[1:2:3]", "xn--zz--", "img.example:99999", "img.example:٣", "例子", "127.1", "", "a" * 64]
)


@settings(max_examples=1_000)
@example("http://", "user/", "", "img.example")
@example("http://", "user", "/", "img.example")
@given(
    scheme=st.sampled_from(["http://", "HTTPS://", "http:/", "//", "ftp://", ""]), before=USERS, after=USERS, host=HOSTS
)
def test_no_user_part_of_a_url_is_told(scheme: str, before: str, after: str, host: str) -> None:
    """
    Neither of one that is accepted, in its verdict, in `decode` or in the log, nor of one that is refused, in the
    letter's headers: the value of a dead letter is the message's own. What stands behind a host that is accepted, such
    as an @ in a path, is no user part (RFC 3986, 3.2).
    """
    url = f"{scheme}{before}:{SECRET}{after}@{host}/a.jpg"
    read = message(sample("native", images=[{"url": url}]))
    outcome = outcome_of(read)
    assert not isinstance(outcome, Ignored)

    lines, _ = show(read.value, (), None)
    told: list[object] = [lines]
    if isinstance(outcome, Undecodable):
        told += [outcome.detail, OUTCOMES.dead_letter(read, outcome, 0.0).record.headers]
    else:
        for each in outcome:
            record = OUTCOMES.verdict(DECIDING.decide(each, Assessment(), 0.0)).record
            told += [record.key, record.value, record.headers]
        told.append(logged(url, outcome[0]))
        if {*"/?#"}.intersection(before):
            return

    assert SECRET not in repr(told)


def logged(url: str, submission: Submission) -> str:
    """The line that would tell of them."""
    return repr(presentable({"url": redacted(url), "submission": redacted(repr(submission))}))
