import asyncio

import pytest

from consumer.images.held import BytesHeld


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_no_more_bytes_are_held_than_may_be() -> None:
    """
    Who comes when all are taken waits, in the order of coming: a small image does not pass a large one for ever.
    """
    held = BytesHeld(10)
    with held.room() as first:
        await first.take(8)
        large, small = held.room(), held.room()
        waiting = [asyncio.ensure_future(large.take(5)), asyncio.ensure_future(small.take(1))]
        await turns()
        assert [each.done() for each in waiting] == [False, False]
        assert held.taken == 8

    await asyncio.gather(*waiting)
    assert held.taken == 6


async def test_what_turns_out_smaller_gives_the_rest_back() -> None:
    """
    An image that did not say how large it is takes as much as it may have, until it is there.
    """
    held = BytesHeld(10)
    with held.room() as room:
        await room.take(10)
        other = held.room()
        waiting = asyncio.ensure_future(other.take(6))
        room.shrink(4)
        await turns()
        assert waiting.done()
        assert held.taken == 10
    assert held.taken == 6


async def test_who_gives_up_waiting_holds_nothing() -> None:
    """
    Neither while it waited, nor where its bytes were given in the same moment.
    """
    held = BytesHeld(10)
    with held.room() as room:
        await room.take(10)
        waiting = asyncio.ensure_future(held.room().take(6))
        await turns()
        waiting.cancel()
        await turns()
        assert held.taken == 10
        in_the_same_moment = asyncio.ensure_future(held.room().take(6))
        await turns()
    in_the_same_moment.cancel()
    await turns()

    assert in_the_same_moment.cancelled()
    assert held.taken == 0


async def test_more_than_there_ever_is_is_refused() -> None:
    """
    It would wait for ever.
    """
    with pytest.raises(ValueError, match="11 bytes are more than 10"):
        await BytesHeld(10).take(11)


async def test_of_those_that_wait_as_many_go_on_as_there_is_room_for() -> None:
    """
    What is given back is given once.
    """
    held = BytesHeld(10)
    with held.room() as room:
        await room.take(10)
        waiting = [asyncio.ensure_future(held.room().take(6)) for _ in range(3)]
        await turns()
    await turns()

    assert [each.done() for each in waiting] == [True, False, False]
    assert held.taken == 6
    for each in waiting:
        each.cancel()


async def test_what_an_image_takes_beside_its_bytes_is_held_with_it() -> None:
    """
    Once for each image, until it is left; of the largest that there may be, as far as there is room at all.
    """
    held = BytesHeld(10, beside=3)
    with held.room() as room:
        await room.take(4)
        await room.take(1)
        assert (room.taken, held.taken) == (5, 8)
        room.shrink(0)
        assert held.taken == 3
    assert held.taken == 0

    with held.room() as largest:
        await largest.take(9)
        assert held.taken == 10
    assert held.taken == 0


async def test_what_is_cleared_is_there_for_others() -> None:
    """
    An image that needs more than it has gives all of it back first: two that kept theirs would wait for each other.
    """
    held = BytesHeld(10, beside=1)
    with held.room() as room:
        await room.take(6)
        room.clear()
        assert (room.taken, held.taken) == (0, 0)
        await room.take(9)
        assert held.taken == 10
    assert held.taken == 0
