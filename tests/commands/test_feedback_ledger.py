"""What `feedback ledger` says."""

from dataclasses import replace

import orjson

from consumer.commands.feedback.ledger import written
from consumer.feedback import NotSent, Sent
from tests.feedback.building import ABOUT, vote

SENT = Sent(
    about=ABOUT, tenant="shop-eu", suggestion="block", scenes=("porn", "ad"), url="https://cdn.example.com/a.jpg",
    reviewers=("a", "b"), verdict_ids=("v",), sent_at="2026-11-20T10:00:00.000Z", request_id="R-1",
)  # fmt: skip
NOT_SENT = NotSent(
    about=ABOUT, tenant="shop-eu", suggestion="block", reason="refused", code="400", noted_at="2026-11-20T10:00:00.000Z"
)


def test_names_each_image_that_the_provider_was_told_of() -> None:
    """A line has what is needed to find the image in the provider's console, and who decided."""
    (line,) = written([vote("a"), vote("b"), SENT, NOT_SENT], as_json=False, not_sent=False)

    for part in ("block", "porn,ad", "https://cdn.example.com/a.jpg", "uploads/0@7 image 0", "by a, b", "request R-1"):
        assert part in line
    assert "CONTRADICTED" not in line


def test_says_who_decides_otherwise_by_now() -> None:
    """The newest decision of each reviewer counts: who takes back an approval is no longer named."""
    later = (vote("c", "approve", offset=5), vote("d", "approve", offset=6), vote("d", offset=7))
    (line,) = written([vote("a"), vote("b"), SENT, *later], as_json=False, not_sent=False)

    assert line.endswith("; CONTRADICTED by c)")


def test_says_what_was_not_sent_where_that_is_asked_for() -> None:
    """With the provider's code, and as JSON for programs."""
    (text,) = written([NOT_SENT], as_json=False, not_sent=True)
    (document,) = written([replace(NOT_SENT, code="")], as_json=True, not_sent=True)

    assert "not sent: the provider refused it, and would again (400)" in text
    assert orjson.loads(document)["reason"] == "refused"
