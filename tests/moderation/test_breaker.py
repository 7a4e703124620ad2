import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.errors import AccountRefused, ProviderFailed
from consumer.moderation.breaker import Breaker, BreakerLimits, Permit, State

LIMITS = BreakerLimits(provider_failures=4, account_failures=2, probe_interval=1.0, full=8)


def departed(breaker: Breaker, now: float = 0.0) -> Permit:
    """A call on its way."""
    assert breaker.wait(now) == 0
    permit = breaker.permit(now)
    assert permit.depart()
    return permit


def fail(breaker: Breaker, times: int, now: float = 0.0, failure: type = ProviderFailed) -> None:
    for _ in range(times):
        departed(breaker, now).failed(failure("code"), now)


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker(LIMITS)
    fail(breaker, 2, now, AccountRefused)
    assert breaker.state is State.OPEN
    return breaker


@pytest.mark.parametrize(("failure", "enough"), [(ProviderFailed, 4), (AccountRefused, 2)])
def test_it_opens_after_enough_failures_in_a_row(failure: type, enough: int) -> None:
    """
    One failure fewer leaves it closed; the account's refusals need fewer than the provider's failures.
    """
    breaker = Breaker(LIMITS)

    fail(breaker, enough - 1, failure=failure)
    before = breaker.state
    fail(breaker, 1, failure=failure)

    assert (before, breaker.state) == (State.CLOSED, State.OPEN)
    assert isinstance(breaker.cause, failure)


def test_an_answer_in_between_ends_the_run() -> None:
    """
    Failures with answers among them are those images' own.
    """
    breaker = Breaker(LIMITS)

    for _ in range(20):
        fail(breaker, 3)
        departed(breaker).answered()

    assert breaker.state is State.CLOSED


def test_an_answer_to_a_call_from_before_the_failures_proves_nothing() -> None:
    """
    A key that was just revoked is not excused by calls that departed while it was good.
    """
    breaker = Breaker(LIMITS)
    earlier = departed(breaker)

    fail(breaker, 1, failure=AccountRefused)
    earlier.answered()
    fail(breaker, 1, failure=AccountRefused)

    assert breaker.state is State.OPEN


def test_judgement_waits_for_calls_that_departed_in_between() -> None:
    """
    Refusals are quicker than answers: a bucket that the account may not read does not stop the others.
    """
    breaker = Breaker(LIMITS)
    first_bad, good, second_bad = departed(breaker), departed(breaker), departed(breaker)

    first_bad.failed(AccountRefused("408"), 0.0)
    second_bad.failed(AccountRefused("408"), 0.0)
    undecided = breaker.state
    good.answered()
    fail(breaker, 1, failure=AccountRefused)

    assert (undecided, breaker.state) == (State.CLOSED, State.CLOSED)


def test_failures_without_end_need_no_further_judgement() -> None:
    """
    One call that hangs does not keep it closed for ever.
    """
    breaker = Breaker(LIMITS)
    fail(breaker, 1)
    departed(breaker)  # never comes back

    fail(breaker, LIMITS.full - 1)

    assert breaker.state is State.OPEN


def test_while_open_one_probe_at_a_time_departs_and_one_a_second_at_most() -> None:
    """
    The first probe waits for the interval, the next for it and for the first one's end.
    """
    breaker = opened(now=10.0)

    first_wait = breaker.wait(10.0)
    probe = departed(breaker, 11.0)
    while_out = breaker.wait(11.0)
    probe.failed(AccountRefused("408"), 11.2)
    second_wait = breaker.wait(11.2)

    assert (first_wait, while_out) == (1.0, LIMITS.probe_patience)
    assert second_wait == pytest.approx(0.8)


def test_a_call_that_was_let_in_before_it_opened_does_not_depart() -> None:
    """
    A permit is good until the breaker opens, however long its holder waited for a slot.
    """
    breaker = Breaker(LIMITS)
    late = breaker.permit(0.0)

    fail(breaker, 4)

    assert not late.depart()
    assert breaker.wait(5.0) == 0.0  # it took no probe's place either


