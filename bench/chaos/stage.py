"""
What one run is played on: topics, the provider's stand-in, a crew; and what stands in the topics afterwards.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson
from aiokafka import AIOKafkaProducer, ConsumerRecord

from bench.chaos import nets
from bench.chaos.commits import Commit, commit_of
from bench.chaos.compare import Evidence, Outcome, Upload
from bench.chaos.crew import SERVICE, Crew
from bench.chaos.nets import Nets
from bench.chaos.sampling import POLL, Watch
from bench.chaos.work import BUCKET
from consumer.journal.headers import OF_DEAD_LETTER, OF_PROVISIONAL, OF_VERDICT, SourceHeaders
from consumer.journal.signatures import HEADER, Claim, Keyring
from tests.rig.kafka import KafkaCluster, NewRecord, publish, read_all
from tests.rig.outcomes import DECISIONS, OUTCOMES
from tests.rig.quick_provider.process import QuickProvider

# Shorter than what is shipped, so that a run of failures takes minutes; reported beside the defaults.
SETTINGS = {"session_timeout": 6.0, "heartbeat_interval": 0.3}

QUOTA = 400  # calls a second, of all replicas together
LATENCY = 0.3  # seconds, from half to half as much again
SPREAD = 0.5
PARTITIONS = 8
HEADROOM = 1.5  # calls in flight = 1.5 × quota × latency
_TICK = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What the run is like."""

    quota: int = QUOTA
    latency: float = LATENCY
    mean_latency: float | None = None
    """Where it differs from `latency`: how many calls must be in flight depends on it."""

    provider: Mapping[str, Any] | None = None
    """More of the stand-in's behaviour."""

    changes: Mapping[str, Any] | None = None
    """Settings over ours; sections are merged."""

    uploads: int = 0
    """Bytes of an image, where each is an object that the service fetches and uploads; 0: the provider fetches."""

    nets: Nets | None = None
    """The safety nets, in the runs in which they are on; None: never."""

    program: Sequence[str] = SERVICE
    partitions: int = PARTITIONS

    @property
    def max_in_flight(self) -> int:
        """How many calls one replica may have in flight."""
        return max(64, round(HEADROOM * self.quota * (self.mean_latency or self.latency)))

    @property
    def longest_latency(self) -> float:
        """The most that an ordinary call takes, in seconds."""
        return self.latency * (1 + SPREAD)


