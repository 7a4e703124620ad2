"""Which tasks are looked for, and when."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from consumer.moderation.open_tasks import OpenTasks


def test_a_task_is_looked_for_every_interval_until_it_is_closed() -> None:
    """The first look is an interval after its call: it has cost nothing to wait for that."""
    tasks = OpenTasks(5.0, 3600.0)
    tasks.open("a", 100.0)

    assert tasks.next_due() == 105.0
    assert tasks.take_due(104.9, 10) == []
    assert tasks.take_due(105.0, 10) == ["a"]
    assert tasks.next_due() == 110.0
    tasks.close("a")
    assert tasks.next_due() == inf
    assert "a" not in tasks


def test_a_task_that_was_taken_over_is_looked_for_at_once() -> None:
    """A predecessor gave it to the provider: its result may have been there for long."""
    tasks = OpenTasks(5.0, 3600.0)
    tasks.open("a", 100.0, at_once=True)

    assert tasks.take_due(100.0, 10) == ["a"]


@given(st.lists(st.integers(0, 100), min_size=1, max_size=60), st.integers(1, 10))
def test_each_call_names_those_that_wait_longest(opened: list[int], most: int) -> None:
    """No task starves, and no call names more than it may; in an interval all are looked for once."""
    tasks = OpenTasks(5.0, 3600.0)
    for number, at in enumerate(opened):
        tasks.open(f"{number}", at)

    looked: list[str] = []
    while taken := tasks.take_due(1000.0, most):
        assert len(taken) <= most
        looked += taken

    assert sorted(looked) == sorted(f"{number}" for number in range(len(opened)))
    assert [opened[int(each)] for each in looked] == sorted(opened)


def test_a_callback_makes_its_task_due_once() -> None:
    """One that is repeated, or about a task that is not open here, changes nothing."""
    tasks = OpenTasks(5.0, 3600.0)
    tasks.open("a", 100.0)

    assert tasks.wake("a", 101.0)
    assert tasks.take_due(101.0, 10) == ["a"]
    assert not tasks.wake("a", 102.0)
    assert tasks.take_due(102.0, 10) == []
    assert not tasks.wake("b", 102.0)


def test_tasks_that_spoil_an_answer_are_looked_for_one_by_one() -> None:
    """Where a call is refused for one of its tasks, the others are not held up by it."""
    tasks = OpenTasks(5.0, 3600.0)
    for name in "abc":
        tasks.open(name, 100.0)
    tasks.split(tasks.take_due(105.0, 10), 105.0)

    assert [tasks.take_due(105.0, 10) for _ in range(4)] == [["a"], ["b"], ["c"], []]


def test_a_refusal_postpones_and_shortens_nothing() -> None:
    """Where the provider asks to come later, none of these is looked for before that."""
    tasks = OpenTasks(5.0, 3600.0)
    tasks.open("a", 100.0)
    taken = tasks.take_due(105.0, 10)

    tasks.postpone(taken, 107.0)
    assert tasks.next_due() == 110.0
    tasks.postpone(taken, 120.0)
    assert tasks.next_due() == 120.0


def test_a_task_is_given_up_once_the_provider_keeps_its_result_no_longer() -> None:
    """It would else be looked for for ever, and hold its place."""
    tasks = OpenTasks(5.0, 3600.0)
    tasks.open("a", 100.0)

    assert tasks.overdue(3700.0) == []
    assert tasks.overdue(3700.1) == ["a"]
