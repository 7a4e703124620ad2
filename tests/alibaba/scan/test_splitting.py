"""An answer about several images: what is whose."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from consumer.alibaba.scan.splitting import NotSaid, split

IMAGES = ("a", "b", "c", "d")
NAMES: st.SearchStrategy[Any] = st.sampled_from([*IMAGES, "stranger", "", None, 7, ["a"]])
CODES: st.SearchStrategy[Any] = st.sampled_from([200, 200, 200, 400, 588, True, "200", None])


def task(number: int, name: Any, code: Any) -> dict[str, Any]:
    return {"taskId": f"t{number}", "dataId": name, "code": code}


@given(st.permutations(IMAGES))
def test_an_image_is_known_by_its_name_and_not_by_its_place(order: Sequence[str]) -> None:
    """
    In whatever order tasks are answered, each is its image's.
    """
    found = split([{"dataId": name, "taskId": f"t-{name}", "code": 200} for name in order], IMAGES)

    assert {name: said["taskId"] for name, said in found.items() if not isinstance(said, NotSaid)} == {
        name: f"t-{name}" for name in IMAGES
    }


@given(st.lists(st.tuples(NAMES, CODES), max_size=10), st.sets(st.sampled_from(IMAGES), min_size=1))
def test_a_task_is_an_images_only_if_it_alone_names_it(said: Sequence[tuple[Any, Any]], asked: set[str]) -> None:
    """
    Whatever is missing, said twice, a stranger's or nobody's: every image that was asked about has one end, no task is
    two images', and what happens to one image changes nothing about another that is named once.
    """
    tasks = [task(number, *each) for number, each in enumerate(said)]

    found = split(tasks, asked)

    assert set(found) == asked
    refused = sum(name in ("", None) and type(code) is int and code != 200 for name, code in said)
    unanswered = sum(all(name != each for each, _ in said) for name in asked)
    for name in asked:
        named = [each for each in tasks if each["dataId"] == name]
        if len(named) == 1:
            assert found[name] is named[0]
        elif named or refused < unanswered:
            assert found[name] is NotSaid.UNANSWERED
        else:
            assert found[name] is NotSaid.UNNAMED


def test_a_success_that_names_nobody_is_nobodys() -> None:
    """
    Somebody's image was billed, and whose is not known: it is no refusal that one could ask again about.
    """
    assert split([task(0, "a", 200), task(1, None, 200)], ["a", "b"])["b"] is NotSaid.UNANSWERED
