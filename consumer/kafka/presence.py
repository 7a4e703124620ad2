"""
Whether any broker answers a client of aiokafka 0.14, and how it recovers when all brokers have moved.

A client asks the bootstrap servers once, and later only brokers at the addresses that it has learnt. When none of those
is right any more (new nodes behind the same names, a cluster restored elsewhere) it asks them for ever. `bootstrap` on
the living client gives it the new addresses; no new client is needed. `tests/contract/test_presence.py` would notice
if another version did otherwise.
"""

from collections.abc import Set

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import CloseReason
from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Response

SILENCE = 2.0  # seconds; a consumer's fetches are answered more often

Address = tuple[str, int]


def is_heard(client: AIOKafkaClient, now: float) -> bool:
    """
    Whether a broker has answered lately, or a connection stands and no request waits. `now` is `time.monotonic`'s.

    Who asks for nothing, as a member without partitions between two heartbeats, is not left without an answer.
    """
    standing = [each for each in client._conns.values() if each.connected()]
    if any(now - each._last_action < SILENCE for each in standing):
        return True
    return bool(standing) and not any(each._requests for each in standing)


def known(client: AIOKafkaClient) -> frozenset[Address]:
    """Where the client looks for brokers."""
    return frozenset((broker.host, broker.port) for broker in client.cluster.brokers())


def named(answer: Response) -> frozenset[Address]:
    """The brokers that an answer to a request for metadata names."""
    return frozenset((host, port) for _, host, port, *_ in answer.brokers)


async def bootstrap(client: AIOKafkaClient, brokers: Set[Address]) -> bool:
    """
    Teach a client where the brokers are by now, if it knows none of them; say whether it had to be. One that was not
    started, or is stopped, is left alone.

    Connections to other addresses are closed, as none of them will ever be answered.
    """
    if client._sync_task is None or not brokers or known(client) & brokers:
        return False
    try:
        await client.bootstrap()
    except KafkaError:
        return False
    for connection in list(client._conns.values()):
        if (connection.host, connection.port) not in brokers:
            connection.close(reason=CloseReason.CONNECTION_BROKEN)
    return True
