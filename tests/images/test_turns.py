import asyncio
from collections import Counter

from consumer.images.turns import AT_ONCE, Turns


async def test_no_more_pieces_move_in_a_turn_of_the_loop_however_many_want_to() -> None:
    """
    Thirty-two images that are all there would otherwise move 8 MiB before anything else runs.
    """
    turns, moved, now = Turns(), Counter[int](), 0

    async def image() -> None:
        for _ in range(10):
            await turns.turn()
            moved[now] += 1

    images = [asyncio.ensure_future(image()) for _ in range(32)]
    while not all(each.done() for each in images):
        await asyncio.sleep(0)
        now += 1

    assert moved.total() == 320
    assert max(moved.values()) <= AT_ONCE


async def test_turns_are_taken_in_the_order_of_coming() -> None:
    """
    An image that has many pieces keeps none with few waiting for longer than one round.
    """
    turns, order = Turns(at_once=1), list[str]()

    async def image(name: str, pieces: int) -> None:
        for _ in range(pieces):
            await turns.turn()
            order.append(name)

    await asyncio.gather(image("large", 4), image("small", 2))

    assert order == ["large", "small", "large", "small", "large", "large"]
