"""Loops that last as long as their service: one that ends by itself is noticed, and stops it."""

import ast
import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from consumer import background
from consumer.app import open_service
from consumer.background import LoopEnded, Loops
from consumer.clock import SystemClock
from consumer.config.credentials import load_credentials
from consumer.config.loading import load_config
from consumer.emulator import EmulatorSettings, running
from consumer.journal.signatures import Keyring
from consumer.policy.schema import load_policy
from consumer.service import Service
from tests.rig.embedded import BrokerProcess
from tests.rig.emulated import KEY
from tests.rig.replica import ROOT

CONSUMER = ROOT / "consumer"
LOOPS = sorted(
    name
    for path in CONSUMER.rglob("*.py")
    for name in re.findall(r'background\.running\(.*?, "([^"]+)"', path.read_text())
)
OF_FEEDBACK = {"following people's decisions", "feedback"}
"""The others are the service's."""

OWNED = {
    "alibaba/scan/batched.py": 1,  # a call, whose end each of its images is told
    "background.py": 2,  # those of this page
    "clock.py": 1,  # what `ends_within` gives its time
    "deadline/provisional.py": 1,  # one verdict each, in `_sending`
    "feedback/ledger.py": 1,  # what is being sent, which its follower waits for, at a stop and a rebalance too
    "intake/committer.py": 3,  # one commit each: its errors are caught, and whoever asked for it waits
    "journal/reader.py": 1,  # the start of a client, which its reader waits for
    "kafka/security.py": 1,  # probes, which are waited for
    "service.py": 5,  # `run` waits for reader and starter, `_carry` hands every error on, `drain` waits
}
"""Tasks that are made by hand, by module, and who hears of their end. Commands and the emulator are no services."""


def test_every_task_of_a_service_has_an_owner() -> None:
    """
    A loop that is made by hand could end without anybody hearing of it: it is made by `background`, or stands above.
    """
    made = {
        str(path.relative_to(CONSUMER)): sum(
            isinstance(node, ast.Attribute) and node.attr in ("create_task", "TaskGroup")
            for node in ast.walk(ast.parse(path.read_text()))
        )
        for path in CONSUMER.rglob("*.py")
        if path.relative_to(CONSUMER).parts[0] not in ("commands", "demo", "emulator")
    }
    feedback = (CONSUMER / "commands" / "feedback").glob("*.py")

    assert {name: tasks for name, tasks in made.items() if tasks} == OWNED
    assert [path.name for path in feedback if "create_task" in path.read_text()] == []


async def forever() -> None:
    await asyncio.Event().wait()


async def returns() -> None:
    pass


async def fails() -> None:
    raise KeyError("x")


@pytest.mark.parametrize(
    ("loop", "why"),
    [(returns, "it returned"), (fails, "KeyError"), (forever, "CancelledError")],
    ids=["returns", "fails", "is cancelled"],
)
async def test_a_loop_that_ends_by_itself_is_told(loop: Any, why: str) -> None:
    """
    However it ends: to the service, at once or once there is one, and in readiness.
    """
    loops, told = Loops(), asyncio.Event()
    background.own(loops)
    stopped: list[Exception] = []

    def stop(error: Exception) -> None:
        stopped.append(error)
        told.set()

    loops.stop_by(stop)
    async with background.running(loop(), "a loop"):
        for each in asyncio.all_tasks():
            if loop is forever and each.get_name() == "a loop":
                each.cancel()
        await told.wait()
    late: list[Exception] = []
    loops.stop_by(late.append)

    assert [str(each) for each in stopped] == [f"a loop: {why}"]
    assert late == stopped
    assert loops.reasons_not_ready() == [
        f"internal: a loop has ended (a loop: {why}): the service stops, and must be started again"
    ]


