"""
A sink that signs outcomes on their way to Kafka, so that nobody else's are taken for ours. See `journal/signatures.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from consumer.clock import Clock
from consumer.journal.signatures import HEADER, Claim, CommitMark, Keyring
from consumer.records import Partition
from consumer.verdicts import Sink
from consumer.verdicts.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class SigningSink:
    """Signs, with what is committed of the source's partition at that moment, and hands on."""

    inner: Sink
    group: str
    keyring: Keyring
    committed: Callable[[Partition], CommitMark | None]
    clock: Clock

    async def wait_for_capacity(self) -> None:
        await self.inner.wait_for_capacity()

    async def publish(self, outcome: Outcome) -> None:
        record = outcome.record
        claim = Claim(self.group, outcome.names, outcome.source, outcome.topic, record.key, record.value)
        signature = self.keyring.sign(claim, self.clock.wall(), self.committed(outcome.source.partition))
        signed = replace(record, headers=[*record.headers, (HEADER, signature)])
        await self.inner.publish(replace(outcome, record=signed))
