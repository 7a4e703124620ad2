"""
A real Apache Kafka of one broker or several on this machine, in a temporary folder, for as long as a test needs it.

KRaft without ZooKeeper or containers: every broker is a controller too. What a broker is made of is `jars.py`'s.
"""

import asyncio
import base64
import random
import socket
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError, for_code

from tests.rig.kafka import jars
from tests.rig.kafka.admin import admin_client
from tests.rig.kafka.broker import POLL, Broker

HOST = "127.0.0.1"
START_TIMEOUT = 60.0
LAST_GRACE = 1.0
# Below what Linux hands out for outgoing connections. A client that retries against a stopped broker could otherwise
# be given the broker's own port, connect to itself, and keep the broker from ever coming back.
PORTS = range(15_000, 32_000)
# One compiler and one collector thread: a short life on a small machine starts faster so.
JVM = ("-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")


class KafkaCluster:
    """
    A running cluster. Brokers have the ids 1, 2, …

    Nothing in it is bound to an event loop: it may be started in one and used and stopped in another.
    """

    def __init__(self, brokers: Mapping[int, Broker], listeners: Mapping[str, str], folder: Path) -> None:
        self.brokers = brokers
        self.folder = folder
        """Where data and logs are; gone when the cluster is."""
        self._listeners = listeners

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        brokers: int = 1,
        *,
        port: int | None = None,
        properties: Mapping[str, str] | None = None,
        listeners: Mapping[str, str] | None = None,
        scram_users: Mapping[str, str] | None = None,
        heap: str = "256m",
    ) -> AsyncIterator[Self]:
        """
        Start a cluster and yield it once every broker answers; stop it and remove its data on the way out.

        port: the first broker's, the others' follow it; free ones when None.
        properties: broker properties, over ours.
        listeners: more listeners beside the plaintext one, as {name: security protocol}; see `bootstrap_servers_of`.
        scram_users: passwords by user name, for SCRAM-SHA-256 and SCRAM-SHA-512.

        Raises `ToolMissing` and `DownloadFailed` (see `jars.py`), and `StartFailed` with the end of a broker's log.
        """
        classpath = await asyncio.to_thread(jars.jars)
        jvm = [await asyncio.to_thread(jars.java), f"-Xmx{heap}", *JVM, "-cp", f"{classpath}/*"]
        listeners = listeners or {}
        nodes = range(1, brokers + 1)
        free = _free_ports()
        ports = {node: port + node - 1 if port else next(free) for node in nodes}
        voters = {node: next(free) for node in nodes}
        extra = {name: {node: next(free) for node in nodes} for name in listeners}
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kafka-")))
            made = {
                node: Broker(
                    node_id=node,
                    address=f"{HOST}:{ports[node]}",
                    folder=folder / f"broker-{node}",
                    properties={
                        **_common_properties(brokers),
                        **_addresses(node, ports, voters, extra, listeners),
                        **(properties or {}),
                    },
                    jvm=jvm,
                )
                for node in nodes
            }
            users = [
                f"{mechanism}=[name={name},password={word}]"
                for name, word in (scram_users or {}).items()
                for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            ]
            scram = [argument for user in users for argument in ("--add-scram", user)]
            cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
            await asyncio.gather(*(broker.format(cluster_id, scram) for broker in made.values()))
            addresses = {name: ",".join(f"{HOST}:{port}" for port in of.values()) for name, of in extra.items()}
            cluster = cls(made, addresses, folder)
            stack.push_async_callback(cluster._stop)
            for broker in made.values():
                broker.launch()
            await cluster._answering(made)
            yield cluster

    @property
    def bootstrap_servers(self) -> str:
        """`host:port`, comma-separated, of every broker's plaintext listener, running or not."""
        return ",".join(broker.address for broker in self.brokers.values())

    def bootstrap_servers_of(self, listener: str) -> str:
        """The same for one of the further listeners asked for at the start."""
        return self._listeners[listener]

    async def create_topic(
        self,
        name: str,
        partitions: int = 1,
        *,
        replication: int | None = None,
        configs: Mapping[str, str] | None = None,
    ) -> None:
        """
        Create a topic and return once every partition has a leader and every replica is in sync.

        replication: one replica on every broker, three at most, when None. Raises aiokafka's error if Kafka refuses.
        """
        topic = NewTopic(name, partitions, replication or min(3, len(self.brokers)), topic_configs=dict(configs or {}))
        async with admin_client(self.bootstrap_servers) as admin:
            response = await admin.create_topics([topic])
            for _, code, message in response.topic_errors:
                if code:
                    raise for_code(code)(message)
        await self._answering({node: broker for node, broker in self.brokers.items() if broker.pid})

    async def start_broker(self, node_id: int) -> None:
        """Start a stopped broker and return once it is back in sync with every partition it holds."""
        broker = self.brokers[node_id]
        broker.launch()
        await self._answering({node_id: broker})

    async def stop_broker(self, node_id: int) -> None:
        """Shut a broker down in order: it hands its partitions over first."""
        await self.brokers[node_id].stop()

    async def kill_broker(self, node_id: int) -> None:
        """End a broker at once. The others notice when its session is over, after three seconds."""
        await self.brokers[node_id].kill()

    def suspend_broker(self, node_id: int) -> None:
        """Freeze a broker: its connections stay open and nothing answers."""
        self.brokers[node_id].suspend()

    def resume_broker(self, node_id: int) -> None:
        """Let a suspended broker go on."""
        self.brokers[node_id].resume()

    async def leader_of(self, topic: str, partition: int = 0) -> int:
        """The id of the broker that leads a partition now, -1 when none does."""
        async with admin_client(self.bootstrap_servers) as admin:
            (described,) = await admin.describe_topics([topic])
        leaders: dict[int, int] = {each["partition"]: each["leader"] for each in described["partitions"]}
        return leaders[partition]

    async def coordinator_of(self, group: str) -> int:
        """The id of the broker that coordinates a consumer group now."""
        async with admin_client(self.bootstrap_servers) as admin:
            coordinator: int = await admin.find_coordinator(group)
            return coordinator

    async def _answering(self, brokers: Mapping[int, Broker]) -> None:
        """Wait until these brokers know of each other and are in sync with every partition that they hold."""
        deadline = time.monotonic() + START_TIMEOUT
        for broker in brokers.values():
            await broker.listening(deadline)
        while not await self._in_sync(brokers):
            for broker in brokers.values():
                broker.check_running(deadline)
            await asyncio.sleep(POLL)

    async def _in_sync(self, brokers: Mapping[int, Broker]) -> bool:
        try:
            for broker in brokers.values():
                async with admin_client(broker.address) as admin:
                    known = {each["node_id"] for each in (await admin.describe_cluster())["brokers"]}
                    if not known >= brokers.keys():
                        return False
                    for topic in await admin.describe_topics():
                        for partition in topic["partitions"]:
                            held = set(partition["replicas"]) & brokers.keys()
                            if partition["leader"] < 0 or not held <= set(partition["isr"]):
                                return False
        except KafkaError:  # it listens and does not serve yet
            return False
        return True

    async def _stop(self) -> None:
        # Three at once lose their quorum and then wait five seconds for it; nobody wants their data any more.
        await asyncio.gather(*(broker.stop(grace=LAST_GRACE) for broker in self.brokers.values()))


