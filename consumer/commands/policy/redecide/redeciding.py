"""
Reads what is published twice, tells what a policy would decide otherwise, and publishes that where it is asked to.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
from aiokafka.errors import KafkaError

from consumer.clock import Clock
from consumer.commands.offsets import NotAnswered
from consumer.commands.policy.redecide import rescans
from consumer.commands.policy.redecide.chains import HUMAN, Chains, about_of, packed, sequence_of
from consumer.commands.policy.redecide.flips import Judged, judge
from consumer.commands.policy.redecide.summary import Line, Summary
from consumer.commands.policy.redecide.writing import encoded, signed, superseding_id, superseding_value
from consumer.commands.publishing import Publishing
from consumer.commands.topics import Topics
from consumer.config import Config
from consumer.errors import Misconfigured
from consumer.journal.signatures import Keyring
from consumer.journal.verdict_records import Believing, Met, met
from consumer.kafka.security import KafkaAccess
from consumer.kafka.windows import Window
from consumer.policy.replay import Replaying
from consumer.policy.schema import Policy
from consumer.verdicts.encode import Encoded


class Telling(Protocol):
    """Is told how far it is, and what becomes of verdicts."""

    def told(self, line: Line) -> None: ...

    def gathered(self, chains: Chains) -> None: ...

    def progress(self, what: str, done: int, total: int) -> None: ...

    def may_rescan(self, summary: Summary, services: int) -> bool:
        """Say what it will cost to ask about images again, each by so many services, and ask whether to."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """A verdict that is not decided as before."""

    judged: Judged
    verdict: Mapping[str, Any] = field(repr=False)  # a URL in it may have its query
    record: Met


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked for."""

    since: float  # unix seconds
    apply: bool = False
    rate: float = 100.0  # verdicts a second that are published
    most_bytes: int = 512 << 20  # for what took others' places
    rescan: str | None = None  # the topic for upload events of images that must be asked about again


