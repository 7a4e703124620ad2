"""Which buckets of stores are refused to this service, or give nothing, and since when; and what they gave last."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from consumer.locations import StoredObject

AWAY_AFTER = 5.0  # seconds for which a bucket has given nothing, until that is told
MOST_FAILING = 100  # objects of a bucket that are remembered as failing


class Bucket(NamedTuple):
    """A bucket of a store: each may be refused alone."""

    store: str
    name: str

    @classmethod
    def of(cls, wanted: StoredObject) -> "Bucket":
        """The bucket of an object."""
        return cls(wanted.store, wanted.bucket)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a bucket, most recently, and since when nothing was right."""

    since: float  # a clock's seconds
    code: str
    is_refusal: bool
    keys: frozenset[str]  # of objects that have failed meanwhile


@dataclass(slots=True)
class StoresWatch:
    """
    Remembers of each bucket whether the last that its store gave was no answer about an object, and which object it
    gave last.
    """

    _troubles: dict[Bucket, Trouble] = field(default_factory=dict)
    _given: set[Bucket] = field(default_factory=set)
    _last: dict[Bucket, StoredObject] = field(default_factory=dict)

    def failed(self, wanted: StoredObject, code: str, now: float, *, is_refusal: bool) -> None:
        """The store has refused an object to this service, or not answered."""
        bucket = Bucket.of(wanted)
        before = self._troubles.get(bucket)
        keys = before.keys if before else frozenset[str]()
        if len(keys) < MOST_FAILING:
            keys |= {wanted.key}
        self._troubles[bucket] = Trouble(before.since if before else now, code, is_refusal, keys)

    def answered(self, wanted: StoredObject) -> None:
        """The store has said what is with an object that it does not give."""
        self._troubles.pop(Bucket.of(wanted), None)

    def gave(self, wanted: StoredObject) -> None:
        """The store has given an object."""
        self.answered(wanted)
        self._given.add(Bucket.of(wanted))
        self._last[Bucket.of(wanted)] = replace(wanted, etag=None)

    def forget(self, wanted: StoredObject) -> None:
        """The object that was given last is not to be had any more."""
        self._last.pop(Bucket.of(wanted), None)

    def has_given(self, wanted: StoredObject) -> bool:
        """Whether this service may read the bucket: it has read an object of it."""
        return Bucket.of(wanted) in self._given

    def another(self, wanted: StoredObject) -> StoredObject | None:
        """Another object of the bucket, which was given last; None where none is known."""
        found = self._last.get(Bucket.of(wanted))
        return found if found is not None and found.key != wanted.key else None

    def fails_alone(self, wanted: StoredObject) -> bool:
        """Whether no other object of the bucket has failed since it gave something, or answered."""
        trouble = self._troubles.get(Bucket.of(wanted))
        return trouble is not None and trouble.keys == {wanted.key}

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
