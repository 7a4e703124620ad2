"""`feedback ledger`: what the provider was told, so that single images can be taken out there by hand."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumer.commands.clients import reader
from consumer.commands.feedback.sending import ledger_of
from consumer.commands.offsets import NotAnswered
from consumer.config import Config
from consumer.feedback import REASONS, About, Line, NotSent, Sent
from consumer.feedback.quorum import Quorum
from consumer.journal.signatures import Keyring
from consumer.kafka.admin import admin_client
from consumer.kafka.security import KafkaAccess

EVERYTHING: Final = 10_000_000

NOTE: Final = (
    "The provider's feedback library can be neither switched off nor deleted by a call: take single images out in its "
    "console. These are of the 1.0 service; whether Image Moderation 2.0 honours them is not established."
)


async def lines(config: Config, keyring: Keyring) -> list[Line]:
    """
    Read the whole ledger.

    Raises:
        NotAnswered: no broker answers, or lets this client in.
    """
    access, ledger = KafkaAccess(config.kafka), ledger_of(config, keyring)
    if refusal := await access.probe():
        raise NotAnswered(f"kafka.bootstrap_servers: {refusal.reason}")
    try:
        async with (
            admin_client(access) as admin,
            reader(access, isolation_level="read_committed") as consumer,
        ):
            # All topics: a broker may create one that is asked for by name.
            found = [each for each in await admin.describe_topics() if each["topic"] == ledger.topic]
            parts = [TopicPartition(ledger.topic, part["partition"]) for each in found for part in each["partitions"]]
            read = [ledger.line_in(record) async for record in _records(consumer, parts)]
    except KafkaError as error:
        servers = config.kafka.bootstrap_servers
        raise NotAnswered(f"kafka.bootstrap_servers: {servers}: {error or type(error).__name__}") from error
    return [line for line in read if line is not None]


async def _records(consumer: Any, partitions: list[TopicPartition]) -> Any:
    if not partitions:
        return
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    ends = await consumer.end_offsets(partitions)
    left = [each for each in partitions if ends[each] > 0]
    while left:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            for record in records:
                yield record
        left = [each for each in left if await consumer.position(each) < ends[each]]


def written(found: Iterable[Line], *, as_json: bool, not_sent: bool) -> Iterator[str]:
    """Say what was sent, a line each, with who says otherwise by now; with `not_sent` also what was not, and why."""
    found = list(found)
    against = _against(found)
    for line in found:
        if isinstance(line, Sent):
            yield _json(line, against) if as_json else _sent(line, against)
        elif isinstance(line, NotSent) and not_sent:
            yield _json(line, against) if as_json else _not_sent(line)


def _against(found: Iterable[Line]) -> dict[About, tuple[str, ...]]:
    """By submission, the reviewers who say the opposite of what was sent."""
    found, quorum = list(found), Quorum(1, EVERYTHING)
    for line in found:
        quorum.take(line)
    return {line.about: quorum.against(line) for line in found if isinstance(line, Sent)}


def _sent(line: Sent, against: dict[About, tuple[str, ...]]) -> str:
    contradicted = f"; CONTRADICTED by {', '.join(against[line.about])}" if against[line.about] else ""
    return (
        f"{line.sent_at}  {line.suggestion:5}  {','.join(line.scenes)}  {line.url}  "
        f"({_place(line.about)}, tenant {line.tenant}, by {', '.join(line.reviewers)}, "
        f"request {line.request_id or 'unknown'}{contradicted})"
    )


def _not_sent(line: NotSent) -> str:
    code = f" ({line.code})" if line.code else ""
    return f"{line.noted_at}  not sent: {REASONS[line.reason]}{code}  ({_place(line.about)}, tenant {line.tenant})"


def _place(about: About) -> str:
    return f"{about.topic}/{about.partition}@{about.offset} image {about.image}"


def _json(line: Sent | NotSent, against: dict[About, tuple[str, ...]]) -> str:
    members: dict[str, Any] = {"about": line.about._asdict(), "tenant": line.tenant, "suggestion": line.suggestion}
    if isinstance(line, Sent):
        members |= {
            "sent": True, "scenes": line.scenes, "url": line.url, "reviewers": line.reviewers,
            "verdict_ids": line.verdict_ids, "sent_at": line.sent_at, "request_id": line.request_id,
            "contradicted_by": against[line.about],
        }  # fmt: skip
    else:
        members |= {"sent": False, "reason": line.reason, "code": line.code, "noted_at": line.noted_at}
    return orjson.dumps(members).decode()
