"""
A review tool in small: keeps the queue of what people must look at.

    python examples/review.py --bootstrap-servers localhost:9092

The queue is by subject, with each image of its newest upload: a subject that uploads again need not be reviewed twice.
It is in memory, so it is read anew from the topic's beginning at each start, and no offset is committed.
"""

import argparse
import asyncio
from collections.abc import Sequence, Set
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer

Queue = dict[tuple[str, str], dict[str, dict[str, Any]]]
"""By tenant and subject, the verdicts of an upload by image."""
Settled = set[tuple[str, int, int, str]]
"""The images that need no review."""


def add(queue: Queue, verdict: dict[str, Any], settled: Set[tuple[str, int, int, str]] = frozenset()) -> bool:
    """Put a verdict in the queue. False where it is older than what is there, or there or settled already."""
    if verdict["provisional"] and about(verdict) in settled:  # it may be read after the final one
        return False
    subject = verdict["tenant"], verdict["subject"]["id"]
    waiting = queue.get(subject, {})
    if waiting:
        known = next(iter(waiting.values()))
        if verdict["verdict_id"] in {each["verdict_id"] for each in waiting.values()} or is_newer(known, verdict):
            return False
        if is_newer(verdict, known):
            waiting = {}
        elif (same := waiting.get(verdict["image"]["id"])) and same["sequence"] > verdict["sequence"]:
            return False
    queue[subject] = {**waiting, verdict["image"]["id"]: verdict}
    return True


def settle(queue: Queue, settled: Settled, verdict: dict[str, Any]) -> None:
    """Take an image out, for good, whose verdict asks for no review, where it waits for want of one."""
    settled.add(about(verdict))
    waiting = queue.get((verdict["tenant"], verdict["subject"]["id"]), {})
    known = waiting.get(verdict["image"]["id"])
    if known and known["provisional"] and about(known) == about(verdict):
        del waiting[verdict["image"]["id"]]


def about(verdict: dict[str, Any]) -> tuple[str, int, int, str]:
    """Which image of which message."""
    event = verdict["event"]
    return event["topic"], event["partition"], event["offset"], verdict["image"]["id"]


def is_newer(verdict: dict[str, Any], other: dict[str, Any]) -> bool:
    """
    Whether a verdict is about a later upload than another: never among the images of one event.

    Revisions tell where both have one, else offsets, which are comparable within a partition.
    """
    event, revision = verdict["event"], verdict["subject"]["revision"]
    before, earlier = other["event"], other["subject"]["revision"]
    if revision is not None and earlier is not None and revision != earlier:
        return bool(revision > earlier)
    if (event["topic"], event["partition"]) != (before["topic"], before["partition"]):
        return False
    return bool(event["offset"] > before["offset"])


def why(verdict: dict[str, Any]) -> str:
    """What a reviewer sees: what was found, or why nothing could be, or that there is no answer yet."""
    if verdict["provisional"]:
        return "no answer yet"
    if verdict["error"] is not None:
        return f"could not be judged ({verdict['error']['class']} {verdict['error']['code']})"
    return ", ".join(reason["label"] for reason in verdict["reasons"])


async def subscribe(bootstrap_servers: str, topic: str, others: Sequence[str]) -> None:
    """Show for ever what is to be reviewed. In `others` are the verdicts that ask for no review."""
    queue: Queue = {}
    settled: Settled = set()
    consumer = AIOKafkaConsumer(topic, *others, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest")
    async with consumer:
        async for record in consumer:
            verdict = orjson.loads(record.value)
            if record.topic != topic:
                settle(queue, settled, verdict)
            elif add(queue, verdict, settled):
                waiting = sum(len(images) for images in queue.values())
                print(f"review {verdict['subject']['id']}: {why(verdict)}; {waiting} waiting", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Shows what is to be reviewed.")
    parser.add_argument("--bootstrap-servers", default="localhost:9092")
    parser.add_argument("--topic", default="moderation.review")
    parser.add_argument(
        "--others", nargs="*", default=[], metavar="TOPIC",
        help="topics of the other verdicts, where the service has deadlines: an image that has one waits no longer",
    )  # fmt: skip
    asked = parser.parse_args()
    asyncio.run(subscribe(asked.bootstrap_servers, asked.topic, asked.others))
