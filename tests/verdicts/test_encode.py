from dataclasses import replace
from typing import Any

import orjson
import pytest

from consumer.config.privacy import Disclosure, PrivacySettings
from consumer.errors import Undecodable
from consumer.hits import Box, FigureHit, Hits, LibraryHit, LogoHit
from consumer.journal.headers import RESCAN
from consumer.locations import Image, NotAskable, ObjectRef
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Assessment, Coverage, Failure, Label, ModerationResult, Verdict
from consumer.verdicts.encode import Encoding
from tests.rig.events import delivery, submission

ENCODING = Encoding(group="group")


def verdict(assessment: Assessment) -> Verdict:
    policy = Policy(settings=PolicySettings(policy="img-mod", version=7), sha256="ab")
    return Deciding(policy).decide(submission(), assessment, 1_763_632_801.5)


BLOCKED = verdict(
    Assessment(
        answers=(
            ModerationResult(
                service="baselineCheck_global", request_id="ABCD", risk_level="high", region="ap-southeast-1",
                labels=(Label("pornographic_adultContent", 97.2, "high"), Label("pt_logo", 20.0, "low")),
            ),
        ),
        coverage=Coverage(),
        queued=0.003,
        provider=0.38,
    )
)  # fmt: skip


def test_a_verdict_says_what_was_decided_and_why() -> None:
    """
    The value carries source, decision, reasons, findings, provider, policy and timing.
    """
    value = orjson.loads(ENCODING.verdict(BLOCKED).value or b"")

    engine = value.pop("engine")
    assert engine.startswith("moderation-consumer/")
    assert value == {
        "schema": "moderation.verdict.v1",
        "verdict_id": submission().id,
        "tenant": "shop-eu",
        "purpose": "avatar",
        "subject": {"id": "u_1/avatar", "revision": 3, "type": "user_avatar"},
        "event": {
            "id": "event-1", "time": "2026-11-20T10:00:00.000Z", "topic": "uploads", "partition": 0, "offset": 0,
        },
        "image": {
            "id": "0", "of": 1, "url": "https://img.example.com/1.jpg", "ref": None, "sha256": None,
            "sha256_claimed": None, "mime": None, "bytes": None, "version": None, "etag": None,
        },
        "identity": "event:event-1/0",
        "decision": "block",
        "decided_by": "policy",
        "cause": "upload",
        "sequence": 1,
        "provisional": False,
        "floor": None,
        "asked": {"services": ["baselineCheck_global"], "info": []},
        "coverage": {"frames": [1, None], "scaled": False},
        "risk_level": "high",
        "reasons": [{
            "rule": "default:high", "service": "baselineCheck_global", "label": "pornographic_adultContent",
            "confidence": 97.2, "level": "high", "frame": None, "level_source": "label",
        }],
        "findings": [
            {
                "service": "baselineCheck_global", "label": "pornographic_adultContent", "confidence": 97.2,
                "level": "high",
                "frame": None,
            },
            {"service": "baselineCheck_global", "label": "pt_logo", "confidence": 20.0, "level": "low", "frame": None},
        ],
        "hits": {
            "image_libraries": [], "keyword_libraries": [], "public_figures": 0, "logos": [], "text_lines": 0,
            "services": [],
        },
        "provider": {
            "name": "aliyun-image-moderation-2.0", "region": "ap-southeast-1", "request_id": "ABCD", "code": 200,
            "attempts": 1, "billed_calls": 1,
            "calls": [
                {
                    "service": "baselineCheck_global", "region": "ap-southeast-1", "request_id": "ABCD", "code": "200",
                    "frame": None,
                },
            ],
        },
        "policy": {"id": "img-mod", "version": 7, "sha256": "ab"},
        "error": None,
        "context": {},
        "attrs": {},
        "omitted": [],
        "timing": {
            "received": "2025-11-20T10:00:01.000Z", "decided": "2025-11-20T10:00:01.500Z", "queued_ms": 3,
            "provider_ms": 380,
        },
    }  # fmt: skip


def test_an_image_that_is_asked_about_again_has_a_verdict_that_says_so() -> None:
    """
    By the header of the upload event that `policy redecide --rescan` publishes; a provisional verdict keeps its cause.
    """
    again = BLOCKED._replace(submission=submission(delivery(headers=((RESCAN, b"rescan-1"),))))
    provisional = again._replace(cause="deadline", provisional=True)

    said = [orjson.loads(ENCODING.verdict(each).value or b"")["cause"] for each in (BLOCKED, again, provisional)]

    assert said == ["upload", "rescan", "deadline"]


