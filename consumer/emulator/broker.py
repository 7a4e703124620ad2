"""
A Kafka broker inside this process: librdkafka's mock cluster, which confluent-kafka carries in its wheel.

It listens on loopback and speaks the real protocol, so any client can use it. What it cannot do is in `LIMITS`.
"""

import logging
from threading import Thread
from types import TracebackType
from typing import Any, Final, Self

from confluent_kafka import Producer

LIMITS: Final = (
    "One member a consumer group: a second one is refused, so nothing about rebalances can be seen.",
    "No admin requests: topics appear when first used, with 4 partitions, and `check` misses them until then.",
    "No offsets for timestamps: such a look-up finds nothing.",
    "A partition keeps at most 5 MiB or 100,000 records; older ones go.",
    "Nothing survives the process.",
)
_START_TIMEOUT: Final = 10.0
_END_TIMEOUT: Final = 10.0


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
        owners = [self._owner]
        del self._owner
        end(owners)


def end(owners: list[Any], patience: float = _END_TIMEOUT) -> None:
    """
    Destroy mock clusters with their owners; `patience` is in seconds.

    On a machine under load librdkafka was seen to wait for ever for a cluster whose thread had ended: what is left of
    it then ends with the process. (Producer.close() is younger than confluent-kafka 2.11.)
    """
    ending = Thread(target=owners.clear, name="end of the embedded broker", daemon=True)
    ending.start()
    ending.join(patience)
    if ending.is_alive():
        logging.getLogger(__name__).warning(
            "The embedded broker did not end in %g s; it ends with the process", patience
        )
