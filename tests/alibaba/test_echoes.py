"""Whether answers must name their image is learned from answers, where that is asked for."""

from typing import Any

import pytest

from consumer.alibaba.echoes import ENOUGH, LearnedEchoes
from consumer.alibaba.image_moderation import read_answer
from consumer.errors import Malformed
from tests.alibaba.test_image_moderation import reply
from tests.moderation.requests import request


def test_what_was_always_named_must_be_named() -> None:
    """
    After so many names in a row, an answer without one is not believed, however many come.
    """
    echoes = LearnedEchoes()

    before = [echoes.accept("s", named=True) for _ in range(ENOUGH)]
    after = [echoes.accept("s", named=named) for named in [False] * 50 + [True, False]]

    assert all(before)
    assert after == [False] * 50 + [True, False]


def test_an_answer_without_a_name_begins_the_count_anew() -> None:
    """
    A service that names some images and others not has never to.
    """
    echoes = LearnedEchoes()

    told = [echoes.accept("s", named=number % ENOUGH != 0) for number in range(10 * ENOUGH)]

    assert all(told)


def test_each_service_is_learned_by_itself() -> None:
    """
    What one names says nothing of another.
    """
    echoes = LearnedEchoes()
    for _ in range(ENOUGH):
        echoes.accept("named", named=True)

    assert echoes.accept("unnamed", named=False)
    assert not echoes.accept("named", named=False)


@pytest.mark.parametrize("missing", [{"DataId": None}, {"DataId": ""}])
def test_an_answer_that_no_longer_names_its_image_is_malformed(missing: dict[str, Any]) -> None:
    """
    Code DataId, and billed; without learning it is accepted as ever.
    """
    asked, echoes = request(), LearnedEchoes()
    for _ in range(ENOUGH):
        read_answer(200, {}, reply(), asked, echoes)

    with pytest.raises(Malformed) as wrong:
        read_answer(200, {}, reply(**missing), asked, echoes)

    assert (wrong.value.code, wrong.value.billed) == ("DataId", "yes")
    assert read_answer(200, {}, reply(**missing), asked).labels
    assert read_answer(200, {}, reply(), asked, echoes).labels


def test_anothers_name_teaches_nothing() -> None:
    """
    It is refused at any time, and neither counts nor begins anew.
    """
    asked, echoes = request(), LearnedEchoes()
    for _ in range(ENOUGH - 1):
        read_answer(200, {}, reply(), asked, echoes)
    with pytest.raises(Malformed):
        read_answer(200, {}, reply(DataId="image-2"), asked, echoes)

    assert read_answer(200, {}, reply(DataId=""), asked, echoes).labels
