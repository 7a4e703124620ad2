"""
The comparison of what went in, what was paid and what came out.
"""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.chaos import compare
from bench.chaos.compare import Evidence, Outcome, Upload
from tests.rig.quick_provider.log import Arrival


def call(image: str, at: float = 1.0, *, code: int = 200, caller: str = "a", signed: str = "") -> Arrival:
    return Arrival(at, image, image, code, caller, signed)


def outcome(
    image: str,
    at: float = 2.0,
    *,
    name: str = "",
    topic: str = "pass",
    offset: int = 0,
    source: int = 0,
    key: bytes = b"k",
) -> Outcome:
    return Outcome(image, name or image, topic, 0, offset, at, key, (0, source))


def upload(*images: str, at: float = 0.0) -> Upload:
    return Upload(images, b"k", 0, 0, at)


def test_an_image_without_verdict_is_lost() -> None:
    """
    Every image of a message must come out, not only one of them.
    """
    evidence = Evidence([upload("1", "2"), upload("3")], [], [outcome("1"), outcome("3")])

    assert compare.lost(evidence) == {"2"}


def test_the_same_id_twice_is_published_twice() -> None:
    """
    Ids are counted wherever they stand.
    """
    outcomes = [outcome("1"), outcome("1", topic="review"), outcome("2")]

    assert compare.published_twice(outcomes) == {"1": 2}


def test_a_repeated_verdict_under_another_id_is_told_apart() -> None:
    """
    Two ids for one image cannot be recognised as a repetition.
    """
    outcomes = [outcome("1", name="x"), outcome("1", name="y"), outcome("2", name="z"), outcome("2", name="z")]

    assert compare.judged_under_two_ids(outcomes) == {"1"}


def test_only_answers_with_code_200_are_billed() -> None:
    """
    A failure and the answer after it are one billed call; two answers are two, whoever asked.
    """
    calls = [call("1", code=500), call("1"), call("2", caller="a"), call("2", caller="b")]

    assert compare.billed_twice(calls) == {"2": 2}


def test_in_flight_is_what_was_asked_and_not_published() -> None:
    """
    Published before is not in flight, published later or never is; what another replica asked is not this one's.
    """
    calls = [call("before"), call("after"), call("never"), call("other", caller="b")]
    outcomes = [outcome("before", 4.0), outcome("after", 6.0), outcome("other", 6.0)]

    assert compare.in_flight(calls, outcomes, "a", 5.0) == {"after", "never"}


def test_a_call_that_was_signed_before_a_stop_had_begun() -> None:
    """
    It may arrive just after the process goes on; one that was signed then is another one.
    """
    before, held = call("before", at=1.0), call("held", at=9.001, signed="1970-01-01T00:00:02Z")
    anew = call("anew", at=9.001, signed="1970-01-01T00:00:09Z")

    assert compare.begun_before_a_stop([before, held, anew, call("unsigned", at=9.1)], 2.5, 9.0) == [before, held]


def test_an_append_in_the_millisecond_of_the_kill_may_have_come_after_it() -> None:
    """
    Append times are cut to milliseconds: 5.000 may be 5.0009, later than a kill at 5.0005.
    """
    assert compare.in_flight([call("1")], [outcome("1", 5.0)], "a", 5.0005) == {"1"}
    assert compare.in_flight([call("1")], [outcome("1", 5.0)], "a", 5.0015) == set()


def test_within_a_topic_offsets_decide_who_overtook() -> None:
    """
    The same millisecond hides nothing where both verdicts are in one topic.
    """
    first = outcome("1", 5.0, source=1, offset=8)
    second = outcome("2", 5.0, source=2, offset=7)

    (found,) = compare.overtakes([first, second])

    assert (found.earlier, found.later) == (first, second)


@pytest.mark.parametrize("later, overtook", [(4.999, True), (5.0, False), (5.001, False)])
def test_across_topics_append_times_decide_who_overtook(later: float, overtook: bool) -> None:
    """
    An earlier append time is overtaking, the same millisecond is none.
    """
    outcomes = [outcome("1", 5.0, source=1), outcome("2", later, source=2, topic="review")]

    assert bool(compare.overtakes(outcomes)) is overtook


def test_an_overtaking_is_seen_past_an_event_in_between() -> None:
    """
    The third event's verdict is compared with the first's too, though the second's was in time.
    """
    outcomes = [
        outcome("1", 9.0, source=1, topic="block"),
        outcome("2", 9.5, source=2, topic="pass"),
        outcome("3", 9.2, source=3, topic="review"),
    ]

    (found,) = compare.overtakes(outcomes)

    assert (found.earlier.image, found.later.image) == ("2", "3")