def test_after_a_probe_is_answered_calls_in_flight_double_with_each_round() -> None:
    """
    Every answer allows one more call, until there are as many as there may ever be.
    """
    breaker = opened()
    departed(breaker, 1.0).answered()

    rounds = []
    while breaker.state is State.RAMPING:
        calls: list[Permit] = []
        while breaker.wait(1.0) == 0 and len(calls) < 100:
            calls.append(departed(breaker, 1.0))
        rounds.append(len(calls))
        for call in calls:
            call.answered()

    assert rounds == [2, 4]
    assert breaker.state is State.CLOSED
    assert breaker.cause is None


def test_failures_while_it_ramps_open_it_again_and_it_remembers_since_when() -> None:
    """
    An outage that comes back is the same outage.
    """
    breaker = opened(now=3.0)
    departed(breaker, 4.0).answered()

    fail(breaker, LIMITS.provider_failures, now=5.0)

    assert breaker.state is State.OPEN
    assert breaker.opened_at == 3.0


def test_a_probe_that_hangs_does_not_keep_the_next_from_departing() -> None:
    """
    An image that is never answered must not be the reason why nobody finds out that the others would be.
    """
    breaker = opened(now=10.0)
    departed(breaker, 11.0)

    departed(breaker, 13.0)
    third = departed(breaker, 15.0)
    third.succeeded()

    assert breaker.state is State.RAMPING
    assert breaker.wait(15.1) == 0.0


def test_only_answers_to_calls_that_departed_later_count() -> None:
    """
    When an outage begins, answers to calls from before it still come in: they do not make it the image's own fault.
    """
    breaker = Breaker(LIMITS)
    earlier, own, later = departed(breaker), departed(breaker), departed(breaker)
    assert own.departure is not None

    earlier.succeeded()
    before = own.others_answered_since(own.departure)
    later.succeeded()
    after = own.others_answered_since(own.departure)

    assert (before, after) == (0, 1)


def test_no_more_answers_are_remembered_than_are_asked_for() -> None:
    """
    Memory stays as it is, however many are answered.
    """
    breaker = Breaker(LIMITS)
    first = departed(breaker)

    for _ in range(1_000):
        departed(breaker).succeeded()

    assert first.others_answered_since(1) == LIMITS.others


def test_a_probe_that_was_cancelled_makes_room_for_the_next() -> None:
    """
    Nobody waits for a call that does not exist any more, and ending twice is ending once.
    """
    breaker = opened()
    probe = departed(breaker, 1.0)

    probe.abandoned()
    probe.abandoned()

    assert breaker.wait(2.0) == 0.0


def test_failures_after_a_long_ramp_are_another_outage() -> None:
    """
    A quiet replica may ramp for days: what then opens it has not lasted for days.
    """
    breaker = opened(now=3.0)
    departed(breaker, 4.0).answered()
    departed(breaker, 5.0).answered()

    fail(breaker, LIMITS.provider_failures, now=5.0 + LIMITS.another_outage)

    assert breaker.opened_at == 5.0 + LIMITS.another_outage


class Owner:
    """Asks by a breaker with a clock of its own, as steps of a test say."""

    def __init__(self) -> None:
        self.breaker = Breaker(LIMITS)
        self.now = 100.0
        self.out: list[Permit] = []

    def take(self, step: str, number: int) -> None:
        """Let time pass, let a call depart, or let one that is out come back."""
        if step == "wait":
            self.now += number / 3
        elif step == "depart":
            self.depart()
        elif self.out:
            permit = self.out.pop(number % len(self.out))
            match step:
                case "answer":
                    permit.succeeded()
                case "fail":
                    permit.failed(ProviderFailed("500"), self.now)
                case "refuse":
                    permit.failed(AccountRefused("408"), self.now)
                case _:
                    permit.abandoned()

    def depart(self) -> Permit | None:
        if self.breaker.wait(self.now) > 0:
            return None
        permit = self.breaker.permit(self.now)
        permit.depart()
        self.out.append(permit)
        return permit

    def reason(self, waited_for: bool, asked: bool) -> str | None:
        """What readiness says of it, from its verb on."""
        reason = self.breaker.reason_not_ready(
            "service", "region", self.now, is_waited_for=waited_for, is_asked=asked or waited_for
        )
        return reason and reason.removeprefix("provider: service in region ")


