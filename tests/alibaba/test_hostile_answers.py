"""Answers that are JSON at best: whatever stands in them, reading ends as an answer within bounds or as a failure."""

import json
from dataclasses import astuple, replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consumer.alibaba.auxiliary import LONGEST_NAME, MOST_NAMES
from consumer.alibaba.image_moderation import LONGEST_LEVEL, LONGEST_REQUEST_ID, read_answer
from consumer.config.privacy import LONGEST_TEXT, MOST_TEXTS, PrivacySettings
from consumer.errors import CallFailed, Malformed, ProviderFailed
from consumer.records import ModerationResult
from tests.moderation.requests import request

ASKED = replace(
    request(),
    privacy=PrivacySettings(
        recognised_text="text", public_figures="text", keywords="text", libraries=True, logos=True, locations=True
    ),
)
FINDING = {"Label": "violent_explosion", "Confidence": 81.5, "RiskLevel": "high"}


def document(**changes: Any) -> dict[str, Any]:
    data = {"DataId": "image-1", "RiskLevel": "high", "Result": [FINDING], **changes}
    return {"RequestId": "R-1", "Code": 200, "Msg": "OK", "Data": data}


def read(body: str | bytes, status: int = 200) -> ModerationResult:
    return read_answer(status, {}, body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass"), ASKED)


def refused(body: str | bytes) -> str:
    """The code of the answer that is malformed."""
    with pytest.raises(Malformed) as malformed:
        read(body)
    assert malformed.value.billed == "yes"
    return malformed.value.code


LARGE = {
    "labels": (document(Result=[FINDING] * (MOST_NAMES + 1)), "Result"),
    "6,000 labels": (document(Result=[FINDING] * 6_000), "Result"),
    "a label": (document(Result=[FINDING | {"Label": "l" * (LONGEST_NAME + 1)}]), "Label"),
    "a label of 600 kB": (document(Result=[FINDING | {"Label": "l" * 600_000}]), "Label"),
    "a label's level": (document(Result=[FINDING | {"RiskLevel": "v" * (LONGEST_LEVEL + 1)}]), "RiskLevel"),
    "a level": (document(RiskLevel="v" * (LONGEST_LEVEL + 1)), "RiskLevel"),
    "a request id": (document() | {"RequestId": "r" * (LONGEST_REQUEST_ID + 1)}, "RequestId"),
    "a library": (document(Ext={"CustomImage": [{"LibId": "i" * (LONGEST_NAME + 1)}]}), "Ext"),
    "libraries": (document(Ext={"CustomImage": [{"LibId": n} for n in range(MOST_NAMES + 1)]}), "Ext"),
    "keyword libraries": (
        document(Ext={"TextInImage": {"CustomText": [{"LibId": str(n)} for n in range(MOST_NAMES + 1)]}}), "Ext",
    ),
    "a logo": (document(Ext={"LogoData": [{"Logo": [{"Label": "o" * (LONGEST_NAME + 1)}]}]}), "Ext"),
    "logos": (document(Ext={"LogoData": [{"Logo": [{"Label": f"o{n}"}]} for n in range(MOST_NAMES + 1)]}), "Ext"),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "code"), LARGE.values(), ids=LARGE.keys())
def test_more_and_longer_names_than_any_provider_sends_are_malformed(answer: Any, code: str) -> None:
    """
    They would go into the verdict, which would be too large for its topic: the image goes to review instead.
    """
    assert refused(json.dumps(answer)) == code


def test_as_many_and_as_long_names_as_may_be_are_taken() -> None:
    """
    The bounds themselves are within.
    """
    names = [f"{number}" + "n" * (LONGEST_NAME - 3) for number in range(100, 100 + MOST_NAMES)]
    answer = document(
        RiskLevel="v" * LONGEST_LEVEL,
        Result=[FINDING | {"Label": name, "RiskLevel": "w" * LONGEST_LEVEL} for name in names],
        Ext={"CustomImage": [{"LibId": name} for name in names] * 2},
    )

    taken = read(json.dumps(answer | {"RequestId": "r" * LONGEST_REQUEST_ID}))

    assert [label.name for label in taken.labels] == names
    assert taken.hits.image_libraries == tuple(names)


GOOD = json.dumps(document())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (GOOD.replace('"Code": 200', '"Code": 500, "Code": 200'), "member_twice"),
        (GOOD.replace('"Code": 200', '"Code": 200, "Code": 200'), "member_twice"),
        (GOOD.replace('"RiskLevel"', '"RiskLevel": "none", "RiskLevel"', 1), "member_twice"),
        (GOOD.replace('"Label"', '"Label": "nonLabel", "L\\u0061bel"', 1), "member_twice"),
        (GOOD.replace('"Code": 200', '"Code": 200, "code": 500'), "Code"),
        (GOOD.replace("81.5", "1" * 300), "Confidence"),
        (GOOD.replace("81.5", "-0.1"), "Confidence"),
        (GOOD.replace('"DataId": "image-1"', '"DataId": ' + "[" * 100 + "]" * 100), "DataId"),
    ],
)
def test_an_answer_that_can_be_read_in_two_ways_is_malformed(body: str, code: str) -> None:
    """
    A member that stands twice, by both of its names, or escaped; numbers beyond any.
    """
    assert refused(body) == code


