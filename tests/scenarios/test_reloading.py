"""Policies are swapped in a mounted configuration map while images are in flight, on a real Kafka."""

import asyncio
import itertools
import os
import signal
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from consumer.emulator import Emulator
from tests.rig.config_maps import ConfigMap
from tests.rig.emulated import KEY, emulated, event_of
from tests.rig.kafka import publish
from tests.rig.outcomes import DECISIONS
from tests.rig.replica import Replica
from tests.rig.stage import Stage

BASELINE, AIGC = "baselineCheck_global", "aigcDetector_global"
PORTION, QPS = 40, 20
IMAGES = 7 * PORTION
SLACK = 0.1  # seconds between a departure, which the service notes, and its arrival, which the provider does

SERVICES = {2: [BASELINE], 3: [BASELINE, AIGC], 5: [AIGC], 6: [BASELINE]}
TESTS = """
- {{name: nothing found, answer: {{RiskLevel: none, Result: [{{Label: nonLabel}}]}}, decision: {decision}}}
"""


def policy(version: int, services: Sequence[str], none: str = "pass") -> str:
    return orjson.dumps(
        {"policy": "reloaded", "version": version, "services": services, "route": {"none": none}}
    ).decode()


@dataclass
class Swapping:
    """A replica whose policy is in a configuration map, and what it did, by its log and by the provider's."""

    replica: Replica
    mounted: ConfigMap
    emulator: Emulator
    stage: Stage
    left: list[str]
    put: list[int] = field(default_factory=list)

    async def upload(self) -> None:
        """Publish the next uploads."""
        some, self.left[:] = self.left[:PORTION], self.left[PORTION:]
        first = IMAGES - len(self.left) - len(some)
        events = [event_of(number, name) for number, name in enumerate(some, first)]
        await publish(self.stage.kafka.bootstrap_servers, self.stage.uploads, events)

    async def swap(self, version: int) -> None:
        """
        Have a policy of this version take effect, with uploads in flight, and others for it alone, however long that
        takes. Odd ones review what nothing is found in.
        """
        await self.upload()
        none = "review" if version % 2 else "pass"
        self.mounted.put(
            policy_yaml=policy(version, SERVICES[version], none), policy_tests_yaml=TESTS.format(decision=none)
        )
        async with asyncio.timeout(20):
            while [each["version"] for each in self.events("policy.in_force")][-1:] != [version]:
                await asyncio.sleep(0.05)
        await self.upload()

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = (line for line in self.replica.log.read_text().splitlines() if line.startswith("{"))
        return [event for event in map(orjson.loads, lines) if event["event"] == name]

    def in_force_at(self, moment: float) -> set[str]:
        """The digest of the policy in force; of two where one took the other's place just then."""
        began = [(datetime.fromisoformat(each["time"]).timestamp(), each["sha256"]) for each in
                 self.events("policy.in_force")]  # fmt: skip
        ends = [*(when for when, _ in began[1:]), float("inf")]
        return {sha256 for (when, sha256), end in zip(began, ends, strict=True)
                if when - SLACK <= moment <= end + SLACK}  # fmt: skip

    def calls(self) -> Mapping[str, list[tuple[float, str]]]:
        """By image: when which service was asked."""
        calls: dict[str, list[tuple[float, str]]] = defaultdict(list)
        for call in self.emulator.calls:
            if call.data_id is not None and call.service is not None:
                calls[call.data_id].append((call.arrival, call.service))
        return calls


@pytest.mark.scenario
@pytest.mark.kafka
async def test_each_image_is_asked_about_and_decided_by_one_policy(tmp_path: Path, stage: Stage) -> None:
    """
    While images are in flight at 20 calls a second the policy is swapped three times, each time for other services, and
    once for a broken one, which changes nothing but a warning. Each verdict names the policy that was in force when the
    image's first call departed, was asked what this one asks, and says what it decides; no call is made for another. A
    signal has the files looked at at once.
    """
    names = [f"{number}.png" for number in range(IMAGES)]
    mounted = ConfigMap(tmp_path / "mounted")
    mounted.put(policy_yaml=policy(2, SERVICES[2]), policy_tests_yaml=TESTS.format(decision="pass"))
    files = {"file": str(mounted.folder / "policy.yaml"), "tests": str(mounted.folder / "policy.tests.yaml")}
    async with emulated(names, latency=0.4) as emulator:
        config = stage.config(emulator.url, quota={"qps": QPS}, policy={**files, "reload": 1})
        async with Replica.started(tmp_path, config, environment=KEY) as replica:
            swapping = Swapping(replica, mounted, emulator, stage, list(names))
            await swapping.upload()
            await replica.until_metric("moderation_verdicts_total", at_least=10)
            await swapping.swap(3)
            await asyncio.sleep(1.0)  # some images by this one
            mounted.put(policy_yaml=policy(4, [AIGC], "ignore"), policy_tests_yaml="[]")
            await replica.until(lambda status, text: status == 200 and "\nwarning: policy: " in text)
            refused = await replica.metric("moderation_policy_reload_failed")
            (told,) = swapping.events("policy.refused")
            await swapping.swap(5)
            mended = await replica.readiness()
            await asyncio.sleep(1.0)
            os.kill(replica.pid, signal.SIGHUP)
            await swapping.swap(6)
            await stage.until(lambda ids: len(set(ids)) == IMAGES)
            in_force = {
                sample.labels["version"]: sample.value
                for sample in await replica.samples()
                if sample.name == "moderation_policy_info"
            }
            replica.terminate()
            assert await replica.ended() == 0
            outcomes = await stage.outcomes()
            calls = swapping.calls()

    verdicts = list(itertools.chain.from_iterable(outcomes[decision] for decision in DECISIONS))
    by_version = Counter(verdict["policy"]["version"] for verdict in verdicts)
    assert len(verdicts) == IMAGES
    assert set(by_version) == set(SERVICES)
    for verdict in verdicts:
        made, version = sorted(calls[verdict["verdict_id"]]), verdict["policy"]["version"]
        assert verdict["policy"]["sha256"] in swapping.in_force_at(made[0][0])
        assert verdict["asked"]["services"] == [service for _, service in made] == SERVICES[version]
        assert verdict["decision"] == ("review" if version % 2 else "pass")
        assert verdict["decided_by"] == "policy"
    assert (refused, mended) == (1, (200, "ok\n"))
    assert (told["version"], told["level"]) == (3, "error")
    assert in_force == {"2": 0, "3": 0, "5": 0, "6": 1}
