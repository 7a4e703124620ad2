"""Which buckets of stores are refused to this service, or give nothing, at the moment, and since when."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

AWAY_AFTER = 5.0  # seconds for which a bucket has given nothing, until that is told


class Place(NamedTuple):
    """A bucket of a store: each may be refused alone."""

    store: str
    bucket: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a bucket, most recently, and since when nothing was right."""

    since: float  # a clock's seconds
    code: str
    is_refusal: bool


@dataclass(slots=True)
class StoresWatch:
    """Remembers of each bucket whether the last that its store gave was no answer about an object."""

    _troubles: dict[Place, Trouble] = field(default_factory=dict)

    def failed(self, place: Place, code: str, now: float, *, is_refusal: bool) -> None:
        """The store has refused it to this service, or not answered."""
        before = self._troubles.get(place)
        self._troubles[place] = Trouble(now if before is None else before.since, code, is_refusal)

    def answered(self, place: Place) -> None:
        """The store has given an object of it, or said what is with one."""
        self._troubles.pop(place, None)

    def reasons_not_ready(self, now: float) -> list[str]:
        """Name the buckets that are refused, and those that have given nothing for a while."""
        return list(self._reasons_not_ready(now))

    def _reasons_not_ready(self, now: float) -> Iterator[str]:
        for (store, bucket), trouble in self._troubles.items():
            code, lasting = trouble.code, now - trouble.since
            if trouble.is_refusal:
                yield f"images: the store {store} refuses this service its bucket {bucket} ({code}) for {lasting:.0f} s"
            elif lasting >= AWAY_AFTER:
                yield f"images: the store {store} gives nothing of its bucket {bucket} ({code}) for {lasting:.0f} s"
