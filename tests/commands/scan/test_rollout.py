"""An image is in a rollout in every scan of it, or in none."""

from dataclasses import replace

from consumer.commands.scan.asking import submitted
from consumer.commands.scan.items import Item
from consumer.records import Assessment
from consumer.rollout import identity_of


def test_images_that_nobody_fetches_from_here_are_told_apart_and_known_again() -> None:
    """
    Two URLs are two images to a rollout, and the same ones in the next scan, whatever their number in it.
    """
    one = Item(name="a", source="https://cdn.example.com/a.jpg")
    other = replace(one, source="https://cdn.example.com/b.jpg")

    first, second, again = (
        identity_of(submitted(item, number, by_tenant=False), Assessment())
        for number, item in enumerate([one, other, one])
    )

    assert first == again
    assert first != second
