import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.errors import (
    AccountRefused,
    CallFailed,
    ClockOff,
    ImageRefused,
    InputRefused,
    Malformed,
    ProviderFailed,
    Throttled,
    Unreachable,
)
from consumer.moderation.retries import Retrying, RetryPolicy, delay_before_retry
from tests.clock import ManualClock
from tests.moderation.questions import ScriptedModerator, question

POLICY = RetryPolicy(first_delay=0.5, max_delay=30.0, fetch_attempts=3)


@given(attempt=st.integers(1, 10_000), dice=st.floats(0, 1))
@pytest.mark.parametrize("failure", [Throttled, ProviderFailed, AccountRefused, ClockOff])
def test_what_is_not_the_images_fault_is_asked_again_for_ever(
    failure: type[CallFailed], attempt: int, dice: float
) -> None:
    """
    However long the provider is away, its failures only make the work wait, and never longer than the limit.
    """
    delay = delay_before_retry(failure("code"), attempt, POLICY, dice)

    assert delay is not None
    assert 0 <= delay <= POLICY.max_delay


@pytest.mark.parametrize("failure", [ImageRefused, InputRefused, Malformed])
def test_an_image_without_hope_is_given_up_at_once(failure: type[CallFailed]) -> None:
    """
    What the image itself is refused for is not asked again.
    """
    assert delay_before_retry(failure("code"), 1, POLICY, 0.5) is None


def test_an_unreachable_image_is_asked_a_few_times() -> None:
    """
    Fetch failures are given up after `fetch_attempts`.
    """
    delays = [delay_before_retry(Unreachable("404"), attempt, POLICY, 1.0) for attempt in (1, 2, 3)]

    assert delays == [0.5, 1.0, None]


def test_what_the_provider_asks_for_is_waited_at_least() -> None:
    """
    `x-acs-retry-after` is a lower bound, whatever the dice say.
    """
    assert delay_before_retry(Throttled("Throttling.User", retry_after=2.5), 1, POLICY, 0.0) == 2.5


async def test_it_asks_until_there_is_an_answer() -> None:
    """
    The answer tells how many calls it took, and each came after its delay.
    """
    clock = ManualClock()
    failures: list[Callable[[], CallFailed]] = [
        lambda: ProviderFailed("500"),
        lambda: Throttled("403", retry_after=4.0),
    ]
    provider = ScriptedModerator(clock, failures)

    answer = await clock.run(Retrying(provider, POLICY, clock, random.Random(1)).ask(question()))

    assert answer.attempts == 3
    first, second, third = provider.asked_at
    assert 0 <= second - first <= 0.5
    assert 4.0 <= third - second <= 5.0


async def test_giving_up_tells_how_often_it_was_tried() -> None:
    """
    The last failure escapes, with the number of calls that were sent.
    """
    clock = ManualClock()
    provider = ScriptedModerator(clock, [lambda: Unreachable("405")] * 5)

    with pytest.raises(Unreachable) as gave_up:
        await clock.run(Retrying(provider, POLICY, clock).ask(question()))

    assert gave_up.value.attempts == len(provider.asked) == 3
