"""Getting into a real Kafka: every way in, what is said of a closed door, and secrets that change on disk."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from consumer.config.kafka import KafkaSettings
from consumer.kafka.security import KafkaAccess
from tests.rig.clock import ManualClock
from tests.rig.kafka.secured import CLEAR, MUTUAL, PLAIN, SASL, SecuredKafka, token, write_certificate

SOMEBODY = {"mechanism": "SCRAM-SHA-256", "username": "ada", "password": "x"}
WAYS = [
    (SASL, "PLAIN"), (SASL, "SCRAM-SHA-256"), (SASL, "SCRAM-SHA-512"), (SASL, "OAUTHBEARER"), (CLEAR, "SCRAM-SHA-256"),
    (MUTUAL, None),
]  # fmt: skip


def access(settings: dict[str, Any]) -> KafkaAccess:
    return KafkaAccess(KafkaSettings.model_validate(settings))


@pytest.mark.parametrize(("listener", "mechanism"), WAYS)
async def test_every_client_gets_in(
    secured_kafka: SecuredKafka, topic: str, listener: str, mechanism: str | None
) -> None:
    """
    With the same options producer, consumer and admin client get through TLS, and with each mechanism.
    """
    await secured_kafka.cluster.create_topic(topic)
    way_in = access(secured_kafka.settings(listener, mechanism))

    await way_in.wait_until_connected(HastyClock())
    async with AIOKafkaProducer(**way_in.options) as producer:
        await producer.send_and_wait(topic, b"value")
    async with AIOKafkaConsumer(topic, **way_in.options, auto_offset_reset="earliest") as consumer:
        read = await consumer.getone()
    admin = AIOKafkaAdminClient(**way_in.options)
    await admin.start()
    topics = await admin.list_topics()
    await admin.close()

    assert read.value == b"value"
    assert topic in topics
    assert way_in.reasons_not_ready() == []


class HastyClock(ManualClock):
    """Its sleepers wake at once; what it shows passes by what they slept."""

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        await asyncio.sleep(0.001)


async def refusal(settings: dict[str, Any]) -> str:
    """What is said to somebody who does not get in."""
    way_in = access(settings)
    trying = asyncio.create_task(way_in.wait_until_connected(ManualClock()))  # which nobody lets go on
    await told(way_in, lambda reasons: bool(reasons))
    assert not trying.done()
    trying.cancel()
    await asyncio.wait([trying])
    [reason] = way_in.reasons_not_ready()
    return reason


async def told(way_in: KafkaAccess, holds: Callable[[list[str]], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds(way_in.reasons_not_ready()):
            await asyncio.sleep(0.01)


def changed(settings: dict[str, Any], part: str, **changes: Any) -> dict[str, Any]:
    """The settings with others in a part of `security`."""
    security = settings["security"]
    return {**settings, "security": {**security, part: {**security.get(part, {}), **changes}}}


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
async def test_a_wrong_password_is_said_to_be_one(secured_kafka: SecuredKafka, tmp_path: Path, mechanism: str) -> None:
    """
    The user, the mechanism and the file to mend are named; what stands in the file is not.
    """
    wrong = tmp_path / "password"
    wrong.write_text("canary-password")

    reason = await refusal(changed(secured_kafka.settings(SASL, mechanism), "sasl", password_file=str(wrong)))

    assert f"the broker refuses user 'ada' or its {mechanism} password" in reason
    assert f"put the password of the broker's user into {wrong}" in reason
    assert "canary" not in reason


async def test_a_token_that_has_expired_is_said_to_be_one(secured_kafka: SecuredKafka, tmp_path: Path) -> None:
    """
    The token's file is named, and one that is missing too.
    """
    stale, missing = tmp_path / "stale", tmp_path / "missing"
    stale.write_text(token(lifetime=-60.0))
    settings = secured_kafka.settings(SASL, "OAUTHBEARER")

    refused = await refusal(changed(settings, "sasl", token_file=str(stale)))
    unread = await refusal(changed(settings, "sasl", token_file=str(missing)))

    assert f"the broker refuses the token in {stale}" in refused
    assert f"{missing}: cannot be read: No such file or directory" in unread


async def test_an_unknown_authority_is_said_to_be_one(secured_kafka: SecuredKafka) -> None:
    """
    A broker whose certificate comes from somewhere else is not talked to, and the setting to mend is named.
    """
    other = str(secured_kafka.folder / "other-ca.pem")

    reason = await refusal(changed(secured_kafka.settings(SASL, "SCRAM-SHA-256"), "tls", ca_file=other))

    assert "the broker's certificate is not trusted (" in reason
    assert f"kafka.security.tls.ca_file; trusted now: {other}" in reason


async def test_another_hosts_certificate_is_said_to_be_one(secured_kafka: SecuredKafka) -> None:
    """
    A broker called by a name that its certificate lacks is not talked to, unless names are not looked at.
    """
    settings = secured_kafka.settings(MUTUAL)
    by_name = {**settings, "bootstrap_servers": settings["bootstrap_servers"].replace("127.0.0.1", "localhost")}

    reason = await refusal(by_name)
    await access(changed(by_name, "tls", check_hostname=False)).wait_until_connected(HastyClock())

    assert "the broker's certificate is for another host" in reason


async def test_a_missing_or_foreign_certificate_is_said_to_be_one(secured_kafka: SecuredKafka, tmp_path: Path) -> None:
    """
    Where the broker asks for a certificate, one must be shown, and one that it trusts.
    """
    foreign = tmp_path / "foreign.pem"
    write_certificate(foreign, trustme.CA(), "somebody")
    settings = secured_kafka.settings(MUTUAL)

    without = await refusal(changed(settings, "tls", certificate_file=None, key_file=None))
    untrusted = await refusal(changed(settings, "tls", certificate_file=str(foreign), key_file=str(foreign)))

    assert "it may ask for a certificate, which is kafka.security.tls.certificate_file" in without
    assert f"it may not trust the certificate in {foreign}" in untrusted


@pytest.mark.parametrize(
    ("spoken", "listener"),
    [
        ({"protocol": "PLAINTEXT"}, CLEAR), ({"protocol": "PLAINTEXT"}, MUTUAL), ({"protocol": "SSL"}, PLAIN),
        ({"protocol": "SASL_PLAINTEXT", "sasl": SOMEBODY}, PLAIN), ({"protocol": "SASL_SSL", "sasl": SOMEBODY}, PLAIN),
    ],
)  # fmt: skip
async def test_another_protocol_is_suspected(
    secured_kafka: SecuredKafka, spoken: dict[str, Any], listener: str
) -> None:
    """
    Where the listener speaks something else than the settings say, the setting to look at is named.
    """
    servers = secured_kafka.servers(listener)

    reason = await refusal({"bootstrap_servers": servers, "security": spoken})

    assert re.search(rf"kafka\.security\.protocol(, now)? {spoken['protocol']}\b", reason)


async def test_a_broker_that_does_not_offer_the_mechanism_is_said_not_to(secured_kafka: SecuredKafka) -> None:
    """
    The mechanism and its setting are named.
    """
    settings = secured_kafka.settings(CLEAR, "SCRAM-SHA-512")

    assert "does not offer SCRAM-SHA-512: see kafka.security.sasl.mechanism" in await refusal(settings)


async def test_a_password_that_is_put_right_lets_everybody_in(
    secured_kafka: SecuredKafka, tmp_path: Path, topic: str
) -> None:
    """
    Nobody restarts anything: who waits gets in, and clients that were made before use the new password.
    """
    await secured_kafka.cluster.create_topic(topic)
    right, password = secured_kafka.settings(SASL, "SCRAM-SHA-256"), tmp_path / "password"
    password.write_text("of last week")
    way_in = access(changed(right, "sasl", password_file=str(password)))
    producer = way_in.register(AIOKafkaProducer(**way_in.options))
    entering = asyncio.create_task(way_in.wait_until_connected(HastyClock()))
    await told(way_in, lambda reasons: bool(reasons))

    password.write_bytes((secured_kafka.folder / "password").read_bytes())
    async with asyncio.timeout(30):
        await entering
    async with producer:
        await producer.send_and_wait(topic, b"value")

    assert way_in.reasons_not_ready() == []


async def test_a_password_that_goes_wrong_is_noticed_before_it_is_needed(
    secured_kafka: SecuredKafka, tmp_path: Path, topic: str
) -> None:
    """
    Connections that stand go on; that the next ones will be refused is said all the same, until it is mended.
    """
    await secured_kafka.cluster.create_topic(topic)
    right, password = secured_kafka.settings(SASL, "SCRAM-SHA-256"), tmp_path / "password"
    good = (secured_kafka.folder / "password").read_bytes()
    password.write_bytes(good)
    way_in, clock = access(changed(right, "sasl", password_file=str(password))), HastyClock()
    async with way_in.register(AIOKafkaProducer(**way_in.options)) as producer:
        await producer.send_and_wait(topic, b"before")
        async with way_in.watched(clock):
            password.write_text("a wrong one")
            await told(way_in, lambda reasons: bool(reasons))
            await producer.send_and_wait(topic, b"meanwhile")
            password.write_bytes(good)
            await told(way_in, lambda reasons: not reasons)


async def test_a_certificate_that_is_renewed_is_shown_from_then_on(
    secured_kafka: SecuredKafka, tmp_path: Path, topic: str
) -> None:
    """
    A client that was made with a certificate nobody trusts connects with the one that has replaced it.
    """
    await secured_kafka.cluster.create_topic(topic)
    shown = tmp_path / "client.pem"
    write_certificate(shown, trustme.CA(), "nobody")
    settings = changed(secured_kafka.settings(MUTUAL), "tls", certificate_file=str(shown), key_file=str(shown))
    way_in = access(settings)
    producer = way_in.register(AIOKafkaProducer(**way_in.options))
    entering = asyncio.create_task(way_in.wait_until_connected(HastyClock()))
    await told(way_in, lambda reasons: bool(reasons))

    shown.write_bytes((secured_kafka.folder / "client.pem").read_bytes())
    async with asyncio.timeout(30):
        await entering
    async with producer:
        await producer.send_and_wait(topic, b"value")