def test_a_verdict_is_a_cloud_event_with_the_key_of_its_event() -> None:
    """
    Binary mode: the headers name type, source and id, and where the verdict comes from.
    """
    encoded = ENCODING.verdict(BLOCKED)

    assert encoded.key == b"k"
    assert dict(encoded.headers) == {
        "ce_specversion": b"1.0", "ce_type": b"moderation.verdict.v1", "ce_source": b"/moderation-consumer/group",
        "ce_id": submission().id.encode(), "content-type": b"application/json", "source_topic": b"uploads",
        "source_partition": b"0", "source_offset": b"0", "source_image": b"0", "source_group": b"group",
        "sequence": b"1",
    }  # fmt: skip


TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_headers_of_the_event_that_have_our_names_are_kept_aside() -> None:
    """
    The producer's `ce_id` becomes `original_ce_id`; the trace context goes through as it is.
    """
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    read = delivery(headers=[("ce_id", b"theirs"), ("traceparent", trace), ("x-secret", b"no")])
    judged = BLOCKED._replace(submission=submission(read))

    headers = ENCODING.verdict(judged).headers

    assert ("original_ce_id", b"theirs") in headers
    assert ("traceparent", trace) in headers
    assert "x-secret" not in dict(headers)
    assert [name for name, _ in headers].count("ce_id") == 1


@pytest.mark.parametrize(
    ("given", "carried"),
    [
        ([("traceparent", TRACE), ("tracestate", b"vendor=1")], {"traceparent": TRACE, "tracestate": b"vendor=1"}),
        ([("traceparent", b"of an older hop"), ("traceparent", TRACE)], {"traceparent": TRACE}),
        ([("traceparent", TRACE), ("tracestate", b"a\r\nb")], {"traceparent": TRACE}),
        ([("traceparent", b"00-what"), ("tracestate", b"vendor=1")], {}),
        ([("traceparent", None)], {}),
    ],
)
def test_a_trace_is_carried_on_where_it_is_well_formed(
    given: list[tuple[str, bytes | None]], carried: dict[str, bytes]
) -> None:
    """
    W3C: vendors' additions mean nothing without the trace, and of several headers one counts.
    """
    judged = BLOCKED._replace(submission=submission(delivery(headers=given)))

    headers = ENCODING.verdict(judged).headers

    assert [(name, value) for name, value in headers if name.startswith("trace")] == list(carried.items())


def test_the_query_of_a_url_stays_behind_unless_asked_for() -> None:
    """
    Presigned queries are credentials.
    """
    kept = orjson.loads(Encoding(group="group", privacy=PrivacySettings(keep_query=True)).verdict(BLOCKED).value or b"")

    assert b"secret" not in (ENCODING.verdict(BLOCKED).value or b"")
    assert kept["image"]["url"] == "https://img.example.com/1.jpg?token=secret"


@pytest.mark.parametrize(
    ("shown", "context"),
    [("all", {"country": "DE", "trust": "new"}), ("none", {}), (("trust", "age"), {"trust": "new"})],
)
def test_reviewers_get_what_the_event_says_as_far_as_it_may_be_shown(shown: Any, context: dict[str, str]) -> None:
    """
    `context` and `attrs` as they came, none of them, or the members that are named; and what kind of image it is.
    """
    asked = replace(
        submission(), context=b'{"country":"DE","trust":"new"}', attrs=b'{"nsfw":[1,{"a":null}]}',
        image=Image(
            id="0", ref=ObjectRef(store="oss", bucket="b", key="k", version="v1", etag="e1"), mime="image/webp", size=7
        ),
    )  # fmt: skip

    encoding = Encoding(group="group", privacy=PrivacySettings(context=shown))
    value = orjson.loads(encoding.verdict(BLOCKED._replace(submission=asked)).value or b"")

    assert value["context"] == context
    assert value["attrs"] == ({"nsfw": [1, {"a": None}]} if shown == "all" else {})
    assert [value["image"][name] for name in ("mime", "bytes", "version", "etag")] == ["image/webp", 7, "v1", "e1"]


