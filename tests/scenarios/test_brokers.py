"""Kafka goes away under a running service, and comes back: at the same address, or at another."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import orjson
import pytest

from tests.rig.kafka import KafkaCluster
from tests.rig.link import HOST, Link
from tests.rig.quick_provider.process import QuickProvider
from tests.rig.replica import Replica
from tests.rig.stage import Stage

pytestmark = pytest.mark.scenario

AWAY = 20.0  # seconds
NAMED_WITHIN = 5.0  # seconds
MOST_LINES = 40  # in that time; aiokafka alone wrote 69 a second
EVENTS = 120


@asynccontextmanager
async def moving(first: int) -> AsyncIterator[KafkaCluster]:
    """A broker that tells the clients of one listener that it is at port `first`."""
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    advertised = f"PLAINTEXT://{HOST}:{port},MOVING://{HOST}:{first}"
    async with KafkaCluster.start(
        1, port=port, listeners={"MOVING": "PLAINTEXT"}, properties={"advertised.listeners": advertised}
    ) as kafka:
        yield kafka


def advertise(kafka: KafkaCluster, old: int, new: int) -> None:
    """Change the address that the stopped broker will tell."""
    path = kafka.folder / "broker-1" / "server.properties"
    path.write_text(path.read_text().replace(f"MOVING://{HOST}:{old}", f"MOVING://{HOST}:{new}"))


@pytest.mark.parametrize("how", ["stops", "moves", "hangs"])
async def test_a_broker_that_is_away_is_named_and_found_again(tmp_path: Path, how: str) -> None:
    """
    Readiness names it within five seconds and does not blame the quota; the log tells it in few lines; work goes on by
    itself once it is back, also where no address that the service had learnt is right any more.
    """
    async with AsyncExitStack() as stack:
        bootstrap, first, second = [await stack.enter_async_context(Link.opened()) for _ in range(3)]
        async with moving(first.port) as kafka, QuickProvider.start(latency=0.1) as provider:
            for link in (bootstrap, first, second):
                link.target = kafka.bootstrap_servers_of("MOVING")
            stage = Stage(kafka, f"brokers-{how}")
            await stage.set_up()
            config = stage.config(
                provider.endpoint, kafka={"bootstrap_servers": f"{HOST}:{bootstrap.port}"}, quota={"qps": 20}
            )
            async with Replica.started(tmp_path, config) as replica:
                await stage.upload(EVENTS)
                await replica.until_metric("moderation_calls_billed_total", at_least=20)
                before = len(log_of(replica))
                if how == "hangs":
                    kafka.suspend_broker(1)
                else:
                    await kafka.stop_broker(1)
                gone = time.monotonic()
                await replica.until(lambda status, text: status == 503 and f"{HOST}:{bootstrap.port}" in text)
                named_after = time.monotonic() - gone
                await asyncio.sleep(AWAY - named_after)
                _, said = await replica.readiness()
                lines = log_of(replica)[before:]
                if how == "moves":
                    first.close()
                    advertise(kafka, first.port, second.port)
                if how == "hangs":
                    kafka.resume_broker(1)
                else:
                    await kafka.start_broker(1)
                ids = await stage.until(lambda ids: len(set(ids)) >= EVENTS)
                await replica.ready()
                replica.terminate()
                status = await replica.ended()
            asked = Counter(arrival.data_id for arrival in await provider.arrivals())

    print(f"named after {named_after:.1f} s, {len(lines)} lines: {Counter(line['event'] for line in lines)}; {said!r}")
    assert named_after <= NAMED_WITHIN
    assert "quota" not in said
    assert "does not exist" not in said
    assert len(lines) <= MOST_LINES
    assert {"kafka.unreachable", "readiness.lost"} <= {line["event"] for line in lines}
    assert all(line["group"] == stage.name and line["replica"] for line in lines)
    assert len(ids) == len(set(ids)) == EVENTS
    assert set(asked.values()) == {1}
    assert status == 0


async def test_an_advertised_address_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    """
    Though the bootstrap server answers; the quota is not blamed for it.
    """
    async with AsyncExitStack() as stack:
        bootstrap, first, nowhere = [await stack.enter_async_context(Link.opened()) for _ in range(3)]
        nowhere.close()
        async with moving(first.port) as kafka, QuickProvider.start(latency=0.1) as provider:
            bootstrap.target = first.target = kafka.bootstrap_servers_of("MOVING")
            stage = Stage(kafka, "advertised")
            await stage.set_up()
            config = stage.config(provider.endpoint, kafka={"bootstrap_servers": f"{HOST}:{bootstrap.port}"})
            async with Replica.started(tmp_path, config) as replica:
                await replica.ready()
                await kafka.stop_broker(1)
                first.close()
                advertise(kafka, first.port, nowhere.port)
                await kafka.start_broker(1)
                await replica.until(lambda _, text: f"{HOST}:{nowhere.port}: " in text)
                _, said = await replica.readiness()
                replica.terminate()
                await replica.ended()

    assert "advertised.listeners" in said
    assert "quota" not in said
    assert "does not exist" not in said


def log_of(replica: Replica) -> list[dict[str, object]]:
    """The lines that the service has written."""
    return [orjson.loads(line) for line in replica.log.read_bytes().splitlines()]
