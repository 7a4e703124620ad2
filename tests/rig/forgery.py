"""
Records that say in their headers that a message has its outcome, and that the service did not write.

What was genuine once is made with the service's own keyring: whoever can read the outputs has such signatures too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from consumer.journal.headers import OF_DEAD_LETTER, OF_VERDICT, Source, SourceHeaders
from consumer.journal.signatures import HEADER, Claim, Keyring
from consumer.records import Delivery, Partition, source_id
from tests.rig.kafka import NewRecord

VALUE = b'{"decision":"pass","image":{"url":"https://img.example.com/forged.jpg"}}'
MADE_UP = b"v1 k1 1 - - " + b"0" * 64
STRANGE = Keyring({"k1": b"x" * 32}, "k1")
UNKNOWN = Keyring({"k2": b"x" * 32}, "k2")


@dataclass(frozen=True, slots=True)
class Forger:
    """Writes about the messages of one group, into its outputs."""

    group: str
    outputs: Mapping[str, str]
    genuine: Keyring

    def forge(self, kind: int, about: Delivery, event_id: str) -> tuple[str, NewRecord]:
        """Return a record about the first image of that message, of the kinds below in turn, and its topic."""
        return KINDS[kind % len(KINDS)](self, about, event_id)

    def _claim(self, about: Delivery, event_id: str) -> Claim:
        source = Source(source_id(self.group, about, event_id, "0"), about.topic_partition, about.offset)
        return Claim(self.group, OF_VERDICT, source, self.outputs["pass"], about.key, VALUE)

    def _written(
        self, claim: Claim, signature: bytes | None = None, timestamp: int | None = None, **shown: bytes | None
    ) -> tuple[str, NewRecord]:
        """A record of that claim; `shown` is what stands there instead of its key or value."""
        headers: list[tuple[str, bytes | None]] = [*claim.names.write_source(self.group, claim.source)]
        if signature is not None:
            headers.append((HEADER, signature))
        content = {"key": claim.key, "value": claim.value, **shown}
        return claim.topic, NewRecord(content["value"], key=content["key"], headers=headers, timestamp=timestamp)


Kind = Callable[[Forger, Delivery, str], tuple[str, NewRecord]]


def _unsigned(forger: Forger, about: Delivery, event_id: str) -> tuple[str, NewRecord]:
    return forger._written(forger._claim(about, event_id))


def _of_1970(forger: Forger, about: Delivery, event_id: str) -> tuple[str, NewRecord]:
    return forger._written(forger._claim(about, event_id), timestamp=1)


def _without_a_value(forger: Forger, about: Delivery, event_id: str) -> tuple[str, NewRecord]:
    return forger._written(forger._claim(about, event_id), value=None)


def _made_up(forger: Forger, about: Delivery, event_id: str) -> tuple[str, NewRecord]:
    return forger._written(forger._claim(about, event_id), MADE_UP)


def _letter(forger: Forger, about: Delivery, event_id: str) -> tuple[str, NewRecord]:
    source = Source(source_id(forger.group, about), about.topic_partition, about.offset)
    return forger._written(_as_letter(forger, replace(forger._claim(about, event_id), source=source)))


def _letter_instead_of_a_verdict(forger: Forger, about: Delivery, event_id: str) -> tuple[str, NewRecord]:
    return forger._written(_as_letter(forger, forger._claim(about, event_id)))


def _as_letter(forger: Forger, claim: Claim, names: SourceHeaders = OF_DEAD_LETTER) -> Claim:
    return replace(claim, names=names, topic=forger.outputs["dead_letter"])


def _of_another_key(forger: Forger, about: Delivery, event_id: str) -> tuple[str, NewRecord]:
    claim = forger._claim(about, event_id)
    return forger._written(claim, STRANGE.sign(claim, 1.0, None))


def _of_an_unknown_key(forger: Forger, about: Delivery, event_id: str) -> tuple[str, NewRecord]:
    claim = forger._claim(about, event_id)
    return forger._written(claim, UNKNOWN.sign(claim, 1.0, None))


def _of_another_topic(forger: Forger, about: Delivery, event_id: str) -> tuple[str, NewRecord]:
    claim = forger._claim(about, event_id)
    return forger._written(replace(claim, topic=forger.outputs["review"]), forger.genuine.sign(claim, 1.0, None))


def _of_another_message(forger: Forger, about: Delivery, event_id: str) -> tuple[str, NewRecord]:
    claim = forger._claim(about, event_id)
    elsewhere = replace(claim, source=claim.source._replace(partition=Partition("another", 0)))
    return forger._written(claim, forger.genuine.sign(elsewhere, 1.0, None))


def _of_another_value(forger: Forger, about: Delivery, event_id: str) -> tuple[str, NewRecord]:
    claim = forger._claim(about, event_id)
    return forger._written(claim, forger.genuine.sign(replace(claim, value=b"{}"), 1.0, None))


def _under_another_kafka_key(forger: Forger, about: Delivery, event_id: str) -> tuple[str, NewRecord]:
    claim = forger._claim(about, event_id)
    return forger._written(claim, forger.genuine.sign(replace(claim, key=b"another"), 1.0, None))


LETTERS: tuple[Kind, ...] = (_letter, _letter_instead_of_a_verdict)
KINDS: tuple[Kind, ...] = (
    _unsigned,
    _of_1970,
    _without_a_value,
    _made_up,
    *LETTERS,
    _of_another_key,
    _of_an_unknown_key,
    _of_another_topic,
    _of_another_message,
    _of_another_value,
    _under_another_kafka_key,
)
