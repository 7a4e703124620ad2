"""
An account's quota among several users, by the provider's arrival log: `python -m bench.account replicas|guest|naive`.

    replicas   four replicas of the service: left alone, restarted one by one, joining and leaving every three seconds
    guest      somebody else takes 30 % of the account without notice, and stops again
    naive      a fixed window and a token bucket beside this service's pace
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from bench.events import upload_events
from bench.naive import LIMITERS, call, call_in_crowds
from consumer.config.kafka import KafkaSettings
from tests.rig.kafka import DownloadFailed, KafkaCluster, StartFailed, ToolMissing, publish
from tests.rig.quick_provider.log import Arrival
from tests.rig.quick_provider.process import QuickProvider
from tests.rig.replica import Replica
from tests.rig.stage import Stage
from tests.rig.windows import busiest_window, windows_over

QUOTA = 100
LATENCY = 0.3  # seconds
REPLICAS = 4
PARTITIONS = 12  # shares of a replica differ by no more than a part of what it has
SETTLES = 10.0  # seconds from the start of the replicas until figures count
GUEST_PART = 0.3
RECOVERED = 0.95  # of the quota, in a second


class Phase(NamedTuple):
    """A stretch of a run whose figures are given apart; epoch seconds."""

    name: str
    begins: float
    ends: float


class Fleet:
    """Replicas of the service that can be started and stopped one by one."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self._folder = folder
        self._config = config
        self._running: dict[int, AsyncExitStack] = {}
        self._replicas: dict[int, Replica] = {}
        self._names = 0

    async def start(self, number: int) -> None:
        """Start one, and do not wait until it is ready."""
        stack, self._names = AsyncExitStack(), self._names + 1
        started = Replica.started(self._folder, self._config, name=f"replica-{self._names}")
        self._replicas[number] = await stack.enter_async_context(started)
        self._running[number] = stack

    async def stop(self, number: int) -> None:
        """Send SIGTERM to one, and wait until it has ended."""
        replica, stack = self._replicas.pop(number), self._running.pop(number)
        async with stack:
            replica.terminate()
            await replica.ended()

    async def toggle(self, number: int) -> None:
        """Stop it if it runs, start it if it does not."""
        await (self.stop(number) if number in self._running else self.start(number))

    async def ready(self) -> None:
        """Return when all of them are members of the group."""
        await asyncio.gather(*(replica.ready() for replica in self._replicas.values()))

    async def kill_all(self) -> None:
        """End what still runs."""
        for stack in self._running.values():
            await stack.aclose()


@asynccontextmanager
async def fleet_of(replicas: int, config: Mapping[str, Any]) -> AsyncIterator[Fleet]:
    """Have so many replicas ready; what is left of them ends with the context."""
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder), config)
        try:
            for number in range(replicas):
                await fleet.start(number)
            await fleet.ready()
            yield fleet
        finally:
            await fleet.kill_all()


async def timed(name: str, work: Awaitable[object]) -> Phase:
    """Return when the work began and ended."""
    began = time.time()
    await work
    return Phase(name, began, time.time())


def of_phase(arrivals: Sequence[Arrival], phase: Phase) -> list[Arrival]:
    """Return the calls that came in a phase."""
    return [arrival for arrival in arrivals if phase.begins <= arrival.at < phase.ends]


def figures(arrivals: Sequence[Arrival], phase: Phase, quota: int, lag: float) -> str:
    """Tell the busiest second and the mean use; stamps are late by `lag` at most, so a window is shorter by that."""
    at = [arrival.at for arrival in of_phase(arrivals, phase)]
    use = len(at) / (phase.ends - phase.begins) / quota
    return (
        f"{phase.name:20} {len(at):6} calls, use {use:.3f} Q, busiest sliding second {busiest_window(at)} "
        f"({busiest_window(at, 1.0 - lag)} in {1 - lag:.3f} s), windows over Q {windows_over(at, quota, 1.0 - lag)}"
    )


async def replicas(shipped: bool) -> None:
    """Four replicas in one group: left alone, restarted one by one, and in a storm."""
    async with KafkaCluster.start(brokers=1) as kafka, QuickProvider.start(latency=LATENCY) as provider:
        config = await prepared(Stage(kafka, "account-replicas"), provider.endpoint, seconds=200)
        if shipped:
            config["kafka"] |= {
                name: getattr(KafkaSettings(), name) for name in ("session_timeout", "heartbeat_interval")
            }
        async with fleet_of(REPLICAS, config) as fleet:
            await asyncio.sleep(SETTLES)
            phases = [await timed("left alone", asyncio.sleep(20))]
            phases.append(await timed("rolling restart", _restart_all(fleet)))
            phases.append(await timed("settles", asyncio.sleep(SETTLES)))
            phases.append(await timed("storm", _storm(fleet, seconds=60)))
        arrivals, lag = await provider.arrivals(), (await provider.stats())["worst_lag"]
    for phase in phases:
        print(figures(arrivals, phase, QUOTA, lag))


