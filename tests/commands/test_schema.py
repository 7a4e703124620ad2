"""The exported schemas: current, and telling the truth about what the service reads and writes."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from consumer.commands.arguments import SchemaName
from consumer.commands.decode import EveryBucket
from consumer.commands.schema import file_of, schema, written
from consumer.config.privacy import PrivacySettings
from consumer.errors import Undecodable
from consumer.hits import Box, FigureHit, Hits, LibraryHit, LogoHit
from consumer.intake.decode import Rejection, decode, recognise
from consumer.policy.candidate import Candidate
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Assessment, Failure, Label, ModerationResult, Verdict
from consumer.verdicts.encode import Encoding
from tests.intake.decode.messages import SAMPLES, message, sample
from tests.intake.decode.test_formats import SHAPES
from tests.intake.decode.test_properties import NASTY, changed, paths
from tests.rig.events import delivery, submission, upload

ROOT = Path(__file__).parents[2]
VALIDATORS = {name: Draft202012Validator(schema(name)) for name in SchemaName}

NOT_SAYABLE = {"duplicate_image", "too_deep", "bad_key"}
"""Reasons for a dead letter that no JSON Schema can express."""

EVENT = sample("native")
PLACES = paths(EVENT)
IMAGES = [{"id": str(n), "url": "http://h/"} for n in range(17)]
VALUES: list[Any] = [
    *NASTY, 1.5, 2**64, "image.uploaded.v1.2", "image.uploaded.v1\n", "http://h", "HTTPS://u:p@h:1/é?q#f", "http://h ",
    "http://é/", "http://é@h/", "http://h:123456/", "http://[::1]/", "http://h/\x7f", "https://h/" + "a" * 2038,
    "https://h/" + "a" * 2039, "2026-11-20t10:00:60.5+23:59", "2024-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
    "2000-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-11-20T10:00:00", "2026-11-20T10:00:00Z\n", "1" * 19, "1" * 20,
    "٣", {"store": "oss", "bucket": "b", "key": "k"}, {"store": "oss", "bucket": "b"}, [{"url": "http://h/"}],
    [{"url": "", "ref": None}], [{"ref": {"store": "s", "bucket": "b", "key": "k"}}], [{}] * 17,
    IMAGES[:16], IMAGES, [{"s3": 1}], [{"oss": 1}], {"bucket": 1, "object": 1},
]  # fmt: skip


def problems(name: SchemaName, instance: Any) -> list[str]:
    return [error.message for error in VALIDATORS[name].iter_errors(instance)]


def why_refused(event: Any) -> str | None:
    """The decoder's word, with every bucket bound; None for an event that it accepts as a native one."""
    try:
        decode(message(json.dumps(event).encode()), EveryBucket(), "group")
    except Undecodable as error:
        return error.reason
    return None


@pytest.mark.parametrize("name", SchemaName)
def test_the_copy_is_current(name: SchemaName) -> None:
    """
    config/schemas/ holds what the code exports; `make schemas` renews it.
    """
    assert file_of(ROOT / "config" / "schemas", name).read_text() == written(schema(name)) + "\n"


@pytest.mark.parametrize("name", SchemaName)
def test_a_schema_is_one(name: SchemaName) -> None:
    """
    Each follows JSON Schema's own rules, so any validator can use it.
    """
    Draft202012Validator.check_schema(schema(name))


def agree(event: Any) -> None:
    """Schema and decoder say the same, but for what no schema can say."""
    told, refused = problems(SchemaName.EVENTS, event), why_refused(event)
    if refused in NOT_SAYABLE:
        return
    assert (refused is None) == (not told), (refused, told, event)


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_an_event_with_one_member_changed_is_accepted_by_both_or_neither(path: tuple[str | int, ...]) -> None:
    """
    The schema accepts exactly what the decoder does, whatever a member is replaced by.
    """
    for value in (..., *VALUES):
        agree(changed(EVENT, path, value))


@settings(max_examples=1_500)
@given(
    changes=st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from([..., *VALUES])), min_size=2, max_size=4),
    added=st.dictionaries(
        st.sampled_from(
            ["Records", "events", "notification", "detail", "detail-type", "specversion", "type", "source", "id", "new"]
        ),
        st.sampled_from(VALUES),
        max_size=3,
    ),
)
def test_events_changed_more_are_accepted_by_both_or_neither(
    changes: list[tuple[tuple[str | int, ...], Any]], added: dict[str, Any]
) -> None:
    """
    Several changes at once, and members of other formats beside them, make no difference between the two.
    """
    event = EVENT
    for path, value in changes:
        try:
            event = changed(event, path, value)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    event = {**event, **added}

    if recognise(message(json.dumps(event).encode())).format in ("native", "unrecognised"):
        agree(event)
    else:
        assert problems(SchemaName.EVENTS, event)


@pytest.mark.parametrize("name", [*SHAPES][: [*SHAPES].index("native")])
def test_another_formats_shape_is_not_a_native_event(name: str) -> None:
    """
    What is read as another format, though it says `schema` as well, does not follow the native one's.
    """
    both = {**SHAPES[name], **EVENT}

    assert recognise(message(both)).format != "native"
    assert problems(SchemaName.EVENTS, EVENT) == []
    assert problems(SchemaName.EVENTS, both)


