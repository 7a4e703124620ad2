"""
compose.yaml: what it says fits the service, and its commands, run as processes, do what it promises.
"""

import re
from pathlib import Path

from consumer.config import Config
from consumer.config.loading import load_config
from tests.deployment.compose import ROOT, SERVICES, composed
from tests.rig.embedded import BrokerProcess
from tests.rig.kafka import jars
from tests.rig.kafka.waiting import until

CLOSING = 10
"""Seconds that the service may take to close after it has drained, when no broker answers."""
DEAD_LETTER_HEADROOM = 16 * 1024
UPLOADS = 40


async def test_uploads_reach_takedown_and_review(tmp_path: Path) -> None:
    """
    The commands of compose.yaml, beside a broker: what the publisher uploads is judged by the emulated provider's
    rules; takedown is told of every forbidden image, review of the doubtful and the missing ones.
    """
    with BrokerProcess() as broker:
        async with composed(tmp_path, broker.bootstrap_servers) as services:
            for service in ("images", "emulator", "takedown", "review"):
                await services.start(service)
            await services.start("consumer", MODERATION__HEALTH__PORT="0")
            await services.start("uploads", "--count", str(UPLOADS), "--interval", "0.01")

            await until(lambda: services.said("takedown").count("take down") >= UPLOADS // 4, timeout=60)
            doubtful = {f"user-{n}/avatar" for n in (1, 3, 5, 7, 9)}
            await until(lambda: doubtful <= reviewed(services.said("review")), timeout=60)
            consumer = services.processes["consumer"]
            consumer.terminate()
            status = await consumer.wait()

            taken_down = services.said("takedown").splitlines()
            review = services.said("review")

    assert status == 0
    assert len(taken_down) == UPLOADS // 4
    assert all(": violent_explosion (" in line for line in taken_down)
    assert ": inappropriate_smoking; " in review
    assert ": could not be judged (fetch 404); " in review
    assert {int(waiting) for waiting in re.findall(r"(\d+) waiting", review)} <= {1, 2, 3, 4, 5}


def reviewed(said: str) -> set[str]:
    """The subjects that the review tool has shown."""
    return set(re.findall(r"review (\S+):", said))


def test_what_is_waited_for_exists() -> None:
    """
    A service waits for services that there are; for the topics, all that use Kafka.
    """
    awaited = {name: service.get("depends_on", {}) for name, service in SERVICES.items()}
    callers = {name for name, service in SERVICES.items() if "kafka:9092" in str(service) and name != "kafka"}

    assert set().union(*awaited.values()) <= set(SERVICES)
    assert callers - {"topics"} == {"consumer", "uploads", "takedown", "review"}
    assert all(
        awaited[name]["topics"] == {"condition": "service_completed_successfully"} for name in callers - {"topics"}
    )


def test_every_topic_of_the_configuration_is_made() -> None:
    """
    The topics made are those that the service reads and writes by default; dead letters have room for an upload of the
    largest size and their own headers.
    """
    kafka = Config().kafka
    (script,) = SERVICES["topics"]["command"]
    made = re.findall(r"^create (\S+)", script, re.MULTILINE)
    room = re.search(r"create moderation\.dead-letter .*max\.message\.bytes=(\d+)", script)

    assert sorted(made) == sorted([*kafka.topics, *kafka.outputs.model_dump().values()])
    assert room
    assert int(room[1]) >= kafka.max_message_bytes + DEAD_LETTER_HEADROOM


def test_the_consumers_variables_are_a_sound_configuration() -> None:
    """
    With the names as they are in compose's network: the emulator is on another machine there, without TLS.
    """
    config = load_config(ROOT / "config" / "consumer.yaml", SERVICES["consumer"]["environment"])

    assert config.provider.endpoints["endpoint"].goes_in_clear
    assert config.kafka.hosts_in_clear == ("kafka",)


def test_the_consumer_is_not_killed_while_it_drains() -> None:
    """
    Compose waits longer for the service to stop than the service takes.
    """
    period = SERVICES["consumer"]["stop_grace_period"]

    assert int(period.removesuffix("s")) > Config().shutdown.drain_timeout + CLOSING


def test_ports_are_this_machines_own() -> None:
    """
    What is published is published on loopback: nothing here asks for a password.
    """
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_what_is_ours_runs_hardened() -> None:
    """
    Our containers have a read-only file system, no capabilities, and gain no privileges.
    """
    ours = {name: service for name, service in SERVICES.items() if "build" in service}

    assert set(SERVICES) - set(ours) == {"kafka", "topics"}
    for service in ours.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_kafka_is_the_one_that_is_tested_with() -> None:
    """
    The broker in compose.yaml is of the release that the tests run.
    """
    images = {SERVICES[name]["image"] for name in ("kafka", "topics")}

    assert images == {f"apache/kafka:{jars.version()}"}
