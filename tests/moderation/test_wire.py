from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.errors import CallFailed, Malformed, ProviderFailed, Throttled
from consumer.moderation import Question
from consumer.moderation.wire import read_answer, request_body
from consumer.records import ByObject, Hits, Label
from tests.moderation.questions import question


def parameters_of(body: bytes) -> dict[str, str]:
    fields = parse_qs(body.decode(), strict_parsing=True)
    assert set(fields) == {"Service", "ServiceParameters"}
    parameters = orjson.loads(fields["ServiceParameters"][0])
    assert isinstance(parameters, dict)
    return parameters


def reply(**changes: Any) -> bytes:
    """An accepted answer, but for `changes` to its `Data`."""
    data: dict[str, Any] = {"DataId": "image-1", "RiskLevel": "none", "Result": [{"Label": "nonLabel"}], **changes}
    return orjson.dumps({"RequestId": "R-1", "Code": 200, "Msg": "OK", "Data": data})


def test_an_image_by_url_is_a_form_of_two_strings() -> None:
    """
    Vendor: `ServiceParameters` is JSON text inside a form, not an object.
    """
    body = request_body(question(url="https://img.example.com/a%20b.jpg?x=1&y=2"))

    assert parameters_of(body) == {"dataId": "image-1", "imageUrl": "https://img.example.com/a%20b.jpg?x=1&y=2"}


def test_an_object_is_named_raw() -> None:
    """
    Vendor: bucket, object and region go together, and the object's name as it is, spaces and Chinese included.
    """
    asked = Question(
        data_id="d",
        reach=ByObject("ugc", "a b/测试+~*.jpg", "cn-beijing"),
        service="s",
        info=("customImage", "logoData"),
    )

    assert parameters_of(request_body(asked)) == {
        "dataId": "d", "ossBucketName": "ugc", "ossObjectName": "a b/测试+~*.jpg", "ossRegionId": "cn-beijing",
        "infoType": "customImage,logoData",
    }  # fmt: skip


def test_the_whole_answer_is_read() -> None:
    """
    Every label counts, with its confidence and its own level where there is one.
    """
    body = reply(
        RiskLevel="high",
        Result=[
            {"Label": "violent_explosion", "Confidence": 81.22, "Description": "x", "RiskLevel": "high"},
            {"Label": "pt_logo", "Confidence": 70},
            {"Label": "nonLabel_lib", "Confidence": None},
        ],
    )

    answer = read_answer(200, {}, body, question())

    assert answer.labels == (
        Label("violent_explosion", 81.22, "high"), Label("pt_logo", 70.0), Label("nonLabel_lib"),
    )  # fmt: skip
    assert (answer.risk_level, answer.request_id) == ("high", "R-1")


def test_extensions_are_counted_and_their_texts_left_behind() -> None:
    """
    Of `Ext` only libraries, labels and counts are kept: no recognised text, no keyword, no person's name.
    """
    body = reply(
        Ext={
            "CustomImage": [{"LibId": "lib-2"}, {"LibId": "lib-1"}, {"LibId": "lib-2"}],
            "TextInImage": {
                "OcrResult": [{"Text": "secret"}, {"Text": "line"}],
                "RiskWord": None,
                "CustomText": [{"LibId": 7, "KeyWords": "secret"}],
            },
            "PublicFigure": [{"FigureName": "secret"}],
            "LogoData": {"Logo": [{"Label": "pt_logo", "Name": "secret"}]},
        }
    )

    hits = read_answer(200, {}, body, question()).hits

    assert hits == Hits(
        image_libraries=("lib-1", "lib-2"), keyword_libraries=("7",), public_figures=1, logos=("pt_logo",), text_lines=2
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"Result": []}, {"Result": None}, {"Result": {}}, {"Result": [None]}, {"Result": [{}]},
        {"Result": [{"Label": 5}]}, {"Result": [{"Label": "a", "Confidence": 100.1}]},
        {"Result": [{"Label": "a", "Confidence": -1}]}, {"Result": [{"Label": "a", "Confidence": "97"}]},
        {"Result": [{"Label": "a", "Confidence": True}]}, {"Result": [{"Label": "nonLabel"}, {"Label": None}]},
        {"DataId": "another"}, {"DataId": 1},
    ],
)  # fmt: skip
def test_a_billed_answer_that_is_not_as_promised_is_refused(changes: dict[str, Any]) -> None:
    """
    One element that cannot be read makes the whole answer worthless, and it was paid for.
    """
    with pytest.raises(Malformed) as refused:
        read_answer(200, {}, reply(**changes), question())

    assert refused.value.billed == "yes"


@pytest.mark.parametrize("data_id", [None, "", "image-1"])
def test_the_echo_may_be_missing_but_not_wrong(data_id: str | None) -> None:
    """
    `DataId` is accepted absent, empty or ours.
    """
    assert read_answer(200, {}, reply(DataId=data_id), question()).risk_level == "none"


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b"[]", b"null", b'{"Code":200', b"\xff"])
def test_what_is_not_json_is_the_providers_fault(body: bytes) -> None:
    """
    A 2xx that cannot be read may have been billed; an error status was not.
    """
    with pytest.raises(ProviderFailed) as unread:
        read_answer(200, {}, body, question())
    with pytest.raises(ProviderFailed) as refused:
        read_answer(502, {}, body, question())

    assert (unread.value.billed, refused.value.billed) == ("maybe", "no")


def test_status_and_code_must_both_be_good() -> None:
    """
    `Code` 200 under an HTTP error is no answer.
    """
    with pytest.raises(ProviderFailed):
        read_answer(500, {}, reply(), question())


@pytest.mark.parametrize(("value", "seconds"), [("1500", 1.5), ("0", 0.0), ("", 0.0), ("-5", 0.0), ("soon", 0.0)])
def test_a_hint_to_wait_is_in_milliseconds(value: str, seconds: float) -> None:
    """
    Vendor: `x-acs-retry-after` is a positive whole number of milliseconds; anything else is no hint.
    """
    with pytest.raises(Throttled) as throttled:
        read_answer(400, {"x-acs-retry-after": value}, b'{"Code":"Throttling.User"}', question())

    assert throttled.value.retry_after == seconds


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["Code", "Data", "Result", "Label", "Confidence", "RiskLevel", "DataId", "Ext", "x"]), inner
        )
    ),
    max_leaves=25,
)


@settings(max_examples=1000, deadline=None)
@given(status=st.integers(100, 599), body=json.map(orjson.dumps) | st.binary(max_size=60), data=json)
def test_any_answer_is_accepted_or_a_failure(status: int, body: bytes, data: Any) -> None:
    """
    Whatever comes over the wire, reading it ends as an answer with labels or as a failure, and as nothing else.
    """
    for content in (body, orjson.dumps({"Code": 200, "Data": {"Result": [{"Label": "a"}], "Ext": data}})):
        try:
            answer = read_answer(status, {}, content, question())
        except CallFailed:
            continue
        assert answer.labels
        assert 200 <= status < 300
