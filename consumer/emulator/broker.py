"""
A Kafka broker inside this process: librdkafka's mock cluster, which confluent-kafka carries in its wheel.

It listens on loopback and speaks the real protocol, so any client can use it. What it cannot do is in `LIMITS`.
"""

import logging
from types import TracebackType
from typing import Final, Self

from confluent_kafka import Producer

LIMITS: Final = (
    "One member a consumer group: a second one is refused, so nothing about rebalances can be seen.",
    "No admin requests: topics appear when first used, with 4 partitions, and `check` misses them until then.",
    "No offsets for timestamps: such a look-up finds nothing.",
    "A partition keeps at most 5 MiB or 100,000 records; older ones go.",
    "Nothing survives the process.",
)
_START_TIMEOUT: Final = 10.0


class EmbeddedBroker:
    """
    One broker, from `with` to its end.

    Raises on entering: confluent_kafka.KafkaException, when the broker does not answer.
    """

    limits: Final = LIMITS

    def __init__(self) -> None:
        self.bootstrap_servers = ""
        """`host:port`, once entered."""

    def __enter__(self) -> Self:
        # The address is ignored but must be there. The producer is the mock cluster's owner and produces nothing.
        self._owner = Producer(
            {"bootstrap.servers": "localhost:1", "test.mock.num.brokers": 1},
            logger=logging.getLogger(__name__),
        )
        brokers = self._owner.list_topics(timeout=_START_TIMEOUT).brokers.values()
        self.bootstrap_servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Destroys the cluster. Producer.close() is younger than confluent-kafka 2.11.
        del self._owner