def test_shipped_events_are_valid() -> None:
    """
    The native sample and the events of the other tests follow the schema; other formats' do not.
    """
    valid = [SAMPLES["native"], orjson.loads(upload("event-1", "https://img.example.com/1.jpg"))]
    others = [document for name, document in SAMPLES.items() if name != "native"]

    assert [problems(SchemaName.EVENTS, each) for each in valid] == [[], []]
    assert all(problems(SchemaName.EVENTS, each) for each in others)


ANSWERS = [
    ModerationResult(
        service="baselineCheck_global", request_id="ABCD", risk_level="high", region="ap-southeast-1",
        labels=(Label("pornographic_adultContent", 97.2, "high"), Label("pt_logo", None, None)),
        hits=Hits(
            image_libraries=("lib",), keyword_libraries=("kw",), public_figures=1, logos=("pt_logo",), text_lines=2,
            matched_words=1, recognised_text=("text",), figures=("name",), keywords=("word",),
            image_hits=(LibraryHit("lib", "ours", "22"),), keyword_hits=(LibraryHit("kw", None),),
            figure_hits=(FigureHit("name", (Box(1, 2, 3.5, 4),)),),
            logo_hits=(LogoHit("pt_logo", 88.18, "brand", Box(1, 2, 3, 4)), LogoHit("pt_logo")), left_out=1,
        ),
    ),
    ModerationResult(service="aigcDetector_global", request_id=None, risk_level=None, labels=(Label("nonLabel"),)),
]  # fmt: skip
FAILURES = [Failure(kind=kind, code="404", attempts=3) for kind in ("fetch", "image", "account", "internal")]


def verdicts() -> list[Verdict]:
    """Of every kind: answered, half answered, not answered, and with something else that would have been decided."""
    tried = {"id": "logos", "match": {"label": ["pornographic_*"]}, "then": "pass", "mode": "shadow"}
    settings = PolicySettings.model_validate({"policy": "img-mod", "version": 7, "rules": [tried]})
    deciding = Deciding(Policy(settings=settings, sha256="ab"))
    assessments = [
        Assessment(answers=tuple(ANSWERS), queued=0.003, provider=0.38),
        Assessment(answers=tuple(ANSWERS[:1]), failure=FAILURES[0], later_failures=(FAILURES[1],)),
        *(Assessment(failure=failure) for failure in FAILURES),
    ]
    policy = Policy(settings=PolicySettings(policy="next", version=8, services=("other",)), sha256="cd")
    decides = [deciding.decide, Candidate(deciding.decide, deciding.asked, policy).decide]
    return [decide(submission(), assessment, 1_763_632_801.5) for decide in decides for assessment in assessments]


@pytest.mark.parametrize("telling", ["none", "count", "hash", "text"])
def test_every_verdict_is_valid_and_has_no_member_that_the_schema_lacks(telling: str) -> None:
    """
    The schema names each member that is written, under every privacy setting.
    """
    privacy = PrivacySettings.model_validate(
        {
            "recognised_text": telling,
            "public_figures": telling,
            "keywords": telling,
            "libraries": telling == "text",
            "logos": telling == "text",
            "locations": telling in ("count", "text"),
        }
    )
    encoding = Encoding(group="group", privacy=privacy)
    closed = Draft202012Validator(closing(schema(SchemaName.VERDICT)))

    written = [orjson.loads(encoding.verdict(each).value or b"") for each in verdicts()]

    assert [[error.message for error in closed.iter_errors(each)] for each in written] == [[]] * len(written)


def closing(part: Any) -> Any:
    """The same schema, with no members but those it names."""
    if isinstance(part, list):
        return [closing(each) for each in part]
    if not isinstance(part, dict):
        return part
    closed = {key: closing(value) for key, value in part.items()}
    return {**closed, "additionalProperties": False} if isinstance(part.get("properties"), dict) else closed


@pytest.mark.parametrize("reason", Rejection)
def test_every_dead_letters_headers_are_valid(reason: Rejection) -> None:
    """
    Whatever the reason, its headers are what the schema says, and theirs stay beside them.
    """
    read = delivery(b"{", headers=[("dlq_reason", b"theirs"), ("traceparent", b"x")])

    letter = Encoding(group="group").dead_letter(read, reason.at("value", "is wrong"), 1_763_632_801.5)

    headers = {name: value.decode() for name, value in letter.headers if value is not None}
    assert problems(SchemaName.DEAD_LETTER, headers) == []
    assert headers["original_dlq_reason"] == "theirs"


@pytest.mark.parametrize(
    ("name", "file"),
    [(SchemaName.CONFIG, "consumer.yaml"), (SchemaName.CONFIG, "demo.yaml"), (SchemaName.POLICY, "policy.yaml")],
)
def test_the_shipped_configuration_is_valid(name: SchemaName, file: str) -> None:
    """
    An editor that uses the schema finds nothing to complain about in what is shipped.
    """
    assert problems(name, yaml.safe_load((ROOT / "config" / file).read_text())) == []


@pytest.mark.parametrize(
    "wrong", [{"kafak": {}}, {"quota": {"qps": 0}}, {"quota": {"qsp": 1}}, {"logs": {"level": "x"}}]
)
def test_a_wrong_configuration_is_not_valid(wrong: dict[str, Any]) -> None:
    """
    The schema refuses unknown keys and wrong values as the service does.
    """
    assert problems(SchemaName.CONFIG, wrong)
