from collections.abc import Callable, Mapping

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.alibaba import feedback, library_answers
from consumer.alibaba.codes import SERVICE_CODES, failure_of
from consumer.alibaba.scan import codes as scan_codes
from consumer.errors import (
    AccountRefused,
    CallFailed,
    ClockOff,
    ConsumerError,
    ImageRefused,
    InputRefused,
    NonceUsed,
    ProviderFailed,
    Throttled,
    Unreachable,
)
from tests.scenarios.test_failures import CASES


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (400, InputRefused), (401, InputRefused), (402, InputRefused), (403, Throttled), (404, Unreachable),
        (405, Unreachable), (406, ImageRefused), (407, ImageRefused), (408, AccountRefused), (500, ProviderFailed),
        (411, ProviderFailed), (0, ProviderFailed), (-1, ProviderFailed),
    ],
)  # fmt: skip
def test_the_services_codes_are_sorted_by_what_is_done(code: int, expected: type[CallFailed]) -> None:
    """
    Vendor: the service answers HTTP 200 with a numeric `Code`. One that is not documented is the provider's fault.
    """
    failure = failure_of(200, code)

    assert type(failure) is expected
    assert failure.code == str(code)


def test_every_code_is_tried_on_the_whole_way() -> None:
    """
    A code that is new has its case in the scenarios, where the whole service meets it.
    """
    assert {f"code-{code}" for code in SERVICE_CODES} <= CASES.keys()


def _of_feedback(status: int, code: int) -> None:
    feedback.read_answer(status, orjson.dumps({"code": code, "requestId": "r"}))


def _of_libraries(status: int, code: int) -> None:
    library_answers.read_answer("UpdateImageLib", status, orjson.dumps({"Code": code, "Message": "no"}))


def _of_image_moderation(status: int, code: int) -> None:
    raise failure_of(status, code)


def _of_scans(status: int, code: int) -> None:
    raise scan_codes.scan_failure(status, code)


@pytest.mark.parametrize(
    ("answered", "codes"),
    [
        (_of_feedback, feedback.CODES), (_of_libraries, library_answers.CODES),
        (_of_image_moderation, SERVICE_CODES), (_of_scans, scan_codes.CODES),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429])
def test_a_number_means_what_its_own_api_says_whatever_the_status(
    answered: Callable[[int, int], None], codes: Mapping[int, type[CallFailed]], status: int
) -> None:
    """403 throttles in one API only: elsewhere what is refused for good would be tried again for ever."""
    for code in codes:
        with pytest.raises(ConsumerError) as at_200:
            answered(200, code)
        with pytest.raises(ConsumerError) as refused:
            answered(status, code)

        assert type(refused.value) is type(at_200.value), code


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "Throttling.User", Throttled), (429, "Throttling", Throttled), (503, "Throttling.Api", Throttled),
        (404, "InvalidAccessKeyId.NotFound", AccountRefused), (400, "InvalidAccessKeyId.Inactive", AccountRefused),
        (400, "SignatureDoesNotMatch", AccountRefused), (400, "IncompleteSignature", AccountRefused),
        (403, "Forbidden.RAM", AccountRefused), (403, "NoPermission", AccountRefused),
        (400, "InvalidSecurityToken.Expired", AccountRefused), (400, "MissingSecurityToken", AccountRefused),
        (400, "InvalidVersion", AccountRefused), (404, "InvalidAction.NotFound", AccountRefused),
        (404, "InvalidApi.NotFound", AccountRefused), (400, "InvalidTimeStamp.Expired", ClockOff),
        (400, "MissingService", InputRefused), (400, "InvalidParameter", InputRefused),
        (503, "ServiceUnavailable", ProviderFailed), (500, "InternalError", ProviderFailed),
        (400, "SignatureNonceUsed", NonceUsed), (418, "SomethingNew", ProviderFailed),
        (502, None, ProviderFailed), (403, None, ProviderFailed), (500, 200, ProviderFailed),
    ],
)  # fmt: skip
def test_the_gateways_words_are_sorted_by_what_is_done(
    status: int, code: int | str | None, expected: type[CallFailed]
) -> None:
    """
    Vendor: the gateway refuses with an HTTP status and a word. A 5xx counts before its words, throttling aside.
    """
    assert type(failure_of(status, code)) is expected


@given(status=st.integers(200, 599), code=st.none() | st.integers() | st.text(max_size=80))
def test_a_hint_to_wait_marks_any_failure_as_throttling(status: int, code: int | str | None) -> None:
    """
    Vendor: an error with `x-acs-retry-after` is throttling, whatever else it says.
    """
    failure = failure_of(status, code, retry_after=1.5)

    assert isinstance(failure, Throttled)
    assert failure.retry_after == 1.5


def test_the_providers_text_does_not_get_through() -> None:
    """
    A `Code` that is no plain word is replaced: free text of the provider's echoes keys and parameters.
    """
    assert failure_of(400, "Your key LTAI… is wrong").code == "http_400"