class Redeciding:
    """One run of the command."""

    def __init__(self, config: Config, policy: Policy, keyring: Keyring, clock: Clock, telling: Telling) -> None:
        self._config = config
        self._group = config.kafka.group_id
        self._replaying = Replaying(policy, config.privacy.context)
        self._services = policy.settings.most_services
        self._keyring = keyring
        self._clock = clock
        self._telling = telling
        self._believing = Believing(self._group, keyring, config.identity.unsigned_until, clock.wall)

    async def run(self, options: Options) -> Summary:
        """
        Tell of every flip, and publish them where that is asked for. What is published before an error stays.

        Raises:
            NotAnswered: Kafka does not answer, or does not let this client in.
            Misconfigured: verdicts are signed, and there is no key to sign others.
            ConsumerError: there is too much to remember, or a topic does not take a verdict.
        """
        access = KafkaAccess(self._config.kafka)
        if refusal := await access.probe():
            raise NotAnswered(f"kafka.bootstrap_servers: {refusal.reason}")
        outputs = Topics.of_verdicts(self._config.kafka, access)
        try:
            return await self._run(options, outputs)
        except KafkaError as error:
            servers = self._config.kafka.bootstrap_servers
            raise NotAnswered(f"kafka.bootstrap_servers: {servers}: {error or type(error).__name__}") from error

    async def _run(self, options: Options, outputs: Topics) -> Summary:
        summary, window = Summary(), await outputs.window(options.since)
        chains = await self._gathered(outputs, window, options)
        summary.people, summary.memory = chains.people, chains.size
        self._telling.gathered(chains)
        judged = self._judged(outputs, window, chains, summary)
        if options.apply:
            async with Publishing.opened(outputs, self._clock, options.rate) as publishing:
                async for each in judged:
                    await self._publish(each, publishing, summary)
        else:
            async for each in judged:
                self._tell(each)
        if options.rescan and summary.rescans and self._telling.may_rescan(summary, self._services):
            lane = Topics(self._config.kafka, outputs.access, (options.rescan,), rescans.HEADER)
            await self._rescan(self._judged(outputs, window, chains, Summary()), lane, options, summary)
        return summary

    async def _gathered(self, outputs: Topics, window: Window, options: Options) -> Chains:
        """The first pass."""
        chains, is_signed = Chains(options.most_bytes), False
        async for record in self._records(outputs, window, "what took others' places"):
            is_signed = is_signed or (record.kind != "other" and record.is_signed)
            if record.kind == "superseding" and not self._believing.believes(record):
                continue
            if record.kind != "superseding" and not record.may_be_a_persons:
                continue
            verdict = _read(record)
            if verdict is not None and (record.kind == "superseding" or verdict.get("decided_by") == HUMAN):
                with contextlib.suppress(KeyError, TypeError, ValueError):  # no verdict, and so in nobody's place
                    chains.note(verdict)
        if options.apply and not self._keyring.signs and (is_signed or not self._keyring.is_empty):
            raise Misconfigured(
                ["identity.sign: names no key, and this group's verdicts are signed: give --apply the service's key"]
            )
        return chains

    async def _judged(self, outputs: Topics, window: Window, chains: Chains, summary: Summary) -> AsyncIterator[Found]:
        """Later passes: every newest verdict that is not decided as before."""
        async for record in self._records(outputs, window, "verdicts decided again", summary):
            if (verdict := _read(record)) is None or (about := _about(verdict)) is None:
                summary.set_aside["unreadable"] += 1
            elif record.kind == "other" or verdict.get("decided_by") == HUMAN:
                continue
            elif verdict.get("provisional"):
                summary.set_aside["provisional"] += 1
            elif not chains.is_newest(about, verdict["verdict_id"]):
                summary.set_aside["superseded"] += 1
            else:
                judged = judge(verdict, self._replaying, chains.person(about))
                if judged.kind != "same" and not self._believing.believes(record):
                    summary.set_aside["not_believed"] += 1
                    continue
                summary.count(judged)
                if judged.kind == "needs_calls" and self._event(verdict, record) is not None:
                    summary.rescans += 1
                if judged.kind != "same":
                    yield Found(judged, verdict, record)
                if judged.after is not None and judged.kind == "flip":
                    chains.replace(about, self._id(verdict), verdict, judged.after)

    async def _records(
        self, outputs: Topics, window: Window, what: str, summary: Summary | None = None
    ) -> AsyncIterator[Met]:
        done, total = 0, window.size
        async for records in outputs.read(window):
            for record in records:
                if (found := met(record, self._group)) is not None:
                    yield found
                elif summary is not None:
                    summary.set_aside["others"] += 1
            done += len(records)
            self._telling.progress(what, done, total)

    def _id(self, verdict: Mapping[str, Any]) -> str:
        return superseding_id(verdict["verdict_id"], self._replaying.name)

    def _tell(self, found: Found) -> None:
        name = self._id(found.verdict) if found.judged.kind == "flip" else None
        self._telling.told(Line.of(found.judged, found.verdict, found.record, name))

    async def _publish(self, found: Found, publishing: Publishing, summary: Summary) -> None:
        judged, verdict, record = found.judged, found.verdict, found.record
        if judged.kind != "flip" or judged.after is None:
            return self._tell(found)
        now, name = self._clock.wall(), self._id(verdict)
        value = superseding_value(verdict, judged, self._replaying.name, now)
        if value is None:
            summary.not_replayable["too_large"] += 1
            return None
        topic = self._config.kafka.outputs.by_decision[judged.after]
        written = encoded(value, name, sequence_of(verdict) + 1, self._group, record.key, record.headers)
        if self._keyring.signs:
            written = signed(written, self._group, name, topic, self._keyring, now)

        def published() -> None:
            summary.published += 1
            self._tell(found)

        return await publishing.publish(name, topic, written, published)

    async def _rescan(self, judged: AsyncIterator[Found], lane: Topics, options: Options, summary: Summary) -> None:
        """The third pass: upload events for what needs calls, but for those that an earlier run has published."""
        before = {packed(each.decode(errors="replace")) async for each in lane.names(options.since)}

        def published() -> None:
            summary.rescanned += 1

        async with Publishing.opened(lane, self._clock, options.rate) as publishing:
            async for found in judged:
                event = self._event(found.verdict, found.record) if found.judged.kind == "needs_calls" else None
                if event is None:
                    continue
                name = rescans.rescan_id(found.verdict["verdict_id"], self._replaying.name)
                if packed(name) in before:
                    summary.rescanned_before += 1
                    continue
                before.add(packed(name))
                await publishing.publish(name, lane.topics[0], event, published)

    def _event(self, verdict: Mapping[str, Any], record: Met) -> Encoded | None:
        name = rescans.rescan_id(verdict["verdict_id"], self._replaying.name)
        keeps_query = self._config.privacy.keep_query
        return rescans.rescan_of(verdict, record.key, name, self._clock.wall(), keeps_query=keeps_query)


def _read(record: Met) -> Mapping[str, Any] | None:
    try:
        found = orjson.loads(record.value)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _about(verdict: Mapping[str, Any]) -> bytes | None:
    try:
        return about_of(verdict) if isinstance(verdict["verdict_id"], str) else None
    except (KeyError, TypeError):
        return None
