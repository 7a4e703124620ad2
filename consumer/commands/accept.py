"""
What `moderation-consumer offsets accept` does: an operator's word that the group may start where it was set by hand.

Where the group has no members, the offset is committed once more, signed. Where it has, Kafka refuses that, so a signed
acceptance is appended to the dead letters, and the replica that holds the partition finds it within seconds.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from rich.table import Table

from consumer.commands.clients import reader
from consumer.commands.offsets import NotAnswered, Standing, standings
from consumer.config import Config
from consumer.config.identity import read_keys
from consumer.errors import Misconfigured
from consumer.journal.commit_metadata import BEGINNING, CommitMetadata
from consumer.journal.commits import Commits
from consumer.journal.headers import OF_ACCEPTANCE, Source
from consumer.journal.signatures import HEADER, Claim, CommitMark, Keyring
from consumer.kafka.admin import REQUEST_TIMEOUT
from consumer.kafka.security import KafkaAccess
from consumer.records import Partition, SourceId

OPERATOR = "00000000"  # in commits, instead of a process


class Done(StrEnum):
    """What was done about a partition."""

    NOTHING_COMMITTED = "nothing is committed"
    IS_OURS = "the service's own commit"
    COMMITTED = "accepted: committed"
    APPENDED = "accepted: the replica that holds it starts there within seconds"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A partition, the offset that the group has in it, and what was done."""

    partition: Partition
    offset: int | None
    done: Done


async def accept(
    config: Config, chosen: Sequence[str], everything: bool, now: Callable[[], float]
) -> Sequence[Accepted]:
    """
    Accept what is committed in the partitions that are chosen, as TOPIC or TOPIC/PARTITION; `now` is unix seconds.

    Raises:
        Misconfigured: no key signs, a name is none of the group's, or nothing is chosen.
        NotAnswered: Kafka does not answer, or does not let this client in.
    """
    keyring = Keyring(read_keys(config.identity), config.identity.sign)
    if not keyring.signs:
        raise Misconfigured(["identity.sign: no key signs, so any commit is believed: there is nothing to accept"])
    commits = Commits(config.kafka.group_id, OPERATOR, keyring, config.identity.unsigned_until, now)
    found = {Partition(each.topic, each.partition): each for each in await standings(config.kafka)}
    looked_at = sorted(_chosen(found, chosen, everything))
    foreign = {each: offset for each in looked_at if (offset := _foreign(commits, each, found[each])) is not None}
    access = KafkaAccess(config.kafka)
    try:
        done = not foreign or await _commit(access, commits, foreign)
        if not done:
            await _append(access, config, keyring, foreign, now())
    except KafkaError as error:
        servers = config.kafka.bootstrap_servers
        raise NotAnswered(f"kafka.bootstrap_servers: {servers}: {error or type(error).__name__}") from error
    accepted = Done.COMMITTED if done else Done.APPENDED
    return [
        Accepted(each, found[each].committed, accepted if each in foreign else _as_it_is(found[each]))
        for each in looked_at
    ]


def _chosen(found: Collection[Partition], chosen: Sequence[str], everything: bool) -> Iterator[Partition]:
    """Those of the group's partitions that are named. `Misconfigured` escapes where a name is none of theirs."""
    if everything == bool(chosen):
        raise Misconfigured(["offsets accept: name partitions, as TOPIC or TOPIC/PARTITION, or give --all"])
    names = {each: (each.topic, f"{each.topic}/{each.number}") for each in found}
    if unknown := set(chosen) - {name for both in names.values() for name in both}:
        known = ", ".join(sorted({each.topic for each in found})) or "none"
        raise Misconfigured([f"{name}: is none of kafka.topics, which are: {known}" for name in sorted(unknown)])
    return (each for each, both in names.items() if everything or not set(both).isdisjoint(chosen))


def _foreign(commits: Commits, partition: Partition, standing: Standing) -> int | None:
    """The offset that a stranger has committed; None where it is ours, or there is none."""
    if standing.committed is None or commits.read(partition, standing.committed, standing.metadata) is not None:
        return None
    return standing.committed


def _as_it_is(standing: Standing) -> Done:
    return Done.NOTHING_COMMITTED if standing.committed is None else Done.IS_OURS


async def _commit(access: KafkaAccess, commits: Commits, offsets: dict[Partition, int]) -> bool:
    """Commit these offsets, signed; say whether the group had no members, so that Kafka took that."""
    metadata = str(CommitMetadata(BEGINNING, OPERATOR))
    async with reader(access, group_id=commits.group) as consumer:
        consumer.assign([TopicPartition(*each) for each in offsets])
        try:
            await consumer.commit(
                {
                    TopicPartition(*each): OffsetAndMetadata(offset, commits.sign(each, offset, metadata))
                    for each, offset in offsets.items()
                }
            )
        except CommitFailedError:
            return False
    return True


async def _append(
    access: KafkaAccess, config: Config, keyring: Keyring, offsets: dict[Partition, int], now: float
) -> None:
    """Append an acceptance of each offset to the dead letters."""
    group, topic = config.kafka.group_id, config.kafka.outputs.dead_letter
    async with AIOKafkaProducer(
        **access.options, acks="all", request_timeout_ms=round(REQUEST_TIMEOUT * 1000)
    ) as producer:
        for partition, offset in offsets.items():
            name = f"{partition.topic}/{partition.number}"
            source = Source(SourceId(f"{name}@{offset}"), partition, offset)
            key = name.encode()
            value = orjson.dumps({"group": group, "accepted": {"partition": name, "offset": offset}})
            claim = Claim(group, OF_ACCEPTANCE, source, topic, key, value)
            signature = keyring.sign(claim, now, CommitMark(offset, BEGINNING))
            headers = [*OF_ACCEPTANCE.write_source(group, source), (HEADER, signature)]
            await producer.send_and_wait(topic, value, key=key, headers=headers)


def table(accepted: Sequence[Accepted]) -> Table:
    """A row for each partition."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("topic")
    shown.add_column("partition", justify="right")
    shown.add_column("committed", justify="right")
    shown.add_column("")
    for each in accepted:
        offset = "–" if each.offset is None else str(each.offset)
        shown.add_row(each.partition.topic, str(each.partition.number), offset, each.done.value)
    return shown
