"""
Make a decision durable.

`outcomes.py` and `encode.py` turn a verdict or a dead letter into a record, `sink.py` publishes it. How an image was
judged is not known here.
"""

from typing import Protocol

from consumer.verdicts.outcomes import Outcome


class Sink(Protocol):
    """Takes outcomes. What returns has been acknowledged by all in-sync replicas."""

    async def wait_for_capacity(self) -> None:
        """Wait while outcomes are not acknowledged: what is not handed over yet can still be dropped."""
        ...

    async def publish(self, outcome: Outcome) -> None:
        """Write a verdict or a dead letter to its topic. `OutcomeRefused` escapes where the topic does not take it."""
        ...