async def _restart_all(fleet: Fleet) -> None:
    for number in range(REPLICAS):
        await fleet.stop(number)
        await fleet.start(number)
        await fleet.ready()


async def _storm(fleet: Fleet, seconds: float) -> None:
    ends, toggling = time.monotonic() + seconds, set[asyncio.Task[None]]()
    for number in cycle(range(1, REPLICAS)):  # the first stays, so that there is always one
        if time.monotonic() >= ends:
            break
        if not any(task.get_name() == str(number) for task in toggling if not task.done()):
            toggling.add(asyncio.create_task(fleet.toggle(number), name=str(number)))
        await asyncio.sleep(3.0)
    await asyncio.gather(*toggling)


async def guest(shipped: bool) -> None:
    """Somebody else takes a part of the account for a minute; the provider throttles what is over the quota."""
    async with KafkaCluster.start(brokers=1) as kafka, QuickProvider.start(latency=LATENCY, qps=QUOTA) as provider:
        config = await prepared(Stage(kafka, "account-guest"), provider.endpoint, seconds=140)
        async with fleet_of(1, config):
            await asyncio.sleep(SETTLES)
            alone = await timed("alone", asyncio.sleep(15))
            shared = await timed("with a guest", _call_steadily(provider.endpoint, QUOTA * GUEST_PART, seconds=60))
            after = await timed("after", asyncio.sleep(20))
        arrivals = await provider.arrivals()
    ours = [arrival for arrival in arrivals if not arrival.data_id.startswith("guest")]
    for phase, left in ((alone, QUOTA), (shared, QUOTA * (1 - GUEST_PART)), (after, QUOTA)):
        seconds, calls = phase.ends - phase.begins, of_phase(ours, phase)
        answered = sum(arrival.code == 200 for arrival in calls)
        throttled = len(calls) - answered
        print(
            f"{phase.name:14} throttled {throttled / seconds * 60:.0f} a minute, "
            f"answered {answered / seconds:.1f}/s = {answered / seconds / left:.3f} of what is left"
        )
    print(f"back at {RECOVERED} Q after {recovery(of_phase(ours, after), after.begins)} s")


def recovery(arrivals: Sequence[Arrival], since: float) -> int | None:
    """Return the first whole second since then that holds nearly the quota."""
    at = [arrival.at - since for arrival in arrivals if arrival.code == 200]
    return next((n for n in range(20) if sum(n <= each < n + 1 for each in at) >= RECOVERED * QUOTA), None)


async def _call_steadily(endpoint: str, rate: float, seconds: float) -> None:
    began, calls = time.monotonic(), []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            calls.append(asyncio.create_task(call(session, endpoint, f"guest-{number}")))
        await asyncio.gather(*calls)


async def naive(shipped: bool) -> None:
    """The limiters in turn, on the same provider."""
    async with QuickProvider.start(latency=0.05) as provider:
        for name, limiter in LIMITERS.items():
            await provider.clear()
            await call_in_crowds(provider.endpoint, limiter(QUOTA), QUOTA, crowds=8)
            at = [arrival.at for arrival in await provider.arrivals()]
            print(f"{name:14} {len(at)} calls, worst sliding second {busiest_window(at)} at Q = {QUOTA}")


async def prepared(stage: Stage, endpoint: str, *, seconds: int) -> dict[str, Any]:
    """Make the topics, publish a backlog that lasts so long, and return the configuration of a replica."""
    await stage.set_up(PARTITIONS)
    await publish(stage.kafka.bootstrap_servers, stage.uploads, upload_events(QUOTA * seconds))
    return stage.config(endpoint, quota={"qps": QUOTA})


COMMANDS: Mapping[str, Callable[[bool], Coroutine[Any, Any, None]]] = {
    "replicas": replicas,
    "guest": guest,
    "naive": naive,
}


def main() -> None:
    """Parse the command line and run one measurement."""
    parser = argparse.ArgumentParser(prog="python -m bench.account", description="An account's quota, shared")
    parser.add_argument("what", choices=COMMANDS)
    parser.add_argument(
        "--shipped", action="store_true", help="replicas: with the shipped session timeout and heartbeat interval"
    )
    options = parser.parse_args()
    try:
        asyncio.run(COMMANDS[options.what](options.shipped))
    except (ToolMissing, DownloadFailed, StartFailed) as fault:
        sys.exit(str(fault))


if __name__ == "__main__":
    main()
