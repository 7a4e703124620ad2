"""Images that share calls, through the service's own layers, against the emulator: by its own count nothing is lost."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import pytest

from consumer.alibaba.scan.open_scans import WrittenTasks
from consumer.clock import SystemClock
from consumer.config import Config
from consumer.dispatch.in_flight import InFlight
from consumer.emulator import Emulator, Fault, running
from consumer.http.transport import open_transport
from consumer.journal.tasks import KnownTasks, Task
from consumer.keys import FixedKeys
from consumer.layers import layers
from consumer.locations import ByObject
from consumer.moderation import CallContext
from consumer.moderation.assess import Assessing
from consumer.observability import metrics
from consumer.policy.in_force import InForce, ReadyPolicy
from consumer.policy.schema import Policy, PolicySettings, asked_by
from consumer.records import Assessment
from consumer.tracing import Untraced
from consumer.vendor_facts.scan import ONLY_SERVICE
from tests.alibaba.scan.test_client import ASKING, KEY, SETTINGS
from tests.moderation.requests import GivenShares
from tests.rig.events import delivery, submission

QPS, TASKS = 40, 8
LEVELS = {"red": "high", "yellow": "medium", "white": "none"}
COLOURS = list(LEVELS)


@dataclass
class Account:
    """An emulated one, that takes no more images in a second than its quota, and the layers that ask it."""

    emulator: Emulator
    assessing: Assessing
    written: list[Task]

    async def assess(self, names: Sequence[str]) -> list[Assessment]:
        """What becomes of these images, which are there at once."""
        images = [
            replace(submission(delivery(offset=offset)), location=ByObject("ugc", name, None))
            for offset, name in enumerate(names)
        ]
        async with asyncio.timeout(30):
            return await asyncio.gather(*map(self.assessing.assess, images))

    @property
    def calls(self) -> list[int]:
        """How many images each scan was about."""
        return [len(call.tasks) for call in self.emulator.calls if str(call.action).endswith("Scan")]


@asynccontextmanager
async def account(mode: str, tasks_per_call: int = TASKS) -> AsyncIterator[Account]:
    clock, written = SystemClock(), list[Task]()

    async def record(task: Task, _call: CallContext) -> None:
        written.append(task)

    settings = SETTINGS.model_copy(update={"scan_images": QPS, "latency": 0.02})
    async with running(settings) as emulator, open_transport(16) as transport:
        scan = {"scenes": ASKING.scenes, "mode": mode, "tasks_per_call": tasks_per_call, "poll_interval": 0.1}
        config = Config.model_validate(
            {
                "provider": {"api": "scan-1.0", "endpoint": emulator.url},
                "quota": {"qps": QPS, "burst": 0.2},
                "scan": scan,
                "retries": {"first_delay": 0.01},
            }
        )
        provider = layers(
            config, FixedKeys(KEY), transport, clock, Untraced(), GivenShares(config.calls_by_lane), InFlight(clock),
            lambda *_: True, calls=lambda: 1,
            written=WrittenTasks(KnownTasks(), record) if mode == "async" else None,
        )  # fmt: skip
        policy = asked_by(ONLY_SERVICE, PolicySettings(policy="one", version=1))
        ready = InForce(ReadyPolicy(Policy(settings=policy, sha256="0"))).ready
        here = Account(emulator, Assessing(provider.moderator, ready), written)
        if provider.open_scans is None:
            yield here
        else:
            async with provider.open_scans.running():
                yield here


@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_images_that_share_calls_are_judged_each_by_itself_and_within_the_quota(mode: str) -> None:
    """
    Two and a half seconds of images: none is throttled, each has its own answer, and billed are images × scenes.
    """
    names = [COLOURS[number % 3] for number in range(100)]

    async with account(mode) as here:
        found = await here.assess(names)
        billed = here.emulator.stats()["billed"]

    assert [each.answers[0].risk_level for each in found] == [LEVELS[name] for name in names]
    assert sum(here.calls) == 100
    assert max(here.calls) == TASKS
    assert len(here.calls) < 50
    assert billed == sum(each.billed_calls for each in found) == 100 * len(ASKING.scenes)
    if mode == "async":
        assert len({task.id for task in here.written}) == len(here.written) == 100
        assert len({task.question.submission for task in here.written}) == 100


async def test_one_task_a_call_is_what_there_is_unless_it_is_asked_for() -> None:
    """
    Each image has a call of its own.
    """
    async with account("sync", tasks_per_call=1) as here:
        await here.assess(["white"] * 12)

    assert here.calls == [1] * 12


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        *product(("sync", "async"), ("missing", "twice", "of_another", "unnamed")),
        ("sync", "unknown_suggestion"),  # what is only submitted has no suggestion yet
    ],
)
async def test_an_answer_that_is_wrong_about_one_image_is_malformed_for_it_alone(mode: str, kind: str) -> None:
    """
    It was billed, and counted so. The others of its call are answered.
    """
    async with account(mode) as here:
        here.emulator.faults.add(
            Fault.model_validate({"match": {"object": "red"}, "what": {"entry": kind}, "times": 1})
        )
        found = await here.assess(["white", "red", "yellow", "white", "white"])
        await asyncio.sleep(0)
        assert not here.emulator.faults.unfired()

    assert [[answer.risk_level for answer in each.answers] for each in found] == [
        ["none"], [], ["medium"], ["none"], ["none"],
    ]  # fmt: skip
    [failure] = found[1].failures
    assert failure.kind == "malformed"
    assert sum(each.billed_calls for each in found) == 5 * len(ASKING.scenes)
    assert sum(here.calls) == 5


@pytest.mark.parametrize(
    ("what", "billed"),
    [
        ({"task_code": 500}, 5), ({"task_code": 588}, 5), ({"code": 500}, 5), ({"code": 588}, 5),
        ({"code": 400}, 5), ({"code": 592}, 5), ({"gateway_code": "ServiceUnavailable", "http_status": 503}, 5),
        ({"throttle": {"retry_after": 0.05}}, 5), ({"drop": "before_reading"}, 5), ({"drop": "after_judging"}, 10),
    ],
)  # fmt: skip
async def test_a_call_that_fails_once_loses_no_image_and_sends_none_to_review(
    what: dict[str, Any], billed: int
) -> None:
    """
    Each is asked about again, as it would have been alone; what may have been billed is counted as billed.
    """
    counted = metrics.Metrics()
    metrics.count_in(counted)
    async with account("sync") as here:
        await here.assess(["white"])  # so that a refusal is not the configuration's
        match = {"match": {"object": "red"}} if "task_code" in what else {}
        here.emulator.faults.add(Fault.model_validate({**match, "what": what, "times": 1}))
        found = await here.assess(["white", "red", "yellow", "white", "white"])
        charged = here.emulator.stats()["billed"]
        assert not here.emulator.faults.unfired()

    assert [each.answers[0].risk_level for each in found] == ["none", "high", "medium", "none", "none"]
    assert charged == (1 + billed) * len(ASKING.scenes)
    certain, maybe = (
        counted.registry.get_sample_value(f"moderation_calls_{name}_total") or 0 for name in ("billed", "maybe_billed")
    )
    assert certain <= charged <= certain + maybe
    assert maybe == (5 * len(ASKING.scenes) if "drop" in what else 0)


async def test_an_image_that_cannot_be_judged_spoils_no_other() -> None:
    """
    What is no image has its own failure.
    """
    async with account("sync") as here:
        found = await here.assess(["white", "broken", "red", "broken", "yellow"])

    assert [[answer.risk_level for answer in each.answers] for each in found] == [
        ["none"], [], ["high"], [], ["medium"],
    ]  # fmt: skip
    assert [failure.kind for each in found for failure in each.failures] == ["image", "image"]
