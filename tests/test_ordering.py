import asyncio
import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.errors import Lost
from consumer.ordering import KeyOrder, KeyTurn
from consumer.records import Partition
from tests.rig.events import delivery


async def ours(partition: Partition, epoch: int) -> bool:
    """No partition is ever lost."""
    return True


class Queue:
    """Messages of one key, and in which order they published."""

    def __init__(self) -> None:
        self.order = KeyOrder("key")
        self.published: list[str] = []

    def take(self) -> KeyTurn:
        """The turn of a message that is not decoded yet."""
        return self.order.take(delivery(), ours)

    def take_of(self, *tenants: str) -> KeyTurn:
        """The turn of a message of these tenants."""
        turn = self.take()
        turn.narrow(tenants)
        return turn

    async def publish(self, name: str, turn: KeyTurn) -> None:
        await turn.wait()
        self.published.append(name)
        turn.leave()


async def settled() -> None:
    """Let everything happen that waits for no other message."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_message_under_anothers_key_does_not_delay_it() -> None:
    """
    Whoever may write to the topic can choose any Kafka key. A message that never ends delays its own tenant's only.
    """
    queue = Queue()
    queue.take_of("mallory")  # its image hangs
    victim, own = queue.take_of("acme"), queue.take_of("mallory")
    publishing = [asyncio.create_task(queue.publish(*each)) for each in (("acme", victim), ("mallory", own))]

    await settled()

    assert queue.published == ["acme"]
    for task in publishing:
        task.cancel()


async def test_messages_of_one_tenant_keep_their_order() -> None:
    """
    Though the messages of others stand in between, and the later one is ready first.
    """
    queue = Queue()
    first, _, second = queue.take_of("acme"), queue.take_of("globex"), queue.take_of("acme")
    later = asyncio.create_task(queue.publish("second", second))
    await settled()
    early = list(queue.published)

    await queue.publish("first", first)
    await later

    assert early == []
    assert queue.published == ["first", "second"]


async def test_a_message_of_several_tenants_stands_in_the_order_of_each() -> None:
    """
    A notification may name objects of several buckets, and so of several tenants.
    """
    queue = Queue()
    acme, globex = queue.take_of("acme"), queue.take_of("globex")
    both = asyncio.create_task(queue.publish("both", queue.take_of("acme", "globex")))
    behind = asyncio.create_task(queue.publish("behind", queue.take_of("globex")))
    await queue.publish("globex", globex)
    await settled()
    early = list(queue.published)

    await queue.publish("acme", acme)
    await asyncio.gather(both, behind)

    assert early == ["globex"]
    assert queue.published == ["globex", "acme", "both", "behind"]


async def test_a_message_that_is_not_decoded_yet_may_be_of_any_tenant() -> None:
    """
    It meets an unexpected error and is held. Those behind it wait for it, or they might overtake one of their own.
    """
    queue = Queue()
    held = queue.take()
    later = asyncio.create_task(queue.publish("later", queue.take_of("acme")))
    await settled()
    early = list(queue.published)

    held.narrow(["acme"])  # it was decoded at last
    await queue.publish("held", held)
    await later

    assert early == []
    assert queue.published == ["held", "later"]


async def test_a_message_without_outcome_leaves_those_behind_it_where_they_stood() -> None:
    """
    It has nothing to publish, and does not wait; those of its tenant that are behind it wait for those before it.
    """
    queue = Queue()
    first, empty = queue.take_of("acme"), queue.take_of("acme")
    later = asyncio.create_task(queue.publish("later", queue.take_of("acme")))
    empty.leave()
    await settled()
    early = list(queue.published)

    await queue.publish("first", first)
    await later

    assert early == []
    assert queue.published == ["first", "later"]


async def test_who_gives_up_takes_those_behind_it_along() -> None:
    """
    There will be no outcome of it here, so no later one of its tenant may be published; those of others are.
    """
    queue = Queue()
    first, other, second = queue.take_of("acme"), queue.take_of("globex"), queue.take_of("acme")
    first.give_up()

    await queue.publish("other", other)
    with pytest.raises(asyncio.CancelledError):
        await queue.publish("second", second)
    assert queue.published == ["other"]


async def test_who_is_decoded_late_overtakes_nobody_that_gave_up() -> None:
    """
    The one before it gave up in between: there will be no outcome of that one here, and so none of this one.
    """
    queue = Queue()
    first, second = queue.take_of("acme"), queue.take()
    first.give_up()
    second.narrow(["acme"])

    with pytest.raises(asyncio.CancelledError):
        await queue.publish("second", second)


async def test_nothing_is_kept_of_messages_that_have_left() -> None:
    """
    However many keys and tenants there were, and whether or not a message left before the next one was decoded: what is
    remembered is of the messages that are under way.
    """
    order = KeyOrder("key")
    gc.collect()
    gc.disable()  # no help from it: a line is gone with its last message
    try:
        for number in range(1_000):
            key = b"key-%d" % number
            turns = [order.take(delivery(offset=offset, key=key), ours) for offset in range(3)]
            turns[0].leave()
            for turn in turns[1:]:
                turn.narrow([f"tenant-{number}"])
                turn.leave()
            await asyncio.sleep(0)
        del turn, turns
        await asyncio.sleep(0)

        assert len(order._lines) == 0
    finally:
        gc.enable()


async def test_a_lost_partition_is_said() -> None:
    """
    A message whose partition is another replica's by now publishes nothing.
    """

    async def lost(partition: Partition, epoch: int) -> bool:
        return False

    with pytest.raises(Lost):
        await KeyOrder("key").take(delivery(), lost).wait()


MESSAGES = st.tuples(st.sets(st.sampled_from("abc"), max_size=2), st.booleans(), st.booleans())


@given(messages=st.lists(MESSAGES, max_size=12), data=st.data())
def test_no_message_overtakes_one_of_its_tenant(
    messages: list[tuple[set[str], bool, bool]], data: st.DataObject
) -> None:
    """
    For any messages of one key, decoded at once or late, with an outcome or none, and ready in any order: each tenant's
    outcomes are published in the order its messages came, and all of them are.
    """
    readiness = data.draw(st.permutations(range(len(messages))))

    async def played() -> list[int]:
        queue = Queue()
        turns = [queue.take() if is_late else queue.take_of(*tenants) for tenants, is_late, _ in messages]

        async def ends(number: int) -> None:
            tenants, is_late, has_outcome = messages[number]
            if is_late:
                turns[number].narrow(tenants)
            if has_outcome:
                await queue.publish(str(number), turns[number])
            else:
                turns[number].leave()

        async with asyncio.timeout(5):
            await asyncio.gather(*map(ends, readiness))
        return [int(name) for name in queue.published]

    published = asyncio.run(played())

    assert sorted(published) == [number for number, (_, _, has_outcome) in enumerate(messages) if has_outcome]
    for tenant in "abc":
        of_tenant = [number for number in published if tenant in messages[number][0]]
        assert of_tenant == sorted(of_tenant)