def test_a_claimed_digest_is_no_fact() -> None:
    """
    The event's own word stands apart: `sha256` is of bytes that were seen, and none were.
    """
    asked = replace(submission(), image=Image(id="0", sha256_claimed="9f"))

    whole = orjson.loads(ENCODING.verdict(BLOCKED._replace(submission=asked)).value or b"")
    least = orjson.loads(ENCODING.minimal_verdict(BLOCKED._replace(submission=asked)).value or b"")

    assert (whole["image"]["sha256"], whole["image"]["sha256_claimed"]) == (None, "9f")
    assert (least["image"]["sha256"], least["image"]["sha256_claimed"]) == (None, None)
    assert "image.sha256_claimed" in least["omitted"]


@pytest.mark.parametrize(("on_error", "decision"), [({}, "review"), ({"input": "block"}, "block")])
def test_a_version_that_was_not_asked_for_is_never_passed(on_error: dict[str, str], decision: str) -> None:
    """
    The verdict names the version that the event does, says that it was not judged, and that nothing was paid.
    """
    settings = PolicySettings.model_validate({"policy": "p", "version": 1, "on_error": on_error})
    asked = replace(
        submission(), location=NotAskable("version_not_askable"),
        image=Image(id="0", ref=ObjectRef(store="oss", bucket="b", key="k", version="v1")),
    )  # fmt: skip
    assessment = Assessment(failure=Failure(kind="input", code="version_not_askable", attempts=0))

    reached = Deciding(Policy(settings=settings, sha256="ab")).decide(asked, assessment, 0.0)
    value = orjson.loads(ENCODING.verdict(reached).value or b"")

    assert (value["decision"], value["decided_by"]) == (decision, "fallback")
    assert (value["image"]["version"], value["findings"]) == ("v1", [])
    assert value["error"] == {"class": "input", "code": "version_not_askable", "service": None}
    assert (value["provider"]["attempts"], value["provider"]["billed_calls"]) == (0, 0)


def test_what_an_event_had_too_much_of_is_named() -> None:
    """
    Its objects are null then, not empty.
    """
    asked = replace(submission(), omitted=("context", "extra"))

    value = orjson.loads(ENCODING.verdict(BLOCKED._replace(submission=asked)).value or b"")

    assert (value["context"], value["attrs"], value["omitted"]) == (None, {}, ["context", "extra"])


FIRST = Hits(
    text_lines=3, recognised_text=("one", "two"), public_figures=1, figures=("somebody",), matched_words=2,
    keywords=("b", "a"),
)  # fmt: skip
SECOND = Hits(text_lines=2, recognised_text=("two", "three"), matched_words=1, keywords=("b",))
TOLD = ("recognised_text", "figures", "keywords")


def shown(*hits: Hits, **privacy: Disclosure) -> dict[str, Any]:
    """What a verdict tells in `hits` beside the counters."""
    answers = tuple(
        ModerationResult(service="s", request_id="R", risk_level="none", labels=(Label("nonLabel"),), hits=each)
        for each in hits
    )
    encoding = Encoding(group="group", privacy=PrivacySettings(**privacy))
    told = orjson.loads(encoding.verdict(verdict(Assessment(answers=answers))).value or b"")["hits"]
    return {name: told[name] for name in TOLD if name in told}


def test_texts_are_not_told_unless_asked_for() -> None:
    """
    Recognised text, names and keywords stay out of verdicts, even where an answer holds them.
    """
    assert shown(FIRST, SECOND) == {}


def test_each_kind_of_text_is_told_in_its_own_way() -> None:
    """
    A number, hashes in order, or the texts as they came: over all services, each once.
    """
    counted = shown(FIRST, SECOND, recognised_text="count", public_figures="count", keywords="count")
    hashed = shown(FIRST, SECOND, keywords="hash")
    texts = shown(FIRST, SECOND, recognised_text="text", public_figures="text", keywords="text")

    assert counted == {"recognised_text": 5, "figures": 1, "keywords": 3}
    assert hashed == {"keywords": ["a", "b"]}
    assert texts == {"recognised_text": ["one", "two", "three"], "figures": ["somebody"], "keywords": ["b", "a"]}


def test_what_is_asked_for_is_told_also_where_there_is_none() -> None:
    """
    A reader finds the member in every verdict, also about an image that could not be judged.
    """
    assert shown(recognised_text="count", public_figures="hash", keywords="text") == {
        "recognised_text": 0, "figures": [], "keywords": [],
    }  # fmt: skip