def _free_ports() -> Iterator[int]:
    """Ports nobody listens on, in random order, so that two runs at once hardly meet, whatever seeds Python's dice."""
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        yield port


def _addresses(
    node: int,
    ports: Mapping[int, int],
    voters: Mapping[int, int],
    extra: Mapping[str, Mapping[int, int]],
    protocols: Mapping[str, str],
) -> dict[str, str]:
    """Who a node is and where it listens."""
    listening = {"PLAINTEXT": ports[node], "CONTROLLER": voters[node], **{name: of[node] for name, of in extra.items()}}
    security = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **protocols}
    return {
        "process.roles": "broker,controller",
        "node.id": str(node),
        "controller.quorum.voters": ",".join(f"{voter}@{HOST}:{port}" for voter, port in voters.items()),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listeners": ",".join(f"{name}://{HOST}:{port}" for name, port in listening.items()),
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in security.items()),
    }


def _common_properties(brokers: int) -> dict[str, str]:
    """What makes a broker quick to start, quick to notice and small, where Kafka's defaults suit large machines."""
    copies = str(min(3, brokers))
    return {
        "auto.create.topics.enable": "false",
        "offsets.topic.num.partitions": str(brokers),
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.num.partitions": str(brokers),
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "500",
        "broker.heartbeat.interval.ms": "500",
        "broker.session.timeout.ms": "3000",
        "log.cleaner.backoff.ms": "100",
        "log.initial.task.delay.ms": "3600000",  # no retention of its own accord: tests write records of any age
        "log.cleaner.dedupe.buffer.size": "4194304",
        "num.network.threads": "1",
        "num.io.threads": "2",
        "background.threads": "2",
    }
