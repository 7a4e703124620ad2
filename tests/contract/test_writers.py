"""Who may write to the outputs, asked of a real Kafka with an authorizer, and of one without."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from consumer.commands.check import kafka as check
from consumer.config import Config
from tests.rig.kafka import KafkaCluster
from tests.rig.kafka.waiting import until
from tests.rig.outcomes import OUTCOMES

ASKS = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",  # whoever uses the plaintext listener, brokers among them
    "listener.name.users.sasl.enabled.mechanisms": "SCRAM-SHA-256",
    "listener.name.users.scram-sha-256.sasl.jaas.config": (
        "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    ),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded() -> AsyncIterator[KafkaCluster]:
    """A broker with an authorizer."""
    async with KafkaCluster.start(
        properties=ASKS, listeners={"USERS": "SASL_PLAINTEXT"}, scram_users={"ada": "right"}
    ) as cluster:
        yield cluster


async def grant(cluster: KafkaCluster, *granted: tuple[str, str, ResourcePatternType, AclOperation]) -> None:
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers})
    entries = [
        (ResourceType.TOPIC, name, pattern, principal, "*", operation, AclPermissionType.ALLOW)
        for principal, name, pattern, operation in granted
    ]
    for done in admin.create_acls([AclBinding(*entry) for entry in entries]).values():
        done.result(timeout=10)
    # The controller has them; the broker that is asked learns of them a moment later.
    for entry in entries:
        asked = AclBindingFilter(*entry)
        await until(lambda asked=asked: bool(admin.describe_acls(asked).result(timeout=10)))  # type: ignore[misc]


async def told(kafka: dict[str, object], topic: str) -> list[tuple[str, str]]:
    outputs = {name: f"{topic}.{name}" for name in OUTCOMES}
    config = Config.model_validate({"kafka": {**kafka, "topics": [topic], "group_id": topic, "outputs": outputs}})
    found = await check.look_at_kafka(config, 60.0, 0.0)
    return [(each.level, each.text) for each in found if each.about == "writers"]


@pytest.mark.kafka
async def test_those_who_may_write_are_named(guarded: KafkaCluster, topic: str) -> None:
    """
    By name, by prefix or for all topics; who may only read is not among them.
    """
    literal, prefixed = ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED
    for name in OUTCOMES:
        await guarded.create_topic(f"{topic}.{name}")
    await grant(
        guarded,
        ("User:ada", f"{topic}.", prefixed, AclOperation.WRITE),
        ("User:bob", f"{topic}.pass", literal, AclOperation.ALL),
        ("User:eve", f"{topic}.pass", literal, AclOperation.READ),
    )

    found = await told({"bootstrap_servers": guarded.bootstrap_servers}, topic)

    assert found[0] == (
        "ok",
        f"User:ada alone may write to {topic}.block, {topic}.review, {topic}.dead_letter, beside super users",
    )
    assert found[1][0] == "warning"
    assert found[1][1].startswith(f"User:ada, User:bob may write to {topic}.pass: ")


@pytest.mark.kafka
async def test_who_may_not_see_the_lists_is_told_what_to_grant(guarded: KafkaCluster, topic: str) -> None:
    """
    In one line, and the rest is looked at.
    """
    await guarded.create_topic(f"{topic}.pass")
    await grant(guarded, ("User:ada", topic, ResourcePatternType.PREFIXED, AclOperation.ALL))
    sasl = {"mechanism": "SCRAM-SHA-256", "username": "ada", "password": "right"}
    security = {"protocol": "SASL_PLAINTEXT", "sasl": sasl}

    found = await told({"bootstrap_servers": guarded.bootstrap_servers_of("USERS"), "security": security}, topic)

    assert found == [("skipped", "this user may not see who may write to the outputs: grant Describe on the cluster")]


async def test_a_broker_without_an_authorizer_is_said_to_have_none(kafka: KafkaCluster, topic: str) -> None:
    """
    In one line.
    """
    await kafka.create_topic(f"{topic}.pass")

    [(level, text)] = await told({"bootstrap_servers": kafka.bootstrap_servers}, topic)

    assert level == "warning"
    assert text.startswith("the brokers have no authorizer: whoever reaches them may write to the output topics")