@pytest.mark.parametrize("telling", ["hash", "text"])
def test_services_together_tell_no_more_than_one(telling: Disclosure) -> None:
    """
    At most 50 texts stand in a verdict, whatever the number of services.
    """
    many = [Hits(recognised_text=tuple(f"{service}-{line:02}" for line in range(50))) for service in "ab"]

    assert shown(*many, recognised_text=telling)["recognised_text"] == [f"a-{line:02}" for line in range(50)]


MET = Hits(
    image_libraries=("lib-1",), image_hits=(LibraryHit("lib-1", "ours", "22"),),
    keyword_libraries=("kw-1",), keyword_hits=(LibraryHit("kw-1", "words"),),
    logos=("pt_logo",), logo_hits=(LogoHit("pt_logo", 88.18, "brand", Box(45, 30, 100, 44)), LogoHit("pt_logo")),
    public_figures=1, figure_hits=(FigureHit("somebody", (Box(14, 999, 13, 520.5),)),), text_lines=2, left_out=3,
)  # fmt: skip


def by_service(*hits: Hits, **privacy: Any) -> list[dict[str, Any]]:
    answers = tuple(
        ModerationResult(service=f"s{n}", request_id="R", risk_level="none", labels=(Label("nonLabel"),), hits=each)
        for n, each in enumerate(hits)
    )
    encoding = Encoding(group="group", privacy=PrivacySettings(**privacy))
    value = orjson.loads(encoding.verdict(verdict(Assessment(answers=answers))).value or b"")
    services: list[dict[str, Any]] = value["hits"]["services"]
    return services


def test_what_was_met_is_told_by_service() -> None:
    """
    Each service that met anything, in the policy's order. Names, images and places stay out unless asked for.
    """
    assert by_service(Hits(), MET, SECOND) == [
        {
            "service": "s1", "image_libraries": [{"id": "lib-1"}], "keyword_libraries": [{"id": "kw-1"}],
            "logos": [{"label": "pt_logo", "confidence": 88.18}, {"label": "pt_logo", "confidence": None}],
            "public_figures": 1, "text_lines": 2, "people": [{}], "left_out": 3,
        },
        {
            "service": "s2", "image_libraries": [], "keyword_libraries": [], "logos": [], "public_figures": 0,
            "text_lines": 2, "left_out": 0,
        },
    ]  # fmt: skip


def test_what_was_met_in_a_frame_says_in_which() -> None:
    """
    Each frame was a call of its own.
    """
    answers = tuple(
        ModerationResult(
            service="s", request_id="R", risk_level="none", labels=(Label("nonLabel"),), hits=SECOND, frame=frame
        )
        for frame in (0, 7)
    )
    value = orjson.loads(ENCODING.verdict(verdict(Assessment(answers=answers))).value or b"")

    assert [each["frame"] for each in value["hits"]["services"]] == [0, 7]
    assert [each["frame"] for each in value["findings"]] == [0, 7]
    assert [each["frame"] for each in value["provider"]["calls"]] == [0, 7]


def test_names_images_and_places_are_told_where_they_are_asked_for() -> None:
    """
    Each by its own setting.
    """
    [told] = by_service(MET, libraries=True, logos=True, locations=True, public_figures="text")

    place = {"x": 45.0, "y": 30.0, "width": 100.0, "height": 44.0}
    assert told["image_libraries"] == [{"id": "lib-1", "name": "ours", "image": "22"}]
    assert told["keyword_libraries"] == [{"id": "kw-1", "name": "words"}]
    assert told["logos"] == [
        {"label": "pt_logo", "confidence": 88.18, "name": "brand", "location": place},
        {"label": "pt_logo", "confidence": None, "name": None, "location": None},
    ]
    assert told["people"] == [
        {"name": "somebody", "locations": [{"x": 14.0, "y": 999.0, "width": 13.0, "height": 520.5}]}
    ]


