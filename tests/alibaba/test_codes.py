import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.alibaba.codes import failure_of
from consumer.errors import (
    AccountRefused,
    CallFailed,
    ClockOff,
    ImageRefused,
    InputRefused,
    NonceUsed,
    ProviderFailed,
    Throttled,
    Unreachable,
)


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
