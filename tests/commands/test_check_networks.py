"""What `check` says of clear text, of hosts that are not the vendor's, and of who may write outcomes."""

import socket

import pytest

from consumer.commands.check.findings import Finding
from consumer.commands.check.networks import clear_text, endpoints, writers
from consumer.config.kafka import KafkaSettings
from consumer.config.provider import ProviderSettings
from consumer.vendor_facts.aliyun import REGIONS, base_url, is_vendors
from tests.commands.cli import command
from tests.rig.emulated import KEY


def said(settings: dict[str, object]) -> list[tuple[str, str]]:
    found = endpoints(ProviderSettings.model_validate(settings))
    return [(f"{each.level} {each.about}", each.text) for each in found]


def test_the_vendors_own_hosts_are_no_matter() -> None:
    """
    Neither the regions' own nor one that is given.
    """
    assert said({}) == []
    assert said({"endpoint": "https://green-cip.ap-southeast-1.aliyuncs.com"}) == []
    for region in REGIONS:
        assert is_vendors(base_url(region, vpc=False).removeprefix("https://"))


@pytest.mark.parametrize(
    "host", ["aliyuncs.com.example.com", "green-cip.ap-southeast-1.aliyuncs.com.", "xaliyuncs.com", "aliyuncs.com"]
)
def test_a_host_that_only_looks_like_the_vendors_is_none(host: str) -> None:
    """
    The vendor's end in its domain; a dot at the end of a name changes nothing.
    """
    assert is_vendors(host) is host.endswith(".")


def test_a_host_outside_the_vendors_is_warned_of() -> None:
    """
    Under the setting that names it, this machine too: an emulator that was left in judges nothing.
    """
    elsewhere = said({"endpoint": "https://mirror.example.com"})
    here = said({"endpoint": "http://127.0.0.1:8090", "fallback_region": "eu-west-1", "fallback_endpoint": "https://m"})

    assert elsewhere[0][0] == "warning provider.endpoint"
    assert elsewhere[0][1].startswith("mirror.example.com is no host of the vendor's: whoever answers there decides")
    assert [about for about, _ in here] == ["warning provider.endpoint", "warning provider.fallback_endpoint"]
    assert here[0][1].startswith("127.0.0.1 is this machine")


def test_clear_text_that_is_allowed_is_warned_of() -> None:
    """
    Where it leaves this machine.
    """
    [clear, host] = said({"endpoint": "http://emulator:8090", "allow_clear_text": True})

    assert clear[1].startswith("calls to emulator go over the network without TLS")
    assert host[1].startswith("emulator is no host of the vendor's")
    assert len(said({"endpoint": "http://localhost:8090", "allow_clear_text": True})) == 1


def test_a_broker_in_clear_is_warned_of() -> None:
    """
    With protocol and hosts, and what to use instead; SASL without TLS is no better, and loopback is no matter.
    """
    [finding] = clear_text(KafkaSettings(bootstrap_servers="localhost:1,kafka-1:9092,kafka-2:9092"))
    sasl = {"mechanism": "SCRAM-SHA-256", "username": "a", "password": "b"}
    settings = {"bootstrap_servers": "kafka-1:9092", "security": {"protocol": "SASL_PLAINTEXT", "sasl": sasl}}
    [other] = clear_text(KafkaSettings.model_validate(settings))

    assert finding.text.startswith("protocol PLAINTEXT to kafka-1, kafka-2 has no TLS")
    assert finding.text.endswith("use SSL or SASL_SSL")
    assert other.text.startswith("protocol SASL_PLAINTEXT to kafka-1 has no TLS")
    assert list(clear_text(KafkaSettings())) == []


def levels(found: list[Finding]) -> list[str]:
    return [f"{each.level}: {each.text}" for each in found]


def test_writers_are_named_by_topic() -> None:
    """
    One principal is as it should be; several, everybody, and nobody at all are not. Topics with the same share a line.
    """
    us, both = frozenset({"User:us"}), frozenset({"User:us", "User:them"})

    found = levels([*writers({"a": us, "b": both, "c": us, "d": frozenset({"User:*"}), "e": frozenset()})])

    assert found[0] == "ok: User:us alone may write to a, c, beside super users"
    assert found[1].startswith("warning: User:them, User:us may write to b: ")
    assert found[2].startswith("warning: User:* may write to d: ")
    assert found[3].startswith("warning: no ACL lets anybody write to e: ")


async def test_check_says_it_before_any_broker_answers() -> None:
    """
    In its own lines, beside the broker that is away; a wrong endpoint is refused with status 2.
    """
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
    overrides = ["--set", f"kafka.bootstrap_servers=127.0.0.1:{port},somewhere.invalid:9092"]
    settings = ["--set", f"provider.endpoint=http://127.0.0.1:{port}", "--set", "provider.proxy=none"]

    warned = await command("check", *overrides, *settings, environment=KEY)
    refused = await command("check", *overrides, "--set", "provider.endpoint=http://192.0.2.1:9092", environment=KEY)

    assert "protocol PLAINTEXT to somewhere.invalid has no TLS" in warned.output
    assert warned.status == 1
    assert refused.status == 2
    assert "set provider.allow_clear_text: true" in refused.output