@pytest.mark.parametrize(
    "body",
    [
        GOOD.replace("81.5", "NaN"), GOOD.replace("81.5", "-Infinity"), GOOD.replace("81.5", "1" * 5_000),
        GOOD.replace("81.5", "1e400"), GOOD.replace("violent", "\\ud83d"), GOOD.replace("violent", "\ud83d"),
        GOOD.replace("OK", "\\udc00"), GOOD.encode().replace(b"OK", b"\xff"),
    ],
)  # fmt: skip
def test_a_billed_answer_that_is_json_but_for_a_text_or_a_number_is_malformed(body: str | bytes) -> None:
    """
    A text that was cut within a character, or a number that none is, comes again each time, and costs each time.
    """
    assert refused(body) == "not_json"


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000, '{"Data":' * 3_000 + "1" + "}" * 3_000, '{"Code":200,"x":' + "[" * 500_000,
        GOOD[:-1], GOOD + GOOD, "\ufeff" + GOOD, GOOD.encode("utf-16"), GOOD.replace("violent", "\x00"),
        GOOD.replace("81.5", "NaN").replace("200", "500"), "9" * 100_000, "NaN", '"\\ud800"',
    ],
)  # fmt: skip
def test_what_no_json_is_is_the_providers_failure(body: str | bytes) -> None:
    """
    Nests without end, halves, encodings other than UTF-8: something on the way most likely, and it is asked again.
    """
    with pytest.raises(ProviderFailed) as failed:
        read(body)

    assert (failed.value.code, failed.value.billed) == ("not_json", "maybe")


def test_nests_that_are_just_not_too_deep_are_no_more_than_that() -> None:
    """
    A thousand levels in a part that is not read change nothing, or are malformed where Python's reader has less room.
    """
    for depth in (100, 900, 1_010, 1_020):
        try:
            assert read(json.dumps(document())[:-1] + ', "x": ' + "[" * depth + "]" * depth + "}").labels
        except Malformed as malformed:
            assert malformed.code == "nesting"  # noqa: PT017


NAMES = [
    "Code", "code", "Data", "Result", "Label", "Confidence", "RiskLevel", "DataId", "Ext", "RequestId", "x", "LibId",
    "TextInImage", "OcrResult", "Text", "RiskWord", "CustomText", "CustomImage", "KeyWords", "PublicFigure", "Logo",
    "FigureName", "FigureId", "LogoData", "Name", "LibName", "ImageId", "Location", "X", "Y", "W", "H",
]  # fmt: skip
TEXTS = st.sampled_from(["", "none", "high", "image-1", "nonLabel", "l" * 300, "\\ud800", "\\u0000", "200", "é" * 100])
NUMBERS = st.sampled_from(
    ["0", "-1", "200", "100.0001", "1e400", "-1e400", "9" * 30, "9" * 5_000, "NaN", "1E1", "-0.0"]
)


def _object(members: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f'"{name}":{value}' for name, value in members) + "}"


VALUES = st.recursive(
    TEXTS.map('"{}"'.format) | NUMBERS | st.sampled_from(["null", "true", "false", "", "[" * 50 + "]" * 50]),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda each: f"[{','.join(each)}]")
        | st.lists(st.tuples(st.sampled_from(NAMES), inner), max_size=5).map(_object)
    ),
    max_leaves=20,
)
MEMBERS = st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=4)


@settings(max_examples=300)
@given(MEMBERS, MEMBERS, MEMBERS, st.sampled_from([200, 201, 302, 404, 503]), st.booleans())
@example([], [], [("Confidence", "9" * 5_000)], 200, True)
def test_any_json_text_is_an_answer_within_bounds_or_a_failure(
    envelope: list[tuple[str, str]],
    data: list[tuple[str, str]],
    finding: list[tuple[str, str]],
    status: int,
    is_good: bool,
) -> None:
    """
    Members of any type, twice or missing, at every place: what is accepted is bounded, and all else is a failure of the
    call.
    """
    good = [("Label", '"violent_explosion"'), ("RiskLevel", '"high"')] if is_good else []
    result = _object([*good, *finding])
    core = [("RiskLevel", '"high"'), ("Result", f"[{result}]")] if is_good else []
    whole = [("Code", "200"), ("Data", _object([*core, *data]))] if is_good else []
    try:
        answer = read(_object([*whole, *envelope]), status)
    except CallFailed:
        return
    assert 200 <= status < 300
    assert 0 < len(answer.labels) <= MOST_NAMES
    assert all(len(label.name) <= LONGEST_NAME for label in answer.labels)
    assert all(len(label.level or "") <= LONGEST_LEVEL for label in answer.labels)
    assert all(label.confidence is None or 0 <= label.confidence <= 100 for label in answer.labels)
    assert len(answer.risk_level or "") <= LONGEST_LEVEL
    assert len(answer.request_id or "") <= LONGEST_REQUEST_ID
    for names in (answer.hits.image_libraries, answer.hits.keyword_libraries, answer.hits.logos):
        assert len(names) <= MOST_NAMES
        assert all(len(name) <= LONGEST_NAME for name in names)
    for texts in (answer.hits.recognised_text, answer.hits.figures, answer.hits.keywords):
        assert len(texts) <= MOST_TEXTS
        assert all(len(text) <= LONGEST_TEXT for text in texts)
    for met in (answer.hits.image_hits, answer.hits.keyword_hits, answer.hits.figure_hits, answer.hits.logo_hits):
        assert len(met) <= MOST_TEXTS
        for each in met:
            assert all(len(text) <= LONGEST_TEXT for text in astuple(each) if isinstance(text, str))


@pytest.mark.parametrize(
    "value",
    ["5", "true", "99999999999999999999", "1e300", '""', '"HIGH"', "[]", '{"a": "high"}', "[" * 300 + "]" * 300],
)
def test_a_level_that_is_no_word_of_the_vendors_is_kept_as_it_is(value: str) -> None:
    """
    An unknown level is decided on by the policy, which reviews it.
    """
    level = read(GOOD.replace('"RiskLevel": "high"', f'"RiskLevel": {value}', 1)).risk_level

    assert level is not None
    assert level not in ("none", "low", "medium", "high")
    assert len(level) <= LONGEST_LEVEL
