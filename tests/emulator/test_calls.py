"""
The call log and its totals.
"""

from collections.abc import Iterable

from consumer.emulator.calls import Call, CallLog


def call(arrival: float, *, data_id: str | None = None, image: str = "uploads/a.png", billed: bool = True) -> Call:
    return Call(
        arrival=arrival,
        region="ap-southeast-1",
        host="127.0.0.1:8080",
        action="ImageModeration",
        service="baselineCheck_global",
        data_id=data_id,
        image=image,
        http_status=200,
        code=200 if billed else 403,
        billed=billed,
    )


def log_of(calls: Iterable[Call], capacity: int = 100) -> CallLog:
    log = CallLog(capacity)
    for each in calls:
        log.begin(each)
        log.end(each)
    return log


def test_the_busiest_second_slides() -> None:
    """
    The busiest second is looked for wherever it begins, and its two ends are not both inside it.
    """
    log = log_of(call(arrival) for arrival in (10.0, 10.5, 10.75, 11.25, 11.5, 13.0))

    stats = log.stats(now=13.5)

    assert stats["busiest_second"] == 3
    assert stats["last_second"] == 1


def test_other_actions_have_no_part_in_the_busiest_second() -> None:
    """
    Only arrivals of the action that has the quota are counted by the second.
    """
    other = call(10.0)
    other.action = "DescribeUploadToken"

    log = log_of([other, call(10.1)])

    assert log.stats(now=10.2)["busiest_second"] == 1
    assert (log.stats(now=10.2)["calls"], log.stats(now=10.2)["metered"]) == (2, 1)


def test_totals_go_by_code_and_only_what_is_billed_is_billed() -> None:
    """
    Every call counts under its code, and the billed ones are counted beside.
    """
    log = log_of([call(1.0), call(2.0, billed=False), call(3.0)])

    stats = log.stats(now=4.0)

    assert (stats["calls"], stats["billed"]) == (3, 2)
    assert stats["by_code"] == {"200": 2, "403": 1}


def test_an_image_paid_for_again_is_noticed() -> None:
    """
    An image is known by its data id, and by its place where there is none. Calls that were not billed do not count.
    """
    log = log_of(
        [
            call(1.0, data_id="a"),
            call(2.0, data_id="b"),
            call(3.0, data_id="b", billed=False),
            call(4.0, data_id="a", image="uploads/elsewhere.png"),
            call(5.0, data_id="a"),
            call(6.0, image="uploads/c.png"),
            call(7.0, image="uploads/c.png"),
        ]
    )

    stats = log.stats(now=8.0)

    assert stats["images_billed"] == 3
    assert stats["images_billed_more_than_once"] == 2
    assert stats["billed_again"] == 3


def test_two_services_may_look_at_one_image() -> None:
    """
    A second service's look at an image is a call of its own, not the same one paid for again.
    """
    second = call(2.0, data_id="a")
    second.service = "aigcDetector_global"

    log = log_of([call(1.0, data_id="a"), second])

    assert log.stats(now=3.0)["images_billed_more_than_once"] == 0


def test_the_log_is_bounded_and_says_what_it_dropped() -> None:
    """
    The oldest calls leave a full log and are counted; totals go on over all of them.
    """
    log = log_of((call(float(number)) for number in range(25)), capacity=10)

    stats = log.stats(now=25.0)

    assert [kept.arrival for kept in log] == [float(number) for number in range(15, 25)]
    assert stats["log"] == {"kept": 10, "capacity": 10, "dropped": 15}
    assert stats["calls"] == 25


def test_clearing_keeps_what_is_in_progress() -> None:
    """
    A cleared log begins anew with the calls that have not been answered, so their ends are not lost.
    """
    log = log_of([call(1.0), call(2.0)])
    open_call = call(3.0)
    log.begin(open_call)

    log.clear()
    before = log.stats(now=3.5)
    log.end(open_call)

    assert list(log) == [open_call]
    assert (before["calls"], before["in_progress"], before["billed"]) == (1, 1, 0)
    assert (log.stats(now=4.0)["in_progress"], log.stats(now=4.0)["billed"]) == (0, 1)
