"""
Which records of the output topics are believed to be outcomes of this service.

What is not believed counts as not done: the image is asked about. It is counted, and said in the log once a minute.
"""

from collections.abc import Callable, Mapping
from math import inf

import structlog

from consumer.journal.signatures import HEADER, Claim, Keyring, Signed
from consumer.observability import metrics

log = structlog.get_logger()

INTERVAL = 60.0  # seconds between two log lines


class Belief:
    """What the journal believes."""

    def __init__(self, keyring: Keyring, unsigned_until: float, now: Callable[[], float]) -> None:
        """Unsigned outcomes are believed until that moment; `now` returns unix seconds."""
        self._keyring = keyring
        self._unsigned_until = unsigned_until
        self._now = now
        self._said_at = -inf
        self._left_out = 0

    def believed(self, claim: Claim, headers: Mapping[str, bytes | None], timestamp: float) -> Signed | None:
        """What is believed of an outcome with that `timestamp` (unix seconds), or None where it is not ours."""
        header = headers.get(HEADER)
        if header is not None and (signed := self._keyring.read(claim, header)) is not None:
            return signed
        forged = header is not None and self._keyring.knows(header)
        if not forged and self._now() < self._unsigned_until:
            metrics.OUTCOMES_UNSIGNED.inc()
            return Signed(timestamp, None)
        metrics.OUTCOMES_NOT_BELIEVED.labels("forged" if forged else "unsigned").inc()
        self._say(claim)
        return None

    def _say(self, claim: Claim) -> None:
        now = self._now()
        if abs(now - self._said_at) < INTERVAL:
            self._left_out += 1
            return
        log.error(
            "outcome.not_believed", topic=claim.topic, source_topic=claim.source.partition.topic[:256],
            source_partition=claim.source.partition.number, source_offset=claim.source.offset, left_out=self._left_out,
        )  # fmt: skip
        self._said_at, self._left_out = now, 0
