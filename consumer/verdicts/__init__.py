"""
Decide, and make it durable.

`policy.py` turns an assessment into a verdict, `encode.py` a verdict into bytes, `kafka.py` publishes them. How an
image was judged is not known here.
"""

from typing import Protocol

from consumer.errors import Undecodable
from consumer.records import Delivery, Verdict


class Sink(Protocol):
    """Takes outcomes. What returns has been acknowledged by all in-sync replicas."""

    async def room(self) -> None:
        """Wait while outcomes are not acknowledged: what is not handed over yet can still be dropped."""
        ...

    async def publish(self, verdict: Verdict) -> None:
        """Publish a verdict to the topic of its decision."""
        ...

    async def bury(self, delivery: Delivery, reason: Undecodable) -> None:
        """Publish a message that cannot be read to the dead-letter topic, byte for byte."""
        ...