async def test_a_loop_that_its_owner_ends_is_not() -> None:
    """
    Nor what may return or be cancelled.
    """
    loops = Loops()
    background.own(loops)
    async with background.running(forever(), "a loop"):
        await asyncio.sleep(0)
    await background.started(returns(), "a task")
    cancelled = background.started(forever(), "another")
    cancelled.cancel()
    await asyncio.wait([cancelled])
    assert loops.reasons_not_ready() == []

    failed = background.started(fails(), "a third")
    await asyncio.wait([failed])
    await asyncio.sleep(0)
    assert loops.reasons_not_ready() != []


async def test_without_a_service_the_event_loop_is_told() -> None:
    """
    As in a command.
    """
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))

    await asyncio.wait([background.started(fails(), "a task")])
    await asyncio.sleep(0)

    assert [(each["message"], type(each["exception"])) for each in heard] == [
        ("the loop of a task has ended", KeyError)
    ]


@asynccontextmanager
async def service(folder: Path) -> AsyncIterator[tuple[Service, str]]:
    """One with everything that has a loop switched on, and where its probes are."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "outcomes.key").write_bytes(b"k" * 32)
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(BrokerProcess())
        emulator = await stack.enter_async_context(running(EmulatorSettings(qps=1_000, scan_images=1_000)))
        file = folder / "consumer.yaml"
        settings = {
            "policy": {"file": str(ROOT / "config" / "policy.yaml"), "reload": 5},
            "kafka": {"bootstrap_servers": broker.bootstrap_servers},
            "provider": {"endpoint": emulator.url, "api": "scan-1.0"},
            "quota": {"qps": 100},
            "identity": {"keys": {"k1": "outcomes.key"}, "sign": "k1"},
            "scan": {"mode": "async", "scenes": ["porn"]},
            "canaries": {"images": [{"name": "bad", "expect": "clean", "url": f"{emulator.url}/images/a.png"}]},
            "deadline": {"default": "30s"},
            "health": {"host": "127.0.0.1", "port": port, "metrics_port": 0},
        }
        file.write_text(yaml.safe_dump(settings))
        config = load_config(file, {}, [])
        policy = load_policy(config.policies.file, only=config.provider.only_service)
        keyring = Keyring({"k1": b"k" * 32}, "k1")
        credentials = load_credentials(KEY, config.provider)
        yield (
            await stack.enter_async_context(
                open_service(config, policy, credentials, keyring, {}, SystemClock())
            ),
            f"http://127.0.0.1:{port}/readyz",
        )  # fmt: skip


async def test_a_loop_that_a_stop_cancels_has_met_no_bug() -> None:
    """
    A stop cancels what waits to depart, in a loop too: only an error is told then.
    """
    loops, told = Loops(), list[Exception]()
    background.own(loops)
    loops.stop_by(told.append)
    background.stops()

    async with background.running(forever(), "waits"), background.running(fails(), "fails"):
        [waiting] = [each for each in asyncio.all_tasks() if each.get_name() == "waits"]
        waiting.cancel()
        await asyncio.wait([waiting])
        await asyncio.sleep(0)

    assert [str(each) for each in told] == ["fails: KeyError"]


@pytest.mark.parametrize("name", sorted(set(LOOPS) - OF_FEEDBACK))
async def test_a_service_whose_loop_has_ended_says_so_and_stops(name: str, tmp_path: Path) -> None:
    """
    Each of its loops: `/readyz` names it, and what runs the service hears of an error.
    """
    async with service(tmp_path) as (made, readyz), httpx.AsyncClient(trust_env=False) as client:
        ran = asyncio.create_task(made.run(asyncio.Event()))
        [loop] = [each for each in asyncio.all_tasks() if each.get_name() == name]
        loop.cancel()
        with pytest.raises(LoopEnded, match=re.escape(name)):
            await asyncio.wait_for(ran, 30)
        answer = await client.get(readyz)

    assert answer.status_code == 503
    assert f"internal: a loop has ended ({name}: CancelledError): the service stops" in answer.text
