"""
A reviewer at work: decides about a verdict that waits for people, and the final verdict that comes of it.

    moderation.review ──► the reviewer ──► moderation.review-decisions ──► `feedback` ──► the final verdict
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from consumer.config import Config
from consumer.demo import DemoOptions
from consumer.demo.process import running_service
from consumer.demo.stage import Stage
from consumer.demo.watch import Stuck

REVIEWER: Final = "reviewer-7"
_TIMEOUT: Final = 45.0  # seconds for `feedback` to start, join its group and publish


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """What a reviewer saw, decided, and what came of it."""

    decision: str
    verdict: Mapping[str, Any] = field(repr=False)
    final: Mapping[str, Any] = field(repr=False)
    topic: str  # of the final one


async def review_one(stage: Stage, config: Config, options: DemoOptions, folder: Path) -> Reviewed:
    """
    Start `feedback`, decide about one verdict, and wait for its final verdict; `feedback` is stopped then.

    Raises:
        Stuck: there is nothing to review, or no final verdict comes.
    """
    outputs = config.kafka.outputs
    brokers = stage.broker.bootstrap_servers
    overrides = (f"kafka.bootstrap_servers={brokers}", "provider.proxy=none")
    try:
        async with (
            asyncio.timeout(_TIMEOUT),
            _reading(brokers, outputs.review) as waiting,
            _reading(brokers, outputs.block) as blocked,
            AIOKafkaProducer(bootstrap_servers=brokers, acks="all") as producer,
            AsyncExitStack() as stack,
        ):
            for topic in (config.reviews.topic, config.reviews.people):
                await producer.partitions_for(topic)  # the embedded broker creates what a producer asks for
            log = folder / "feedback.log"
            await stack.enter_async_context(running_service(options.config, overrides, {}, log, command="feedback"))
            record = await _first(waiting, lambda verdict: verdict["decided_by"] == "policy")
            verdict = orjson.loads(record.value)
            await producer.send_and_wait(config.reviews.topic, _decision(record, verdict), key=record.key)
            final = await _first(blocked, lambda found: found.get("supersedes") == verdict["verdict_id"])
    except TimeoutError:
        raise Stuck(f"No final verdict of a reviewer's decision within {_TIMEOUT:.0f} seconds.") from None
    return Reviewed(decision="remove", verdict=verdict, final=orjson.loads(final.value), topic=outputs.block)


def lines(reviewed: Reviewed) -> Sequence[str]:
    """Say it in words."""
    verdict, final = reviewed.verdict, reviewed.final
    return (
        f"A reviewer looked at verdict {verdict['verdict_id'][:8]}… ({verdict['decision']}, subject "
        f"{verdict['subject']['id']}) and decided: {reviewed.decision}.",
        f"The final verdict {final['verdict_id'][:8]}… came to {reviewed.topic}: {final['decision']}, decided_by "
        f"{final['decided_by']}, sequence {final['sequence']}, supersedes {final['supersedes'][:8]}….",
    )


def _decision(record: Any, verdict: Mapping[str, Any]) -> bytes:
    return orjson.dumps(
        {
            "schema": "moderation.review.v1",
            "verdict_id": verdict["verdict_id"],
            "verdict_at": {"topic": record.topic, "partition": record.partition, "offset": record.offset},
            "decision": "remove",
            "reviewer": REVIEWER,
            "decided_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    )


async def _first(consumer: Any, fits: Any) -> Any:
    async for record in consumer:
        if fits(orjson.loads(record.value)):
            return record
    raise AssertionError("unreachable")


@asynccontextmanager
async def _reading(bootstrap_servers: str, topic: str) -> AsyncIterator[Any]:
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest", fetch_max_wait_ms=100
    ) as consumer:
        yield consumer
