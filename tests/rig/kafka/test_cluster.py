"""
The throw-away Kafka itself: that it serves, survives the loss of a broker, and leaves nothing behind.
"""

import asyncio
import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, TopicAlreadyExistsError

from tests.rig.kafka import KafkaCluster, NewRecord, StartFailed, publish, read_all
from tests.rig.kafka.admin import admin_client
from tests.rig.kafka.jars import java
from tests.rig.kafka.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.scenario]  # brokers are started, stopped and killed

ROOT = Path(__file__).parents[3]
START_TIMEOUT = 60.0


async def test_a_topic_is_made_as_asked(kafka: KafkaCluster, topic: str) -> None:
    """
    A created topic has its partitions, each with a leader, and its configuration; a second of the name is refused.
    """
    await kafka.create_topic(topic, partitions=3, configs={"max.message.bytes": "2000"})

    async with admin_client(kafka.bootstrap_servers) as admin:
        (described,) = await admin.describe_topics([topic])
    assert [partition["leader"] for partition in described["partitions"]] == [1, 1, 1]
    with pytest.raises(TopicAlreadyExistsError):
        await kafka.create_topic(topic)


async def test_records_survive_the_loss_of_their_leader(kafka_cluster: KafkaCluster, topic: str) -> None:
    """
    With one of three brokers gone, what was acknowledged is there and more can be written; the broker may come back.
    """
    await kafka_cluster.create_topic(topic)
    await publish(kafka_cluster.bootstrap_servers, topic, [NewRecord(b"before")])
    lost = await kafka_cluster.leader_of(topic)

    await kafka_cluster.stop_broker(lost)
    try:
        await publish(kafka_cluster.bootstrap_servers, topic, [NewRecord(b"without")])
        leader = await kafka_cluster.leader_of(topic)
    finally:
        await kafka_cluster.start_broker(lost)

    assert leader not in (lost, -1)
    values = [record.value for record in await read_all(kafka_cluster.bootstrap_servers, topic)]
    assert values == [b"before", b"without"]


async def test_a_frozen_broker_keeps_its_connections_and_answers_nobody(kafka: KafkaCluster) -> None:
    """
    A suspended broker takes connections and is silent, as a machine that hangs; resumed, it answers again.
    """
    kafka.suspend_broker(1)
    try:
        _, writer = await asyncio.open_connection(*kafka.bootstrap_servers.split(":"))
        writer.close()
        silent = asyncio.create_task(cluster_id(kafka))
        done, _ = await asyncio.wait({silent}, timeout=0.5)
    finally:
        kafka.resume_broker(1)

    assert not done
    assert await silent


async def test_a_killed_run_leaves_no_broker(tmp_path: Path) -> None:
    """
    When the process that started a cluster gets SIGKILL, its broker dies with it.
    """
    log = tmp_path / "log"
    with log.open("wb") as output:
        run = subprocess.Popen(
            [sys.executable, "-m", "tests.rig.kafka"],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(tmp_path)},  # what it cannot remove goes with the test
            stdout=output,
            stderr=output,
        )
    try:
        await until(lambda: b"is up" in log.read_bytes() or run.poll() is not None, START_TIMEOUT)
        brokers = children_of(run.pid)
    finally:
        run.kill()
        run.wait()

    assert len(brokers) == 1, log.read_text()
    await until(lambda: not any(is_running(broker) for broker in brokers))


async def test_a_run_by_hand_ends_with_its_broker_on_ctrl_c(tmp_path: Path) -> None:
    """
    `python -m tests.rig.kafka` says where it is, and SIGINT stops it and its broker and removes its folder.
    """
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.rig.kafka"),
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
    )
    assert run.stdout
    async with asyncio.timeout(START_TIMEOUT):
        first = (await run.stdout.readline()).decode()
        brokers = children_of(run.pid)
        records = await publish_and_read(first.split()[-1])
        run.send_signal(signal.SIGINT)
        status = await run.wait()

    assert records == [b"by hand"]
    assert status == 0
    assert not any(is_running(broker) for broker in brokers)
    assert list(tmp_path.iterdir()) == []


async def test_a_broker_that_does_not_start_says_why() -> None:
    """
    A broker that dies at the start raises with the end of its own log.
    """
    with pytest.raises(StartFailed, match=r"num\.io\.threads"):
        async with KafkaCluster.start(brokers=1, properties={"num.io.threads": "-1"}):
            pass


async def test_clients_may_have_to_show_a_password_over_tls(tmp_path: Path, topic: str) -> None:
    """
    A further listener can ask for TLS and SCRAM: the right password gets in, another one does not.
    """
    keystore, certificate = make_certificate(tmp_path)
    properties = {
        "listener.name.clients.ssl.keystore.location": str(keystore),
        "listener.name.clients.ssl.keystore.type": "PKCS12",
        "listener.name.clients.ssl.keystore.password": "changeit",
        "listener.name.clients.ssl.key.password": "changeit",
        "listener.name.clients.sasl.enabled.mechanisms": "SCRAM-SHA-256",
        "listener.name.clients.scram-sha-256.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
    }

    async with KafkaCluster.start(
        properties=properties, listeners={"CLIENTS": "SASL_SSL"}, scram_users={"ada": "right"}
    ) as kafka:
        await kafka.create_topic(topic)

        async def send(password: str) -> None:
            producer = AIOKafkaProducer(
                bootstrap_servers=kafka.bootstrap_servers_of("CLIENTS"),
                security_protocol="SASL_SSL",
                ssl_context=ssl.create_default_context(cafile=certificate),
                sasl_mechanism="SCRAM-SHA-256",
                sasl_plain_username="ada",
                sasl_plain_password=password,
            )
            try:
                await producer.start()
                await producer.send_and_wait(topic, password.encode())
            finally:
                await producer.stop()

        await send("right")
        with pytest.raises(KafkaConnectionError):
            await send("wrong")
        records = await read_all(kafka.bootstrap_servers, topic)

    assert [record.value for record in records] == [b"right"]


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A key for 127.0.0.1 in a PKCS12 store, and its certificate as PEM."""
    keytool, store, certificate = Path(java()).resolve().with_name("keytool"), folder / "key.p12", folder / "cert.pem"
    key = ["-storetype", "PKCS12", "-keystore", str(store), "-storepass", "changeit", "-alias", "broker"]
    named = ["-keyalg", "EC", "-dname", "CN=broker", "-ext", "san=ip:127.0.0.1"]
    for command in (["-genkeypair", *key, *named], ["-exportcert", *key, "-rfc", "-file", str(certificate)]):
        subprocess.run([keytool, *command], check=True, capture_output=True)
    return store, certificate


async def cluster_id(kafka: KafkaCluster) -> str:
    async with admin_client(kafka.bootstrap_servers) as admin:
        found: str = (await admin.describe_cluster())["cluster_id"]
        return found


async def publish_and_read(bootstrap_servers: str) -> list[bytes]:
    """One record's way through a topic that is created on first use."""
    await publish(bootstrap_servers, "by-hand", [NewRecord(b"by hand")])
    return [record.value for record in await read_all(bootstrap_servers, "by-hand")]


def children_of(pid: int) -> list[int]:
    """The processes that `pid` started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    """Whether there is such a process that has not ended; one that only waits to be reaped has."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