@pytest.mark.parametrize(
    ("assessment", "asked"),
    [
        (Assessment(failure=Failure(kind="input", code="version_not_askable", attempts=0)), ([], [])),
        (Assessment(failure=Failure(kind="fetch", code="404", service="a")), (["a"], ["customImage"])),
        (
            Assessment(answers=BLOCKED.assessment.answers, failure=Failure(kind="fetch", code="404", service="a")),
            (["baselineCheck_global", "a"], ["customImage"]),
        ),
    ],
)
def test_a_verdict_says_what_was_asked(assessment: Assessment, asked: tuple[list[str], list[str]]) -> None:
    """
    Services whether or not they answered, and information; neither where nothing could be asked. Minimal ones too.
    """
    policy = Policy(settings=PolicySettings(policy="p", version=7, info=("customImage",)), sha256="ab")
    reached = Deciding(policy).decide(submission(), assessment, 0.0)

    for record in (ENCODING.verdict(reached), ENCODING.minimal_verdict(reached)):
        value = orjson.loads(record.value or b"")
        assert (value["asked"]["services"], value["asked"]["info"]) == asked


def test_an_image_that_could_not_be_judged_says_class_and_code() -> None:
    """
    `error` has our class and the provider's code, and no text; the region is the one that failed.
    """
    failed = verdict(Assessment(failure=Failure(kind="fetch", code="404", service="s", region="eu-west-1", attempts=3)))

    value = orjson.loads(ENCODING.verdict(failed).value or b"")

    assert value["error"] == {"class": "fetch", "code": "404", "service": "s"}
    assert (value["decision"], value["decided_by"], value["provider"]["attempts"]) == ("review", "fallback", 3)
    assert (value["provider"]["region"], value["provider"]["code"]) == ("eu-west-1", None)
    assert value["timing"]["provider_ms"] is None


def test_a_dead_letter_is_the_message_as_it_was() -> None:
    """
    Key, value and headers stay byte for byte; ours are added, and one of theirs with our name is kept aside.
    """
    headers = [("a", b"1"), ("a", None), ("dlq_reason", b"older")]
    read = delivery(b"\xff\x00", headers=headers, offset=9)

    encoded = ENCODING.dead_letter(read, Undecodable("not_json", "at byte 0"), 1_763_632_801.0)

    assert (encoded.key, encoded.value) == (b"k", b"\xff\x00")
    assert encoded.headers[:3] == [("a", b"1"), ("a", None), ("original_dlq_reason", b"older")]
    ours = dict(encoded.headers[3:])
    assert len(ours.pop("dlq_id") or b"") == 32
    assert ours == {
        "dlq_reason": b"not_json", "dlq_stage": b"decode", "dlq_error": b"at byte 0", "dlq_source_topic": b"uploads",
        "dlq_source_partition": b"0", "dlq_source_offset": b"9", "dlq_time": b"2025-11-20T10:00:01.000Z",
        "source_group": b"group",
    }  # fmt: skip


def test_a_dead_letter_without_a_value_stays_without_one() -> None:
    """
    Null is not empty.
    """
    assert ENCODING.dead_letter(delivery(None, key=None), Undecodable("x", "y"), 0.0).value is None


def test_what_would_have_been_decided_stands_in_a_verdict_only_where_it_is_another_decision() -> None:
    """
    In a minimal one too, with 16 rules at most.
    """
    rules = [
        {"id": f"r{number}", "match": {"label": [f"l{number}"]}, "then": "review", "mode": "shadow"}
        for number in range(20)
    ]
    settings = PolicySettings.model_validate({"policy": "p", "version": 1, "rules": rules})
    found = tuple(Label(f"l{number}", 90.0, "low") for number in range(20))
    met, unmet = (
        Deciding(Policy(settings=settings, sha256="ab")).decide(
            submission(),
            Assessment(answers=(ModerationResult(service="s", request_id="R", risk_level="low", labels=labels),)),
            0.0,
        )
        for labels in (found, (Label("other", 90.0, "low"),))
    )

    for record in (ENCODING.verdict(met), ENCODING.minimal_verdict(met)):
        value = orjson.loads(record.value or b"")
        expected = {"rules": {"decision": "review", "rules": [f"r{number}" for number in range(16)]}}
        assert (value["decision"], value["shadow"]) == ("pass", expected)
    assert b'"shadow"' not in (ENCODING.verdict(unmet).value or b"")


@pytest.mark.parametrize("event_id", ["e" * 300, "\udcff"])
def test_an_identity_that_cannot_be_written_whole_is_left_out_and_named(event_id: str) -> None:
    """
    A part of it would be another image's.
    """
    event = replace(submission(), event_id=event_id)
    reached = verdict(Assessment(failure=Failure(kind="fetch", code="404")))

    value = orjson.loads(ENCODING.minimal_verdict(reached._replace(submission=event)).value or b"")

    assert value["identity"] is None
    assert "identity" in value["omitted"]