STEPS = st.lists(
    st.tuples(st.sampled_from(["depart", "answer", "fail", "refuse", "drop", "wait"]), st.integers(0, 9)), max_size=80
)


@settings(max_examples=500)
@given(STEPS, st.booleans(), st.booleans())
def test_whatever_happened_the_reason_is_true(steps: list[tuple[str, int]], waited_for: bool, asked: bool) -> None:
    """
    Closed has none; open is not asked but for probes, and for as long as is said; coming back is one only where
    somebody waits for a permit, and then no more calls are let through than it says.
    """
    owner = Owner()
    opened_at = None
    for step, number in steps:
        before = owner.breaker.state
        owner.take(step, number)
        if owner.breaker.state is State.OPEN and before is State.CLOSED:
            opened_at = owner.now
        if owner.breaker.state is State.CLOSED:
            opened_at = None
    reason = owner.reason(waited_for, asked)

    match owner.breaker.state:
        case State.CLOSED:
            assert reason is None
        case State.RAMPING:
            assert (reason is not None) == waited_for
            if reason is not None:
                assert "is not asked" not in reason
                assert reason.endswith("as it recovers")
                said = int(reason.removeprefix("gets at most ").split()[0])
                owner.out.clear()
                while owner.depart():
                    pass
                assert owner.breaker.wait(owner.now) > 0
                assert len(owner.out) <= said
        case State.OPEN:
            assert reason is not None
            assert opened_at is not None
            assert reason.startswith("is not asked: ")
            most = owner.now - opened_at
            assert int(reason.split(" for ")[1].split()[0]) <= round(most)
            probed = reason.endswith("one probe a second")
            assert probed or reason.endswith("the next image will be the probe")
            assert probed or not (asked or waited_for)


@settings(max_examples=300)
@given(STEPS)
def test_from_any_state_one_answered_probe_makes_a_quiet_replica_ready(steps: list[tuple[str, int]]) -> None:
    """
    All calls come back, one departs and is answered, nobody else waits: there is no reason left.
    """
    owner = Owner()
    for step, number in steps:
        owner.take(step, number)
    while owner.out:
        owner.take("drop", 0)
    owner.now += LIMITS.probe_interval + LIMITS.probe_patience

    probe = owner.depart()
    assert probe is not None
    probe.succeeded()

    assert owner.reason(waited_for=False, asked=False) is None


@settings(max_examples=500)
@given(st.lists(st.tuples(st.sampled_from(["depart", "answer", "fail", "refuse", "drop", "wait"]), st.integers(0, 9))))
def test_whatever_happens_it_can_be_asked_again(steps: list[tuple[str, int]]) -> None:
    """
    However calls end, a breaker never runs out of permits: with all calls back, one comes within a second.
    """
    breaker, now, out = Breaker(LIMITS), 0.0, list[Permit]()
    for step, number in steps:
        if step == "wait":
            now += number / 5
        elif step == "depart":
            if breaker.wait(now) == 0:
                permit = breaker.permit(now)
                out.append(permit)
                if number % 3:
                    permit.depart()
        elif out:
            permit = out.pop(number % len(out))
            match step:
                case "answer":
                    permit.answered()
                case "fail":
                    permit.failed(ProviderFailed("500"), now)
                case "refuse":
                    permit.failed(AccountRefused("408"), now)
                case _:
                    permit.abandoned()
    for permit in out:
        permit.abandoned()

    assert breaker.wait(now) <= LIMITS.probe_interval + 1e-9
