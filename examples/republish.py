"""
Gives dead letters another chance, once what made them so is mended: a binding that was missing, a release too old.

    python examples/republish.py --bootstrap-servers localhost:9092 --group moderation-consumer --reason unbound_bucket

Each goes back to the topic it came from, as it was: key, value and headers, at a new offset. Which topic that is, a
letter only claims, and a program that may write to the topic of dead letters can claim anything: so only topics that
`--source` names are written to (`kafka.topics`; `uploads` where none is named), and letters that name others are
counted. Only the letters of one group of the service are touched (`kafka.group_id`; header `source_group`): a topic of
dead letters may be shared, and the others' are theirs.

Where the service signs (`identity`), name its keys, as `--key 2026-11=/path/to/file`: then letters that none of them
signed are refused and counted. Without a key every letter is believed, whoever wrote it.

Letters of the reason are republished once: this has a consumer group of its own for each group and reason, and goes on
where it ended. After a crash those since the last commit may go back twice, and are then judged twice. A letter that
was cut (`dlq_truncated`), or that is a whole batch of records (`dlq_first_offset`), cannot go back as it was: it stays,
and is counted.
"""

import argparse
import asyncio
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

Headers = Sequence[tuple[str, bytes | None]]

LARGEST = 10_485_760  # bytes; the source topic decides
DEFAULT_GROUP = "moderation-consumer"  # the service's own default
DEFAULT_SOURCES = ("uploads",)  # likewise
LEAST_KEY = 32  # bytes, likewise
QUIET = 5.0  # seconds without a letter after which this ends


class Republished(NamedTuple):
    """What became of the letters."""

    again: int
    """Published again."""
    cut: int
    """Left where they are, because they are no whole message, or many."""
    elsewhere: int
    """Left where they are, because they name a topic that the operator did not allow."""
    forged: int
    """Refused, because no key that was named signed them."""


def is_ours(name: str) -> bool:
    """Whether a header was added when the message became a dead letter."""
    return name.startswith("dlq_") or name in ("source_group", "moderation_signature")


def as_it_was(headers: Headers) -> Headers:
    """The message's own headers, under their own names."""
    theirs = [(name, value) for name, value in headers if not is_ours(name)]
    renamed = ((name.removeprefix("original_"), name, value) for name, value in theirs)
    return [(before if is_ours(before) else name, value) for before, name, value in renamed]


def is_genuine(
    topic: str, key: bytes | None, value: bytes | None, told: Mapping[str, bytes | None], keys: Mapping[str, bytes]
) -> bool:
    """Whether a letter is signed by one of the keys, as docs/events.md says."""
    source = [told.get(f"dlq_source_{part}") for part in ("topic", "partition", "offset")]
    parts = [b"moderation-outcome-v1", told.get("source_group"), b"dead_letter", told.get("dlq_id"), *source]
    signature = (told.get("moderation_signature") or b"").split(b" ")
    if len(signature) != 6 or signature[0] != b"v1" or (key_id := signature[1].decode(errors="replace")) not in keys:
        return False
    parts += [topic.encode(), key, None if value is None else hashlib.sha256(value).digest(), *signature[2:5]]
    signed = b"".join(b"-" if part is None else b"%d:%b" % (len(part), part) for part in parts)
    genuine = hmac.new(keys[key_id], signed, hashlib.sha256).hexdigest().encode()
    return hmac.compare_digest(genuine, signature[5])


async def republish(
    bootstrap_servers: str,
    topic: str,
    reason: str,
    group: str = DEFAULT_GROUP,
    quiet: float = QUIET,
    sources: Sequence[str] = DEFAULT_SOURCES,
    keys: Mapping[str, bytes] | None = None,
) -> Republished:
    """
    Publish the letters of a group of the service again that were refused for this reason, to these topics only.

    With `keys`, by id, only those that one of them signed.
    """
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap_servers,
        group_id=f"republish-{group}-{reason}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers, acks="all", enable_idempotence=True, max_request_size=LARGEST
    )
    again = cut = elsewhere = forged = 0
    async with consumer, producer:
        while polled := await consumer.getmany(timeout_ms=round(quiet * 1000)):
            for record in (record for records in polled.values() for record in records):
                told = dict(record.headers)
                if (told.get("dlq_reason"), told.get("source_group")) != (reason.encode(), group.encode()):
                    continue
                if keys and not is_genuine(record.topic, record.key, record.value, told, keys):
                    forged += 1
                    continue
                if "dlq_truncated" in told or "dlq_first_offset" in told:
                    cut += 1
                    continue
                source = (told.get("dlq_source_topic") or b"").decode(errors="replace")
                if source not in sources:
                    elsewhere += 1
                    continue
                await producer.send_and_wait(source, record.value, key=record.key, headers=as_it_was(record.headers))
                again += 1
            await consumer.commit()
    return Republished(again, cut, elsewhere, forged)


def read_key(option: str) -> tuple[str, bytes]:
    """Read a key that is given as ID=FILE; a line's end behind it is not part of it."""
    key_id, _, path = option.partition("=")
    if not path:
        raise argparse.ArgumentTypeError("must be ID=FILE, as identity.keys has them")
    try:
        key = Path(path).read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path} cannot be read: {error.strerror}") from error
    if len(key) < LEAST_KEY:
        raise argparse.ArgumentTypeError(f"{path} has {len(key)} bytes, and the service's keys at least {LEAST_KEY}")
    return key_id, key


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Publishes dead letters of one reason to their source again.")
    parser.add_argument("--bootstrap-servers", default="localhost:9092")
    parser.add_argument("--topic", default="moderation.dead-letter")
    parser.add_argument("--group", default=DEFAULT_GROUP, help="kafka.group_id of the service whose they are")
    parser.add_argument("--reason", required=True)
    parser.add_argument("--source", action="append", help="topic to write to; may be repeated (default: uploads)")
    parser.add_argument("--key", action="append", type=read_key, metavar="ID=FILE", help="of identity.keys; repeatable")
    asked = parser.parse_args()
    sources, keys = asked.source or DEFAULT_SOURCES, dict(asked.key or ())
    if not keys:
        print("No --key: letters are not verified, and those that others wrote are published as well.")
    done = asyncio.run(
        republish(asked.bootstrap_servers, asked.topic, asked.reason, asked.group, sources=sources, keys=keys)
    )
    print(done.again, "messages published again")
    if done.cut:
        print(done.cut, "are no whole message (dlq_truncated, dlq_first_offset) and stay where they are")
    if done.elsewhere:
        print(done.elsewhere, "say that they came from a topic that --source does not name, and stay where they are")
    if done.forged:
        print(done.forged, "are signed by none of the keys and are refused: somebody else writes to", asked.topic)
