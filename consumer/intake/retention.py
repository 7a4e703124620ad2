"""
How long Kafka still keeps what waits for its outcome.

The input topics' retention is asked for once a minute, with a client of its own: nothing on the way of a record waits
for it, and it is looked at when metrics are scraped. From when on the retention of a message counts, `dating.py` says.
`retention.bytes` may delete sooner; when cannot be known.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from math import inf, nan

import structlog
from aiokafka.errors import KafkaError

from consumer import background
from consumer.clock import Clock
from consumer.kafka.admin import admin_client, topic_settings
from consumer.kafka.security import KafkaAccess

log = structlog.get_logger()

LOOK_INTERVAL = 60.0  # seconds
LOOK_TIMEOUT = 15.0  # seconds
STOP_DEADLINE = 2.0  # seconds

Look = Callable[[], Awaitable[Mapping[str, float]]]


def kept(settings: Mapping[str, str]) -> float:
    """Seconds that a topic with these settings keeps a message at least; infinity where no age deletes it."""
    milliseconds = int(settings["retention.ms"])
    return inf if milliseconds < 0 or "delete" not in settings["cleanup.policy"] else milliseconds / 1000


class Retention:
    """Of the input topics, as far as the cluster shows it."""

    def __init__(self, look: Look, clock: Clock) -> None:
        """`look` returns how many seconds each topic keeps a message; `KafkaError` and `OSError` may escape from it."""
        self._look = look
        self._clock = clock
        self._kept: Mapping[str, float] = {}

    def headroom(self, topic: str, oldest: float | None) -> float:
        """
        Seconds until the oldest message that waits, kept from this moment on, may be deleted; negative where it may be
        gone. The whole retention where none waits, NaN where the retention is not known.
        """
        age = 0.0 if oldest is None else self._clock.wall() - oldest
        return self._kept.get(topic, nan) - age

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look every minute until the context ends. What was found stays while the cluster does not answer."""
        # aiokafka 0.14 may swallow a cancellation.
        async with background.running(self._watch(), "retention", STOP_DEADLINE):
            yield

    async def _watch(self) -> None:
        while True:
            try:
                self._kept = await self._look()
            except (KafkaError, OSError, TimeoutError) as error:
                log.debug(
                    "retention.not_told", error=type(error).__name__
                )  # a broker that is away is reported elsewhere
            except Exception:
                log.exception("retention.unexpected_error")  # a metric must not stop the service
            await self._clock.sleep(LOOK_INTERVAL)


async def retention_of(access: KafkaAccess, topics: Collection[str]) -> Mapping[str, float]:
    """Ask the cluster how many seconds the topics keep a message; topics that it does not show are left out."""
    async with asyncio.timeout(LOOK_TIMEOUT), admin_client(access) as admin:
        told = await topic_settings(admin, topics, ("retention.ms", "cleanup.policy"))
    return {topic: kept(settings) for topic, settings in told.items()}
