"""Two services in one process, each with a broker of its own."""

import asyncio
import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
from pydantic import SecretStr

from consumer.app import open_service
from consumer.clock import SystemClock
from consumer.config.credentials import Credentials
from consumer.config.loading import load_config
from consumer.emulator import EmulatorSettings, running
from consumer.journal.signatures import Keyring
from consumer.policy.schema import Policy, PolicySettings, load_policy
from tests.rig.embedded import BrokerProcess
from tests.rig.events import upload
from tests.rig.kafka.records import NewRecord, publish

POLICY = load_policy(Path(__file__).parent.parent.parent / "config" / "policy.yaml")
KEY = Credentials(access_key_id="key-id", access_key_secret=SecretStr("key-secret"))


async def figures_of_a_service(images: int, port: int, policy: Policy = POLICY) -> Mapping[str, float]:
    """Run a service until it has judged so many images, and return what its own page counts then."""
    account = EmulatorSettings(access_key_id="key-id", access_key_secret=SecretStr("key-secret"), port=0)
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(BrokerProcess())
        emulator = await stack.enter_async_context(running(account))
        changes = {
            "kafka.bootstrap_servers": broker.bootstrap_servers,
            "provider.endpoint": emulator.url,
            "health.host": "127.0.0.1",
            "health.port": "0",
            "health.metrics_port": str(port),
        }
        config = load_config(None, {}, [f"{name}={value}" for name, value in changes.items()])
        records = [NewRecord(upload(str(n), f"{emulator.url}/images/{n}.png")) for n in range(images)]
        await publish(broker.bootstrap_servers, "uploads", records)
        service = await stack.enter_async_context(open_service(config, policy, KEY, Keyring({}), {}, SystemClock()))
        stop = asyncio.Event()
        running_service = asyncio.create_task(service.run(stop))
        try:
            async with asyncio.timeout(40), httpx.AsyncClient(trust_env=False) as client:
                while True:
                    page = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
                    told = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
                    verdicts = {name: float(value) for name, value in told.items() if "verdicts_total{" in name}
                    if sum(verdicts.values()) >= images:
                        return {name: float(value) for name, value in told.items()}
                    await asyncio.sleep(0.1)
        finally:
            stop.set()
            await running_service


async def test_two_services_in_one_process_do_not_count_together() -> None:
    """
    Each one's page counts its own images, calls and messages, and nothing of the other's.
    """
    with socket.create_server(("127.0.0.1", 0)) as a, socket.create_server(("127.0.0.1", 0)) as b:
        ports = [each.getsockname()[1] for each in (a, b)]

    one, other = await asyncio.gather(figures_of_a_service(2, ports[0]), figures_of_a_service(5, ports[1]))

    assert sum(value for name, value in one.items() if name.startswith("moderation_verdicts_total{")) == 2
    assert sum(value for name, value in other.items() if name.startswith("moderation_verdicts_total{")) == 5
    assert (one["moderation_submissions_total"], other["moderation_submissions_total"]) == (2, 5)
    assert "process_resident_memory_bytes" in one


async def test_a_policy_in_shadow_costs_no_call_and_is_counted() -> None:
    """
    One that would ask two services and block what cannot be fetched: no more calls are sent than without it, and each
    image goes to review.
    """
    candidate = PolicySettings.model_validate(
        {
            "policy": "next", "version": 2, "services": ["baselineCheck_global", "aigcDetector_global"],
            "on_error": {"fetch": "block"},
        }
    )  # fmt: skip
    policy = POLICY.model_copy(update={"shadow": Policy(settings=candidate, sha256="cd")})
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [each.getsockname()[1] for each in (one, other)]

    watched, alone = await asyncio.gather(figures_of_a_service(3, ports[0], policy), figures_of_a_service(3, ports[1]))

    verdicts = 'moderation_verdicts_total{decided_by="fallback",decision="review"}'
    calls = 'moderation_call_failures_total{kind="fetch"}'
    disagreements = 'moderation_shadow_disagreements_total{decision="block",instead_of="review",rule=""}'
    assert (watched[verdicts], watched[calls], watched[disagreements]) == (3, alone[calls], 3)
    assert disagreements not in alone
