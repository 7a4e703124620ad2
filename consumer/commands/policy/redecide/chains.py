"""
Which verdict counts of those that stand about one image of one message. Pure.

Only what people and earlier runs published is kept, at most `BYTES` a verdict; whatever else was published has nothing
in its place.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from consumer.errors import ConsumerError
from consumer.records import DECISIONS, STRICTNESS, Decision

BYTES = 300  # of memory, that a verdict which took another's place takes at most
FIRST = 1  # the `sequence` of a final verdict that took no other's place
HUMAN = "human"


class TooMany(ConsumerError):
    """More verdicts took others' places than the memory that was allowed can hold."""


class Newest(NamedTuple):
    """Of machines' verdicts about one image, the one that counts."""

    sequence: int
    strictness: int
    id: bytes


class Chains:
    """What took the place of what."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._machines: dict[bytes, Newest] = {}
        self._people: dict[bytes, tuple[int, int]] = {}

    def note(self, verdict: Mapping[str, Any]) -> None:
        """
        Take in a person's verdict, or one that took another's place.

        Raises:
            TooMany: there is no room for it.
            KeyError, TypeError, ValueError: it is no verdict.
        """
        about, decision = about_of(verdict), STRICTNESS[Decision(verdict["decision"])]
        sequence = sequence_of(verdict)
        if verdict["decided_by"] == HUMAN:
            self._people[about] = max(self._people.get(about, (0, 0)), (sequence, decision))
        else:
            newest = Newest(sequence, decision, packed(verdict["verdict_id"]))
            self._machines[about] = max(self._machines.get(about, newest), newest)
        self._bound()

    def replace(self, about: bytes, superseding: str, verdict: Mapping[str, Any], decision: Decision) -> None:
        """Note that a verdict is published in another's place: a repetition of the other is no news. See `note`."""
        self._machines[about] = Newest(sequence_of(verdict) + 1, STRICTNESS[decision], packed(superseding))
        self._bound()

    def _bound(self) -> None:
        if self.size > self._most:
            raise TooMany(
                f"{len(self):,} verdicts that took others' places need more than {self._most >> 20:,} MiB of memory: "
                "raise --memory, or look at a shorter time with --since"
            )

    def is_newest(self, about: bytes, verdict_id: str) -> bool:
        """Whether no other machine's verdict has the place of this one."""
        newest = self._machines.get(about)
        return newest is None or newest.id == packed(verdict_id)

    def person(self, about: bytes) -> Decision | None:
        """What a person decided; of several, the last one."""
        decided = self._people.get(about)
        return None if decided is None else DECISIONS[decided[1]]

    @property
    def size(self) -> int:
        """Bytes of memory that it takes at most."""
        return len(self) * BYTES

    @property
    def people(self) -> int:
        """Images that people decided about."""
        return len(self._people)

    def __len__(self) -> int:
        return len(self._machines) + len(self._people)


def about_of(verdict: Mapping[str, Any]) -> bytes:
    """Which image of which message a verdict is about, in 16 bytes."""
    event = verdict["event"]
    named = f"{event['topic']}\0{event['partition']}\0{event['offset']}\0{verdict['image']['id']}"
    return blake2b(named.encode(errors="surrogatepass"), digest_size=16).digest()


def sequence_of(verdict: Mapping[str, Any]) -> int:
    """How many verdicts stand before it in its chain, and itself; releases before it do not say so."""
    found = verdict.get("sequence", FIRST)
    if not isinstance(found, int):
        raise TypeError("sequence is no integer")
    return found


def packed(verdict_id: str) -> bytes:
    """A verdict's id in 16 bytes."""
    return blake2b(verdict_id.encode(errors="surrogatepass"), digest_size=16).digest()
