"""Which hosts count as failing."""

from hypothesis import given
from hypothesis import strategies as st

from consumer.dispatch.hosts import MOST_HOSTS, Hosts

GOOD, BAD = "img.example.com", "hangs.example"


def noted(*fetches: tuple[str, bool]) -> Hosts:
    hosts = Hosts()
    for host, fetched in fetches:
        hosts.note(host, fetched=fetched)
    return hosts


def test_a_host_fails_when_over_half_of_its_last_twenty_images_did() -> None:
    """
    Ten failures are not enough; with the eleventh it fails, for as long as eleven of the last twenty did.
    """
    hosts = noted(*[(BAD, False)] * 10, (GOOD, True))
    before = hosts.fails(BAD)

    changed = [hosts.note(BAD, fetched=False), hosts.note(BAD, fetched=False)]

    assert (before, hosts.fails(BAD), changed, hosts.failing) == (False, True, [True, False], 1)


def test_a_host_that_is_well_again_waits_no_longer() -> None:
    """
    Once half of its last twenty images were fetched; its calls were made all the time, if few at once.
    """
    hosts = noted(*[(BAD, False)] * 19, (GOOD, True), (BAD, False))

    until_well = [hosts.note(BAD, fetched=True) for _ in range(10)]

    assert until_well == [False] * 9 + [True]
    assert not hosts.fails(BAD)


def test_where_no_host_can_be_reached_none_is_at_fault() -> None:
    """
    The provider's own way to the hosts is broken then; what could be fetched a hundred images before says nothing.
    """
    hosts = noted((GOOD, True), *[(BAD, False)] * 99)
    before = hosts.failing

    changed = [hosts.note(each, fetched=False) for each in (GOOD, BAD)]

    assert (before, changed, hosts.failing) == (1, [False, True], 0)


def test_the_only_host_is_never_at_fault() -> None:
    """
    There is nobody whom it could hold up; most deployments have one.
    """
    assert noted(*[(BAD, False)] * 50, (BAD, True), *[(BAD, False)] * 50).failing == 0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=200))
def test_what_is_said_of_a_change_is_the_change(fetches: list[tuple[str, bool]]) -> None:
    """
    Whatever happens: `note` tells of each change, and the count is that of the hosts that fail.
    """
    hosts, known = Hosts(), dict.fromkeys("abc", False)
    for name, fetched in fetches:
        known[name] ^= hosts.note(name, fetched=fetched)

        assert {each: hosts.fails(each) for each in "abc"} == known
        assert hosts.failing == sum(known.values())


def test_memory_is_bounded_by_number() -> None:
    """
    Every upload may name a host of its own.
    """
    hosts = noted(*[(BAD, False)] * 19, (GOOD, True), (BAD, False))

    for number in range(MOST_HOSTS):
        hosts.note(f"{number}.example", fetched=False)

    assert (len(hosts), hosts.failing, hosts.fails(BAD)) == (MOST_HOSTS, 0, False)