class Stage:
    """One run's own topics, group, provider and crew."""

    def __init__(self, kafka: KafkaCluster, name: str, script: Script) -> None:
        self.kafka = kafka
        self.name = name
        self.script = script
        self.nets: Nets | None = None
        """Where all safety nets are on."""

        self.provider: QuickProvider
        self.crew: Crew
        self.watch: Watch

    @classmethod
    @asynccontextmanager
    async def opened(cls, kafka: KafkaCluster, name: str, seed: int, script: Script = Script()) -> AsyncIterator[Self]:
        """Create the topics, start the provider, and yield a stage without replicas. Stop all of it at the end."""
        stage = cls(kafka, name, script)
        stage.nets = script.nets if script.nets is not None and script.nets.are_on(seed) else None
        await stage._create_topics()
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
            behaviour = {"latency": script.latency, "spread": SPREAD, "seed": seed, **(script.provider or {})}
            mounted = folder / "mounted"
            if stage.nets is not None:
                behaviour["verdicts"] = {**nets.VERDICTS, **(script.provider or {}).get("verdicts", {})}
                await stack.enter_async_context(nets.reloading(mounted))
            stage.provider = await stack.enter_async_context(QuickProvider.start(**behaviour))
            stage.watch = await stack.enter_async_context(stage.watching(script.partitions))
            stage.crew = await stack.enter_async_context(Crew.gathered(folder, stage._config(mounted), script.program))
            yield stage

    def watching(self, partitions: int) -> AbstractAsyncContextManager[Watch]:
        """Look at the topics as if each had so many partitions."""
        return Watch.opened(
            self.kafka.bootstrap_servers,
            uploads=self.uploads,
            outputs=self.outputs,
            group=self.name,
            partitions=partitions,
        )

    @property
    def uploads(self) -> str:
        """The topic that is read."""
        return f"{self.name}.uploads"

    @property
    def outputs(self) -> dict[str, str]:
        """The topics that are written, by outcome."""
        return {outcome: f"{self.name}.{outcome}" for outcome in OUTCOMES}

    async def _create_topics(self) -> None:
        configs = {"message.timestamp.type": "LogAppendTime"}
        if len(self.kafka.brokers) > 1:
            configs["min.insync.replicas"] = "2"
        for topic in (self.uploads, *self.outputs.values()):
            await self.kafka.create_topic(topic, partitions=self.script.partitions, configs=configs)

    def _config(self, mounted: Path) -> dict[str, Any]:
        script = self.script
        config: dict[str, Any] = {
            "kafka": {
                "bootstrap_servers": self.kafka.bootstrap_servers,
                "group_id": self.name,
                "topics": [self.uploads],
                "outputs": self.outputs,
                **SETTINGS,
            },
            "provider": {"endpoint": self.provider.endpoint, "max_in_flight": script.max_in_flight},
            "quota": {"qps": script.quota},
        }
        if script.uploads:
            url = f"{self.provider.endpoint}/images/{script.uploads}/{{key}}"
            config["bindings"] = [{"bucket": BUCKET, "via": "upload", "url": url}]
            config["images"] = {"allow": {"networks": ["127.0.0.1"]}}
        safety_nets = {} if self.nets is None else nets.changes(mounted)
        for section, settings in (*safety_nets.items(), *(script.changes or {}).items()):
            merged = {**config.get(section, {}), **settings} if isinstance(settings, Mapping) else settings
            config[section] = merged
        return config

    async def upload(self, records: Iterable[NewRecord]) -> None:
        """Publish all at once."""
        await publish(self.kafka.bootstrap_servers, self.uploads, records)

    @asynccontextmanager
    async def feeding(self, records: Iterator[NewRecord], rate: float) -> AsyncIterator[None]:
        """Publish `rate` records a second while the context lasts, or until there are no more."""
        task = asyncio.create_task(self.feed(records, rate), name="feeder")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled() and (error := task.exception()):
                raise error

    async def feed(self, records: Iterator[NewRecord], rate: float) -> None:
        """Publish `rate` records a second until there are no more; late ones are caught up with."""
        clock = asyncio.get_running_loop().time
        began, sent = clock(), 0
        async with AIOKafkaProducer(
            bootstrap_servers=self.kafka.bootstrap_servers, enable_idempotence=True, acks="all"
        ) as producer:
            for record in records:
                while sent > (clock() - began) * rate:
                    await asyncio.sleep(_TICK)
                await producer.send(self.uploads, record.value, key=record.key)
                sent += 1

    async def until_whole(self, timeout: float) -> None:
        """Return once the crew has all of the quota: what comes before that waits for the first leases to start."""
        async with asyncio.timeout(timeout):
            while await self.crew.metric("moderation_quota_qps") < self.script.quota:
                await asyncio.sleep(POLL)

    async def finished(self, timeout: float) -> bool:
        """Return whether everything uploaded was committed, and no call was under way, in time."""
        if not await self.watch.until_no_lag(timeout):
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while (await self.provider.stats())["in_flight"]:
                    await asyncio.sleep(POLL)
                return True
        return False

    async def commits(self) -> list[Commit]:
        """Return every commit of the group that the coordinator took, in its order; samples would miss some."""
        records = await read_all(self.kafka.bootstrap_servers, "__consumer_offsets")
        commits = (commit_of(record.key, record.value) for record in records)
        return [commit for commit in commits if commit is not None and commit.group == self.name]

    async def evidence(self, keyring: Keyring | None = None) -> Evidence:
        """
        Read back all that was left behind; with a keyring only outcomes that one of its keys signed, as a subscriber
        does that verifies. Call it once the crew is gone.
        """
        servers = self.kafka.bootstrap_servers
        uploads = [_upload(record) for record in await read_all(servers, self.uploads)]
        verdicts = [record for outcome in DECISIONS for record in await read_all(servers, self.outputs[outcome])]
        final, provisional = (
            [
                record
                for record in verdicts
                if names.offset in dict(record.headers)
                and (keyring is None or self._is_genuine(record, names, keyring))
            ]
            for names in (OF_VERDICT, OF_PROVISIONAL)
        )
        outcomes = [_outcome(record, OF_VERDICT) for record in final]
        dead_letters = sum(
            keyring is None or self._is_genuine(record, OF_DEAD_LETTER, keyring)
            for record in await read_all(servers, self.outputs["dead_letter"])
        )
        arrivals = await self.provider.arrivals()
        calls = [call for call in arrivals if not call.data_id.startswith(nets.CANARY)]
        if self.script.uploads:  # the provider knows copies by names that nobody else does, and images by their ids
            images = {outcome.id: outcome.image for outcome in outcomes}
            calls = [call._replace(image=images.get(call.data_id, call.image)) for call in calls]
        if self.nets is not None:
            self.nets.add(nets.seen_in((orjson.loads(each.value) for each in (*final, *provisional)), arrivals))
        return Evidence(
            uploads=uploads,
            calls=calls,
            outcomes=outcomes,
            dead_letters=dead_letters,
            provisional=[_outcome(record, OF_PROVISIONAL) for record in provisional],
            arrivals=arrivals,
        )

    def _is_genuine(self, record: ConsumerRecord[Any, Any], names: SourceHeaders, keyring: Keyring) -> bool:
        headers = dict(record.headers)
        source, signature = names.read(self.name, headers), headers.get(HEADER)
        if source is None or signature is None:
            return False
        claim = Claim(self.name, names, source, record.topic, record.key, record.value)
        return keyring.read(claim, signature) is not None


def _upload(record: ConsumerRecord[Any, Any]) -> Upload:
    images = tuple(_name(image) for image in orjson.loads(record.value)["images"])
    return Upload(images, record.key, record.partition, record.offset, record.timestamp / 1000)


def _name(image: Mapping[str, Any]) -> str:
    """How an image is called: by its URL, or its object's key."""
    return str(image.get("url") or image["ref"]["key"])


def _outcome(record: ConsumerRecord[Any, Any], names: SourceHeaders) -> Outcome:
    headers = dict(record.headers)
    return Outcome(
        image=_name(orjson.loads(record.value)["image"]),
        id=headers[names.id].decode(),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        at=record.timestamp / 1000,
        key=record.key,
        source=(int(headers[names.partition]), int(headers[names.offset])),
    )
