"""
The uploads of a run.
"""

import orjson

from bench.chaos.work import HOT_KEY, Shape, hot_uploads, uploads
from consumer.intake.decode import Bindings, decode
from tests.rig.events import delivery


def images_of(value: bytes | None) -> list[str]:
    return [image["url"] for image in orjson.loads(value or b"")["images"]]


def test_a_seed_yields_the_same_uploads_again() -> None:
    """
    The same seed, the same bytes; another seed, others.
    """
    shape = Shape(crowded=0.2, slow=0.1, mixed=True)

    first, again, other = (list(uploads("run", 200, seed, shape)) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_as_many_images_as_asked_for_and_no_two_alike() -> None:
    """
    Crowded messages carry sixteen, and the last one what is left.
    """
    records = list(uploads("run", 500, 3, Shape(crowded=0.3)))

    urls = [url for record in records for url in images_of(record.value)]
    assert len(urls) == len(set(urls)) == 500
    assert max(len(images_of(record.value)) for record in records) == 16


def test_the_service_reads_them() -> None:
    """
    Every message is a native event that becomes a submission for each image.
    """
    record = next(uploads("run", 16, 1, Shape(crowded=1.0)))

    decoded = decode(delivery(record.value), bindings=Bindings(()), group="g")

    assert isinstance(decoded, tuple)
    assert [submission.image.url for submission in decoded] == images_of(record.value)


def test_half_of_all_have_the_hot_key() -> None:
    """
    Every second message is hot, and its image says so.
    """
    records = list(hot_uploads("run", 100))

    hot = [record for record in records if record.key == HOT_KEY]
    assert len(hot) == 50
    assert all("/hot/" in images_of(record.value)[0] for record in hot)
    assert len({record.key for record in records}) == 51
