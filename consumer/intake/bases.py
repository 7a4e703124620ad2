"""
From where on a partition must be judged, whatever is committed: what its genuine outcomes say was committed last.

Every signed outcome carries what its publisher had committed last of the source's partition. All before that offset is
settled, and no outcome of a record from there on is older than its `journal_from`. The outcome that was published last
counts: an operator may have set the group back since an earlier one. The outputs are read backwards, in spans of time
that grow, until each partition has one.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from consumer.journal.commit_metadata import BEGINNING
from consumer.journal.reader import OutputReader
from consumer.journal.signatures import CommitMark
from consumer.records import Partition, SourceId

FIRST_SPAN = 60.0  # seconds
GROWTH = 4
LAST_SPAN = 30 * 86_400.0  # seconds; what is older is read in one piece


@dataclass(frozen=True, slots=True)
class Base:
    """A genuine word about what is settled of a partition."""

    committed: CommitMark
    at: float  # when it was said, unix seconds
    is_acceptance: bool = False  # an operator's: the group may start there, whoever committed that


def later(one: Base | None, another: Base | None) -> Base | None:
    """The one that was said last."""
    known = [each for each in (one, another) if each is not None]
    return max(known, key=lambda base: base.at, default=None)


async def find_bases(
    outputs: OutputReader, wanted: Collection[Partition], now: float, most: int, goes_on: Callable[[], bool]
) -> Mapping[Partition, Base]:
    """
    Return the last base of each wanted partition, without those that have none in the outputs, or none among the last
    `most` outcomes or a few more. `now` is unix seconds. `KafkaError` escapes.
    """
    span = FIRST_SPAN
    while True:
        since = now - span if span <= LAST_SPAN else BEGINNING
        found, read = await bases_since(outputs, wanted, since, most, goes_on)
        if len(found) == len(wanted) or since == BEGINNING or read > most or not goes_on():
            return found
        span *= GROWTH


async def bases_since(
    outputs: OutputReader, wanted: Collection[Partition], since: float, most: float, goes_on: Callable[[], bool]
) -> tuple[Mapping[Partition, Base], int]:
    """The last base of each wanted partition that was said since then, and how many outcomes were read for that."""
    found: dict[Partition, Base] = {}
    read = 0
    said_since = since - outputs.margin()  # an old outcome that is written again says nothing new

    def wants(_: SourceId, partition: Partition, __: int) -> bool:
        nonlocal read
        read += 1
        return partition in wanted

    async with aclosing(outputs.read(since, wants)) as batches:
        async for outcomes in batches:
            for each in outcomes:
                if each.committed is not None and each.at >= said_since:
                    base = Base(each.committed, each.at, each.is_acceptance)
                    found[each.partition] = later(found.get(each.partition), base) or base
            if read > most or not goes_on():
                break
    return found, read
