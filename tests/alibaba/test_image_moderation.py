import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consumer.alibaba.image_moderation import data_id, read_answer, request_body
from consumer.config.privacy import PrivacySettings
from consumer.errors import CallFailed, Malformed, ProviderFailed, Throttled
from consumer.locations import ByObject
from consumer.moderation import ModerationRequest
from consumer.records import Label
from tests.moderation.requests import request


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
    body = request_body(request(url="https://img.example.com/a%20b.jpg?x=1&y=2"))

    assert parameters_of(body) == {"dataId": "image-1", "imageUrl": "https://img.example.com/a%20b.jpg?x=1&y=2"}


def test_an_object_is_named_raw() -> None:
    """
    Vendor: bucket, object and region go together, and the object's name as it is, spaces and Chinese included.
    """
    asked = ModerationRequest(
        submission="d",
        location=ByObject("ugc", "a b/测试+~*.jpg", "cn-beijing"),
        service="s",
        info=("customImage", "logoData"),
        referer="www.example.com",
    )

    assert parameters_of(request_body(asked)) == {
        "dataId": "d", "ossBucketName": "ugc", "ossObjectName": "a b/测试+~*.jpg", "ossRegionId": "cn-beijing",
        "referer": "www.example.com", "infoType": "customImage,logoData",
    }  # fmt: skip


@given(st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True))
def test_an_id_that_the_provider_takes_is_sent_as_it_is(submission_id: str) -> None:
    """
    Vendor: 1 to 64 letters, digits, `_`, `-` and `.`.
    """
    assert data_id(submission_id) == submission_id


@given(st.text(st.characters(codec="utf-8"), max_size=80))
@example("x" * 65)
@example("a\n")
def test_any_id_becomes_one_that_the_provider_takes(submission_id: str) -> None:
    """
    What does not fit is hashed, always to the same.
    """
    sent = data_id(submission_id)

    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", sent)
    assert sent == data_id(submission_id)


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

    answer = read_answer(200, {}, body, request())

    assert answer.labels == (
        Label("violent_explosion", 81.22, "high"), Label("pt_logo", 70.0), Label("nonLabel_lib"),
    )  # fmt: skip
    assert (answer.risk_level, answer.request_id) == ("high", "R-1")


@pytest.mark.parametrize("text", ["No risk detected", "success", "", None, 5, {"Label": "nonLabel"}, "violent_gun"])
def test_what_the_vendor_may_change_is_never_looked_at(text: Any) -> None:
    """
    Vendor: `Description` explains the label and may change; its examples disagree on `Msg`.
    """
    labels = [{"Label": "violent_explosion", "Confidence": 81.22, "Description": text}]
    data = {"RiskLevel": "high", "Result": labels}

    answer = read_answer(200, {}, orjson.dumps({"Code": 200, "Msg": text, "Data": data}), request())

    assert answer.labels == (Label("violent_explosion", 81.22),)
    assert answer.risk_level == "high"


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
        read_answer(200, {}, reply(**changes), request())

    assert refused.value.billed == "yes"


@pytest.mark.parametrize("data_id", [None, "", "image-1"])
def test_the_echo_may_be_missing_but_not_wrong(data_id: str | None) -> None:
    """
    `DataId` is accepted absent, empty or ours.
    """
    assert read_answer(200, {}, reply(DataId=data_id), request()).risk_level == "none"


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b"[]", b"null", b'{"Code":200', b"\xff"])
def test_what_is_not_json_is_the_providers_fault(body: bytes) -> None:
    """
    A 2xx that cannot be read may have been billed; an error status was not.
    """
    with pytest.raises(ProviderFailed) as unread:
        read_answer(200, {}, body, request())
    with pytest.raises(ProviderFailed) as refused:
        read_answer(502, {}, body, request())

    assert (unread.value.billed, refused.value.billed) == ("maybe", "no")


def test_status_and_code_must_both_be_good() -> None:
    """
    `Code` 200 under an HTTP error is no answer.
    """
    with pytest.raises(ProviderFailed):
        read_answer(500, {}, reply(), request())


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1500", 1.5), ("60000", 60.0), ("60001", 60.0), ("9999999", 60.0), ("10000000", 60.0), ("9" * 5000, 60.0),
        ("0" * 5000 + "7", 0.007), ("0", 0.0), ("000", 0.0), ("", 0.0), ("-5", 0.0), ("soon", 0.0), ("1500\n", 0.0),
        ("¹", 0.0), ("١٢", 0.0), ("1e9", 0.0), ("0x10", 0.0), ("NaN", 0.0), ("inf", 0.0), ("1.5", 0.0), ("1, 2", 0.0),
        ("Fri, 31 Dec 2027 23:59:59 GMT", 0.0),
    ],
)  # fmt: skip
def test_a_hint_to_wait_is_in_milliseconds(value: str, seconds: float) -> None:
    """
    Vendor: `x-acs-retry-after` is a positive whole number of milliseconds; anything else is no hint. A minute is waited
    at the most.
    """
    with pytest.raises(Throttled) as throttled:
        read_answer(400, {"x-acs-retry-after": value}, b'{"Code":"Throttling.User"}', request())

    assert throttled.value.retry_after == seconds


NAMES = [
    "Code", "Data", "Result", "Label", "Confidence", "RiskLevel", "DataId", "Ext", "x", "CustomImage", "LibId",
    "TextInImage", "OcrResult", "Text", "RiskWord", "CustomText", "KeyWords", "PublicFigure", "FigureName", "LogoData",
    "Logo",
]  # fmt: skip
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=25,
)


@settings(max_examples=500)
@given(status=st.integers(100, 599), body=json.map(orjson.dumps) | st.binary(max_size=60), data=json)
def test_any_answer_is_accepted_or_a_failure(status: int, body: bytes, data: Any) -> None:
    """
    Whatever comes over the wire, reading it ends as an answer with labels or as a failure, and as nothing else.
    """
    asked = replace(request(), privacy=PrivacySettings(recognised_text="text", public_figures="hash", keywords="text"))
    for content in (body, orjson.dumps({"Code": 200, "Data": {"Result": [{"Label": "a"}], "Ext": data}})):
        try:
            answer = read_answer(status, {}, content, asked)
        except CallFailed:
            continue
        assert answer.labels
        assert 200 <= status < 300


@pytest.mark.parametrize(
    ("body", "headers", "request_id"),
    [
        ({"RequestId": "R-1", "Code": 500, "Msg": "failed"}, {}, "R-1"),
        ({"RequestId": "R-1", "Code": "Throttling.User", "Message": "slow"}, {"x-acs-request-id": "R-2"}, "R-1"),
        ({"requestId": "R-1", "code": 404}, {}, "R-1"),
        ({"Code": 500}, {"x-acs-request-id": "R-2"}, "R-2"),
        ("<html>", {"x-acs-request-id": "R-2"}, "R-2"),
        ({"RequestId": "a line\nand more", "Code": 500}, {"x-acs-request-id": "x" * 200}, None),
        ({"RequestId": 7, "Code": 200, "Data": {}}, {}, None),
    ],
)
def test_a_call_that_failed_says_how_the_provider_names_it(
    body: Any, headers: dict[str, str], request_id: str | None
) -> None:
    """
    Its support asks for it; what is no plain name is not one.
    """
    with pytest.raises(CallFailed) as failed:
        read_answer(200, headers, orjson.dumps(body), request())

    assert failed.value.request_id == request_id
