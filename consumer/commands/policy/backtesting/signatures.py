"""
Which records of the verdict topics a backtest believes, where the service signs.

Whoever may write to these topics could else make a policy look harmless, or necessary.
"""

from collections.abc import Callable
from typing import Any

from consumer.config import Config
from consumer.config.identity import read_keys
from consumer.journal.signatures import Keyring
from consumer.journal.verdict_records import Believing, met


class Signatures:
    """Believes what the service's keys signed, and while `accept_unsigned_until` is ahead what nobody did."""

    def __init__(self, group: str, keyring: Keyring, unsigned_until: float, now: Callable[[], float]) -> None:
        """`now` returns unix seconds."""
        self._group = group
        self._believing = Believing(group, keyring, unsigned_until, now)
        self.unsigned = 0
        """Records that nobody signed, whether they were believed or not."""

    @classmethod
    def of(cls, config: Config, now: Callable[[], float]) -> "Signatures | None":
        """
        Return what `identity` asks for; None where it names no key: then everything is believed.

        Raises:
            Misconfigured: a key cannot be read.
        """
        keyring = Keyring(read_keys(config.identity))
        if keyring.is_empty:
            return None
        return cls(config.kafka.group_id, keyring, config.identity.unsigned_until, now)

    def are_believed(self, record: Any) -> bool:
        """Whether an aiokafka record counts: it is of the service's group, and believed."""
        found = met(record, self._group)
        if found is None:
            return False
        self.unsigned += not found.is_signed
        return self._believing.believes(found)
