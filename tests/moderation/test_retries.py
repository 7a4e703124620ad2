import asyncio
import random
from collections.abc import Callable

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import (
    AccountRefused,
    CallFailed,
    ClockOff,
    Expired,
    ImageRefused,
    InputRefused,
    Malformed,
    NonceUsed,
    ProviderFailed,
    Throttled,
    Unreachable,
)
from consumer.moderation.retries import Retrying, RetryPolicy, delay_before_retry
from tests.moderation.requests import ScriptedModerator, context, request
from tests.rig.clock import ManualClock

POLICY = RetryPolicy(first_delay=0.5, max_delay=30.0, fetch_attempts=3, attempts=5, others_answered=20)


def retrying(provider: ScriptedModerator, clock: ManualClock) -> Retrying:
    return Retrying(provider, POLICY, clock, InterruptibleWaits(), random.Random(1))


@given(attempt=st.integers(1, 10_000), dice=st.floats(0, 1))
@pytest.mark.parametrize("failure", [Throttled, ProviderFailed, AccountRefused, ClockOff])
def test_what_is_not_the_images_fault_is_asked_again_for_ever(
    failure: type[CallFailed], attempt: int, dice: float
) -> None:
    """
    However long the provider is away, its failures only make the work wait, and never longer than the limit.
    """
    delay = delay_before_retry(failure("code"), attempt, POLICY, dice, others_answered=POLICY.others_answered - 1)

    assert delay is not None
    assert 0 <= delay <= POLICY.max_delay


@pytest.mark.parametrize("failure", [ImageRefused, InputRefused, Malformed])
def test_an_image_without_hope_is_given_up_at_once(failure: type[CallFailed]) -> None:
    """
    What the image itself is refused for is not asked again.
    """
    assert delay_before_retry(failure("code"), 1, POLICY, 0.5) is None


@pytest.mark.parametrize(
    ("failure", "attempt", "others", "gives_up"),
    [
        (ProviderFailed, 5, 20, True), (ProviderFailed, 4, 20, False), (ProviderFailed, 5, 19, False),
        (AccountRefused, 5, 20, True), (AccountRefused, 50, 19, False), (ClockOff, 5, 20, True),
        (Throttled, 500, 2_000, False),
    ],
)  # fmt: skip
def test_a_failure_is_the_images_own_once_enough_others_were_answered(
    failure: type[CallFailed], attempt: int, others: int, gives_up: bool
) -> None:
    """
    Both must be used up: the attempts, and the doubt that it is the provider's. Throttling never counts.
    """
    assert (delay_before_retry(failure("code"), attempt, POLICY, 0.5, others_answered=others) is None) is gives_up


def test_a_nonce_that_was_used_is_replaced_at_once() -> None:
    """
    Vendor: a retry needs a new nonce, and nothing else is wrong.
    """
    assert delay_before_retry(NonceUsed("SignatureNonceUsed"), 1, POLICY, 1.0) == 0.0


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

    answer = await clock.run(retrying(provider, clock).ask(request(), context()))

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

    call = context()
    with pytest.raises(Unreachable):
        await clock.run(retrying(provider, clock).ask(request(), call))

    assert call.attempt == len(provider.asked) == 3


async def test_interrupting_the_waits_ends_waiting_for_the_provider_but_not_for_an_image() -> None:
    """
    A stop does not wait for an outage to end; an image that is asked about a second time is finished.
    """
    clock, waits = ManualClock(), InterruptibleWaits()
    away = Retrying(ScriptedModerator(clock, [lambda: ProviderFailed("500")] * 9), POLICY, clock, waits)
    slow = Retrying(ScriptedModerator(clock, [lambda: Unreachable("404")]), POLICY, clock, waits)
    waiting = asyncio.ensure_future(away.ask(request(), context()))
    finishing = asyncio.ensure_future(slow.ask(request(), context()))
    await asyncio.sleep(0)

    waits.close()
    await clock.run(asyncio.wait([waiting, finishing]))

    assert waiting.cancelled()
    assert finishing.result().attempts == 2


async def test_an_image_behind_an_expired_url_is_given_up_at_once() -> None:
    """
    No attempt brings a presigned URL back; one that is still good is tried again.
    """
    clock = ManualClock(start=1_767_323_045.0)
    provider = ScriptedModerator(clock, [lambda: Unreachable("404")] * 2)
    layer = retrying(provider, clock)
    url = "https://ugc.example.com/a.jpg?Signature=a&Expires="

    with pytest.raises(Expired) as gave_up:
        await clock.run(layer.ask(request(url=f"{url}1767323045"), context()))
    answer = await clock.run(layer.ask(request(url=f"{url}1767323999"), context()))

    assert (gave_up.value.kind, gave_up.value.code, len(provider.asked)) == ("fetch", "expired", 3)
    assert answer.attempts == 2


async def test_a_failed_call_names_the_message_that_it_was_for() -> None:
    """
    Topic, partition and offset, so that who reads the log finds the upload.
    """
    clock = ManualClock()
    with structlog.testing.capture_logs() as logs:
        await clock.run(
            retrying(ScriptedModerator(clock, [lambda: ProviderFailed("500")]), clock).ask(
                request(), context(offset=17)
            )
        )

    [told] = [line for line in logs if line["event"] == "call.failed"]
    assert (told["topic"], told["partition"], told["offset"]) == ("uploads", 0, 17)
