"""The words that operators count and read."""

import re

import orjson
import pytest

from consumer.intake.decode import Omission, Rejection


@pytest.mark.parametrize("reason", [*Rejection, *Omission])
def test_each_reason_is_a_short_word_with_a_sentence(reason: Rejection | Omission) -> None:
    """
    The word is fit for a metric's label and a header, the sentence for a manual.
    """
    assert re.fullmatch(r"[a-z][a-z_]{0,29}", reason.value)
    assert re.fullmatch(r"[A-Z].+\.", reason.sentence)


def test_no_word_means_two_things() -> None:
    """
    Dead letters and ignored messages are counted side by side.
    """
    words = [reason.value for reason in (*Rejection, *Omission)]

    assert len(set(words)) == len(words)


def test_a_reason_leaves_as_plain_text() -> None:
    """
    Headers, labels and JSON keys take a string and not a member of an enumeration.
    """
    refusal = Rejection.BAD_URL.at("images[0].url", "is wrong")

    assert type(refusal.reason) is type(Omission.NO_VALUE.ignored.reason) is str
    assert orjson.dumps({refusal.reason: refusal.detail}) == b'{"bad_url":"images[0].url: is wrong"}'
