"""
Where a group stands in each partition: what is committed, what waits, and what a running replica has open.

The group is looked at from outside, through the broker; only the replica that owns a partition knows what is open.
"""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from rich.table import Table

from consumer.authorities import Authorities
from consumer.commands.clients import reader
from consumer.config.kafka import KafkaSettings
from consumer.errors import ConsumerError, Misconfigured
from consumer.journal.commit_metadata import CommitMetadata
from consumer.kafka.admin import admin_client
from consumer.kafka.security import KafkaAccess
from consumer.proxies import Proxies, Proxy
from consumer.redaction import redacted

TIMEOUT = 5.0  # seconds


class NotAnswered(ConsumerError):
    """A broker or a replica did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the group stands in one partition. Moments are unix seconds."""

    topic: str
    partition: int
    committed: int | None
    metadata: str  # of the commit
    end: int

    @property
    def lag(self) -> int | None:
        """Records from the committed offset to the end, settled or not; None where nothing is committed."""
        return None if self.committed is None else max(0, self.end - self.committed)

    @property
    def journal_from(self) -> float | None:
        """Since when the next owner must read the outputs; None where the commit is not ours."""
        metadata = CommitMetadata.read(self.metadata)
        return metadata.journal_from if metadata else None


async def standings(settings: KafkaSettings) -> list[Standing]:
    """
    Ask the broker.

    Raises:
        NotAnswered: it does not answer, or does not let this client in.
        Misconfigured: a file of `kafka.security` cannot be read.
    """
    access = KafkaAccess(settings)
    if refusal := await access.probe():
        raise NotAnswered(f"kafka.bootstrap_servers: {refusal.reason}")
    try:
        async with admin_client(access) as admin, reader(access, *settings.topics) as consumer:
            partitions = [
                TopicPartition(topic, partition)
                for topic in settings.topics
                for partition in sorted(consumer.partitions_for_topic(topic) or ())
            ]
            # By name: librdkafka 2.16's mock cluster does not answer for all, and aiokafka 0.14 stumbles over that.
            answer = await admin.list_consumer_group_offsets(settings.group_id, partitions=partitions)
            committed = {part: found for part, found in answer.items() if found.offset >= 0}
            ends = await consumer.end_offsets(partitions)
    except KafkaError as error:
        servers = settings.bootstrap_servers
        raise NotAnswered(
            f"kafka.bootstrap_servers: {servers} does not answer: {error or type(error).__name__}"
        ) from error
    return [
        Standing(
            topic=each.topic,
            partition=each.partition,
            committed=committed[each].offset if each in committed else None,
            metadata=committed[each].metadata if each in committed else "",
            end=ends[each],
        )
        for each in partitions
    ]


async def open_records(
    urls: Sequence[str], environment: Mapping[str, str]
) -> Mapping[tuple[str, int], Mapping[str, Any]]:
    """
    Ask running replicas, by the base URL of their `health.metrics_port`. The environment names proxies and authorities.

    Raises:
        NotAnswered: one does not answer.
        Misconfigured: what is given is no URL, or a proxy that the environment names is none.
    """
    found = {}
    if wrong := [redacted(url) for url in urls if not _is_url(url)]:
        raise Misconfigured([f"--url {url}: is no URL, such as http://127.0.0.1:9464" for url in wrong])
    proxies, trusted = Proxies.of(environment), Authorities(None, {}).context
    if problems := list(proxies.problems(urls)):
        raise Misconfigured(problems)
    for url in urls:
        readings = await _open_records(url, proxies.proxy_for(url), trusted)
        found.update({(reading["topic"], reading["partition"]): reading for reading in readings})
    return found


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:  # a port beyond 65535, half an IPv6 address
        return False


async def _open_records(url: str, proxy: Proxy | None, trusted: ssl.SSLContext) -> list[dict[str, Any]]:
    through = None
    if proxy is not None:  # httpx takes authorities only for a proxy that speaks TLS
        through = httpx.Proxy(proxy.url_with_user, ssl_context=trusted if proxy.url.startswith("https:") else None)
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False, proxy=through, verify=trusted) as client:
            answer = await client.get(f"{url.rstrip('/')}/offsets")
            return _readings(answer)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        told = redacted(f"--url {url}: the replica does not answer: {error or type(error).__name__}")
        raise NotAnswered(told) from error


def _readings(answer: httpx.Response) -> list[dict[str, Any]]:
    """Read the page. `HTTPError` and `ValueError` escape where it is another port's, or another service's."""
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise ValueError("there is no /offsets at this port: name its health.metrics_port")
    told = orjson.loads(answer.raise_for_status().content)
    if not isinstance(told, list) or not all(_is_reading(each) for each in told):
        raise ValueError("what answers there is no replica")
    return told


def _is_reading(told: Any) -> bool:
    return isinstance(told, dict) and {"topic", "partition", "open", "oldest", "taken_over"} <= told.keys()


def table(standings: Sequence[Standing], running: Mapping[tuple[str, int], Mapping[str, Any]], now: float) -> Table:
    """A row for each partition; with what is open, if a replica has reported it."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("topic", "partition", "committed", "end", "lag", "journal from"):
        shown.add_column(heading, justify="left" if heading in ("topic", "journal from") else "right")
    if running:
        shown.add_column("open", justify="right")
        shown.add_column("oldest open")
    for each in standings:
        reading = running.get((each.topic, each.partition))
        row = [
            each.topic, str(each.partition), _or_dash(each.committed), str(each.end), _or_dash(each.lag),
            _journal_from(each),
        ]  # fmt: skip
        if running:
            row += ["not known", ""] if reading is None else [str(reading["open"]), _oldest(reading, now)]
        shown.add_row(*row)
    return shown


def as_json(
    standings: Sequence[Standing], running: Mapping[tuple[str, int], Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The same for programs. Moments are unix seconds."""
    return [
        {
            "topic": each.topic, "partition": each.partition, "committed": each.committed, "end": each.end,
            "lag": each.lag, "journal_from": each.journal_from,
            **({"open": reading["open"], "oldest": reading["oldest"]} if reading else {}),
        }
        for each in standings
        for reading in [running.get((each.topic, each.partition))]
    ]  # fmt: skip


def _or_dash(number: int | None) -> str:
    return "–" if number is None else str(number)


def _journal_from(standing: Standing) -> str:
    if standing.committed is None:
        return "nothing committed"
    if standing.journal_from is None:
        return "not our commit: all of it"
    return datetime.fromtimestamp(standing.journal_from, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _oldest(reading: Mapping[str, Any], now: float) -> str:
    if not reading["taken_over"]:
        return "being taken over"
    if not reading["oldest"]:
        return ""
    oldest = reading["oldest"][0]
    return f"offset {oldest['offset']}, for {max(0.0, now - oldest['since']):.1f} s: {oldest['state']}"
