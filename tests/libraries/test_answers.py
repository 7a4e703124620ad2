"""
What the vendor answers about libraries: every spelling of its pages and SDKs, refusals, and what nobody sent.
"""

import orjson
import pytest

from consumer.alibaba.library_answers import id_in, libraries_in, read_answer
from consumer.errors import AccountRefused, CallFailed, Malformed, ProviderFailed, Throttled
from consumer.libraries import LimitReached, VendorRefused
from tests.rig.speed import is_quick

ID = "795D8871-4889-4C0F-A8B1-C7D2B990FF61"


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"requestId": ID, "code": 200}, None),  # CreateImageLib, the page's sample
        ({"RequestId": ID, "Id": 7}, "7"),  # its SDK's model
        ({"RequestId": ID, "code": 200, "Id": "123"}, "123"),  # CreateKeywordLib, the page of 2026
        ({"RequestId": ID, "code": 200, "Id": 123}, "123"),  # the older page
        ({"code": 200, "msg": "OK", "requestId": ID, "id": "123"}, "123"),  # both tables
    ],
)
def test_an_id_is_read_in_every_spelling(answer: dict[str, object], found: str | None) -> None:
    """
    The examples of the pages, and the SDKs' models.
    """
    assert id_in(read_answer("CreateImageLib", 200, orjson.dumps(answer))) == found


@pytest.mark.parametrize(
    ("status", "answer", "kind"),
    [
        (400, {"Code": "InvalidName", "Message": "Specified parameter Name is not valid."}, VendorRefused),
        (400, {"Code": "NobodyKnows", "Message": "no"}, VendorRefused),
        (200, {"code": 400, "msg": "bad"}, VendorRefused),
        (400, {"Code": "LibraryLimitExceeded", "Message": "too many"}, LimitReached),
        (200, {"code": 400, "msg": "图库数量超过上限"}, LimitReached),
        (400, {"Code": "Throttling.User", "Message": "flow control"}, Throttled),
        (200, {"code": 588, "msg": "quota"}, Throttled),
        (403, {"Code": "NoPermission", "Message": "User not authorized"}, AccountRefused),
        (200, {"code": 596}, AccountRefused),
        (200, {"code": 500, "msg": "time limit exceeded"}, ProviderFailed),
        (503, {"Code": "ServiceUnavailable"}, ProviderFailed),
        (200, {"code": True}, ProviderFailed),
        (200, [], ProviderFailed),
    ],
)
def test_what_is_no_success_is_sorted_by_what_is_done_about_it(
    status: int, answer: object, kind: type[Exception]
) -> None:
    """
    A failure of the provider may have been carried out, and says nothing of a limit.
    """
    with pytest.raises((CallFailed, VendorRefused)) as caught:
        read_answer("CreateImageLib", status, orjson.dumps(answer))

    assert type(caught.value) is kind


def test_a_list_that_is_not_whole_is_refused() -> None:
    """
    A library that is overlooked would be created again.
    """
    one = {"Id": 1, "Name": "n", "Category": "BLACK", "Scene": "AD", "Enable": "true"}

    assert [each.id for each in libraries_in("image", {"imageliblist": [one], "totalcount": 1})] == ["1"]
    for broken in (
        {"imageliblist": [one], "totalcount": 2},
        {"imageliblist": [{**one, "Name": None}]},
        {"imageliblist": "none"},
        {"imageliblist": [{**one, "BizTypes": "a,b"}]},
    ):
        with pytest.raises(Malformed):
            libraries_in("image", broken)


@pytest.mark.parametrize("piece", [b"[", b'{"Id":', b'"BizTypes":"[",', b"\xff", b"limit "])
def test_a_hostile_megabyte_is_read_in_no_time(piece: bytes) -> None:
    """
    It ends as a failure.
    """

    def refused(body: bytes) -> None:
        for each in (body, orjson.dumps({"Code": "X", "Message": body.decode("latin-1")})):
            with pytest.raises((CallFailed, VendorRefused)) as caught:
                read_answer("CreateImageLib", 400, each)
            assert len(str(caught.value)) < 600

    assert is_quick(refused, lambda size: piece * (size // len(piece)), 0.5)