def test_images_of_one_event_and_other_keys_are_free() -> None:
    """
    Order holds between events of one key.
    """
    one_event = [outcome("1", 5.0, source=1, offset=2), outcome("2", 4.0, source=1, offset=1)]
    two_keys = [outcome("3", 5.0, source=1, offset=2), outcome("4", 4.0, source=2, offset=1, key=b"other")]

    assert compare.overtakes(one_event) == []
    assert compare.overtakes(two_keys) == []


def test_a_repeated_verdict_overtakes_nobody() -> None:
    """
    Of the copies of a verdict the first counts: the second may come at any time.
    """
    outcomes = [
        outcome("1", 5.0, source=1, offset=0),
        outcome("2", 6.0, source=2, offset=1),
        outcome("1", 7.0, source=1, offset=2),
    ]

    assert compare.overtakes(outcomes) == []


@given(st.permutations(range(8)))
def test_any_other_order_than_that_of_the_events_is_an_overtaking(order: Sequence[int]) -> None:
    """
    Verdicts published in the events' order have none; in every other order there is one.
    """
    outcomes = [outcome(str(event), 1.0, source=event, offset=at) for at, event in enumerate(order)]

    assert (compare.overtakes(outcomes) == []) is (list(order) == sorted(order))


def test_a_gap_counts_while_work_waits() -> None:
    """
    Between the second and the third call three seconds pass with an image waiting; what nobody waits for is no stall.
    """
    uploads = [upload("1", at=0.0), upload("2", at=0.0), upload("3", at=0.0), upload("4", at=50.0)]
    calls = [call("1", 1.0), call("2", 2.0), call("3", 5.0), call("4", 51.0)]

    stall = compare.longest_stall(calls, uploads)

    assert stall == (2.0, 3.0)


def test_a_retry_is_no_new_work_done() -> None:
    """
    A second call about the same image is a sign of life, but leaves as much waiting as before.
    """
    uploads = [upload("1"), upload("2")]
    calls = [call("1", 1.0, code=500), call("1", 2.0), call("2", 6.0)]

    assert compare.longest_stall(calls, uploads) == (2.0, 4.0)


def test_a_commit_below_the_one_before_is_a_step_back() -> None:
    """
    Partitions are compared with themselves, and the same offset again is none.
    """
    commits = [(0, 10), (1, 3), (0, 12), (1, 3), (0, 11), (0, 13)]

    assert compare.steps_back(commits) == [(0, 12, 11)]


def test_delays_are_from_the_upload_to_the_first_verdict() -> None:
    """
    A repeated verdict makes nobody late, and images that were not asked for are left out.
    """
    uploads = [upload("1", "2", at=1.0), upload("3", at=2.0)]
    evidence = Evidence(uploads, [], [outcome("1", 4.0), outcome("1", 9.0), outcome("3", 3.0)])

    assert compare.delays(evidence) == [3.0, 1.0]
    assert compare.delays(evidence, {"3"}) == [1.0]


def test_a_percentile_is_one_of_the_values() -> None:
    """
    99 of a hundred do not exceed the 99th percentile; of nothing there is none.
    """
    assert compare.percentile(range(1, 101), 0.99) == 99
    assert compare.percentile([7.0], 0.99) == 7.0
    with pytest.raises(ValueError):
        compare.percentile([], 0.5)


def test_the_steady_rate_leaves_out_both_ends() -> None:
    """
    A slow start and a straggler change nothing of what was steady in between.
    """
    steady = [10.0 + 0.1 * number for number in range(80)]

    rate = compare.steady_rate([*range(10), *steady, *range(100, 110)])

    assert rate == pytest.approx(10.0)


def test_memory_growth_compares_the_end_with_when_it_had_settled() -> None:
    """
    What is allocated before it has settled is not growth; samples that end too soon show nothing.
    """
    samples = [(float(at), 100 if at < 15 else 200 + at) for at in range(60)]

    first, final, ratio = compare.growth(samples, settled=30.0, last=5.0)

    assert (first, final) == (228, 257)
    assert ratio == pytest.approx(257 / 228)
    with pytest.raises(ValueError):
        compare.growth(samples[:20], settled=30.0)


@given(st.lists(st.integers(0, 20).map(float)), st.integers(0, 20), st.integers(0, 20))
def test_both_ends_belong_to_what_is_counted_between(times: list[float], begins: int, ends: int) -> None:
    """
    As many are counted as lie from the first to the second moment.
    """
    expected = sum(begins <= at <= ends for at in times)

    if begins <= ends:
        assert compare.count_between(sorted(times), begins, ends) == expected
