"""A policy's files on a real file system, read while they change as people, tools and Kubernetes change them."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from consumer.config import PolicyFiles
from consumer.errors import Misconfigured
from consumer.policy.in_force import InForce, ReadyPolicy
from consumer.policy_files.loading import load_policies, policy_of
from consumer.policy_files.reading import LARGEST, read_all
from consumer.policy_files.watching import PATIENCE, SETTLED, PolicyWatch, announce
from tests.rig.clock import ManualClock
from tests.rig.config_maps import ConfigMap
from tests.rig.ready_policies import policy

Result = TypeVar("Result")

IN_SINGAPORE = partial(policy_of, regions=["ap-southeast-1"])
SWIMWEAR = """
- name: swimwear
  answer: {RiskLevel: high, Result: [{Label: sexual_femaleUnderwear, Confidence: 91, RiskLevel: high}]}
  decision: DECISION
"""


def text(version: int, then: str = "review", *more: str) -> str:
    """A policy that leads to this for swimwear."""
    rule = f"rules: [{{id: swimwear, match: {{label: [sexual_femaleUnderwear]}}, then: {then}}}]"
    return "\n".join([f"policy: shop\nversion: {version}", rule, *more, ""])


def fixtures(decision: str) -> str:
    return SWIMWEAR.replace("DECISION", decision)


@dataclass
class Watched:
    """Files that are watched, from version 1 on; `edits` are made before each reading, the first of them first."""

    folder: Path
    has_tests: bool = False
    has_shadow: bool = False
    edits: list[Callable[[], object]] = field(default_factory=list)
    clock: ManualClock = field(default_factory=lambda: ManualClock(1_764_000_000.0))
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        named = {"tests": self.has_tests, "shadow": self.has_shadow}
        beside = {name: self.folder / f"{name}.yaml" for name, is_there in named.items() if is_there}
        self.files = PolicyFiles.model_validate({"file": self.folder / "policy.yaml", **beside})
        self.in_force = InForce(ReadyPolicy(policy(1)))
        self.watch = PolicyWatch(self.files, IN_SINGAPORE, self.in_force, self.clock, self.asked, self.at_once)

    async def at_once(self, function: Callable[..., Result], /, *arguments: Any) -> Result:
        """Call it here, where a test owns what happens before."""
        if function is read_all and self.edits:
            self.edits.pop(0)()
        return function(*arguments)

    async def look(self) -> None:
        await self.clock.run(self.watch.look())

    @property
    def version(self) -> int:
        return self.in_force.ready().name.version


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def reloads() -> list[float]:
    """Those that were taken and those that were refused, so far."""
    return [value("moderation_policy_reloads_total", outcome=outcome) for outcome in ("taken", "refused")]


async def test_a_configuration_map_that_is_changed_takes_effect(tmp_path: Path) -> None:
    """
    Policy, tests and the policy in shadow of one revision, whatever else the folder holds.
    """
    mounted = ConfigMap(tmp_path / "mounted")
    mounted.put(policy_yaml=text(2), tests_yaml=fixtures("review"), shadow_yaml=text(3, "block"), consumer_yaml="{}")
    watched = Watched(mounted.folder, has_tests=True, has_shadow=True)
    await watched.look()
    before = watched.in_force.ready()

    mounted.put(policy_yaml=text(4, "pass"), tests_yaml=fixtures("pass"), shadow_yaml=text(5), consumer_yaml="{}")
    await watched.look()

    policies = [before.policy, watched.in_force.ready().policy]
    assert [(each.settings.version, each.shadow and each.shadow.settings.version) for each in policies] == [
        (2, 3),
        (4, 5),
    ]


async def test_a_map_that_changes_all_the_time_is_never_taken_in_part(tmp_path: Path) -> None:
    """
    While another thread turns the link as fast as it can: each revision's tests pass with its own policy alone, and
    none is ever refused; once it rests, the last one is in force.
    """
    mounted = ConfigMap(tmp_path)
    words = ["block", "review", "pass"]

    def revision(number: int) -> None:
        word = words[number % 3]
        mounted.put(policy_yaml=text(number, word), tests_yaml=fixtures(word))

    def turn() -> None:
        for number in range(3, 150):
            revision(number)

    turning = threading.Thread(target=turn)
    revision(2)
    watched = Watched(tmp_path, has_tests=True)

    with capture_logs() as logs:
        turning.start()
        while turning.is_alive():
            await watched.look()
        turning.join()
        await watched.look()

    problems = [problem for each in logs if each["event"] == "policy.refused" for problem in each["problems"]]
    assert [problem for problem in problems if "No such file" not in problem] == []  # a folder just removed
    assert watched.version == 149


async def test_a_file_that_is_half_written_is_not_taken(tmp_path: Path) -> None:
    """
    Its first half is a policy as well, without the rules behind it: it is looked at until it stays.
    """
    file, whole = tmp_path / "policy.yaml", text(2, "block", "strict_recall: true")
    watched = Watched(tmp_path)
    parts = [whole[:25], whole[:60], whole]
    watched.edits = [lambda part=part: file.write_text(part) for part in parts]  # type: ignore[misc]
    began = watched.clock.time

    await watched.look()

    assert watched.in_force.ready().policy.settings.strict_recall
    assert watched.clock.time - began == 3 * SETTLED


async def test_a_file_may_be_replaced_by_a_rename(tmp_path: Path) -> None:
    """
    As editors do it.
    """
    file, other = tmp_path / "policy.yaml", tmp_path / "policy.yaml.new"
    file.write_text(text(2))
    watched = Watched(tmp_path)
    await watched.look()

    other.write_text(text(3))
    other.replace(file)
    await watched.look()

    assert watched.version == 3


async def test_what_is_broken_is_refused_and_told_until_it_is_mended(tmp_path: Path) -> None:
    """
    The policy before it decides. The log says it once, with file and line; readiness and metrics say it for as long as
    it lasts.
    """
    file, before = tmp_path / "policy.yaml", reloads()
    file.write_text(text(2))
    watched = Watched(tmp_path)
    await watched.look()
    name = watched.in_force.ready().name

    file.write_text(text(3, "ignore", "route: {hihg: block}"))
    with capture_logs() as logs:
        await watched.look()
        watched.clock.time += 61.0
        await watched.look()
    refused, said = value("moderation_policy_reload_failed"), watched.watch.warnings()
    file.write_text(text(4))
    await watched.look()

    (line,) = (each for each in logs if each["event"] == "policy.refused")
    assert [problem.partition(": ")[0] for problem in line["problems"]] == [f"{file}:3", f"{file}:4"]
    assert (line["log_level"], line["in_force"], line["sha256"]) == ("error", "shop", name.sha256)
    assert refused == 1
    assert len(said) == 2
    assert said[0].startswith(
        "policy: what the files hold is refused for 61 s, and a restart would not start; shop version 2 stays in "
        f"force: {file}:3: "
    )
    assert (watched.version, watched.watch.warnings()) == (4, [])
    assert value("moderation_policy_reload_failed") == 0
    assert [after - earlier for after, earlier in zip(reloads(), before, strict=True)] == [2, 1]


async def test_putting_back_what_is_in_force_ends_a_refusal(tmp_path: Path) -> None:
    """
    Nothing is taken anew.
    """
    file = tmp_path / "policy.yaml"
    file.write_text(text(2))
    watched = Watched(tmp_path)
    await watched.look()
    ready = watched.in_force.ready()

    file.write_text("[")
    await watched.look()
    file.write_text(text(2))
    await watched.look()

    assert watched.in_force.ready() is ready
    assert (watched.watch.warnings(), value("moderation_policy_reload_failed")) == ([], 0)


async def test_a_policy_that_fails_one_of_its_tests_is_refused(tmp_path: Path) -> None:
    """
    The test is named with its line and what came out; a restart would not start, either.
    """
    (tmp_path / "policy.yaml").write_text(text(2, "pass"))
    (tmp_path / "tests.yaml").write_text(fixtures("block"))
    watched = Watched(tmp_path, has_tests=True)

    await watched.look()
    with pytest.raises(Misconfigured) as refused:
        load_policies(watched.files)

    assert watched.version == 1
    assert refused.value.problems == (
        f"{tmp_path}/tests.yaml:2: the test 'swimwear' fails: decision: expected block, got pass (by swimwear)",
    )
    (said,) = watched.watch.warnings()
    assert said.endswith(refused.value.problems[0])


async def test_a_test_that_fails_because_a_rule_has_come_to_its_end_refuses_nothing(tmp_path: Path) -> None:
    """
    Else a restart would fail on a day on which nobody changed anything: it is among what is unsafe.
    """
    why = "{owner: o, reason: r, expires: 2024-01-01}"
    (tmp_path / "policy.yaml").write_text(text(2).replace("then: review", f"then: review, why: {why}"))
    (tmp_path / "tests.yaml").write_text(fixtures("review"))
    watched = Watched(tmp_path, has_tests=True)

    await watched.look()

    (unsafe,) = watched.in_force.ready().policy.unsafe
    assert watched.version == 2
    assert "the test 'swimwear' fails" in unsafe
    assert unsafe.endswith("a rule has come to its end")


async def test_what_is_unsafe_and_not_broken_is_told_and_taken(tmp_path: Path) -> None:
    """
    With what lint calls it; so is a version that was not raised.
    """
    file = tmp_path / "policy.yaml"
    file.write_text(text(2))
    watched = Watched(tmp_path)
    await watched.look()

    file.write_text(text(2, "pass"))
    with capture_logs() as logs:
        await watched.look()

    told = {each["event"]: each.get("reason", "") for each in logs}
    assert watched.in_force.ready().policy.settings.rules[0].then == "pass"
    assert told["policy.unsafe"].startswith(f"{file}:3: rules.0.then ")
    assert told["policy.unsafe"].endswith("(P006)")
    assert told["policy.noteworthy"].endswith("(P016)")
    assert value("moderation_policy_unsafe") == 1


async def test_a_change_that_says_the_same_changes_nothing(tmp_path: Path) -> None:
    """
    Such as a comment.
    """
    file = tmp_path / "policy.yaml"
    file.write_text(text(2))
    watched = Watched(tmp_path)
    await watched.look()
    ready, before = watched.in_force.ready(), reloads()

    file.write_text("# why\n" + text(2))
    with capture_logs() as logs:
        await watched.look()

    assert watched.in_force.ready() is ready
    assert [each["event"] for each in logs] == ["policy.unchanged"]
    assert reloads() == before


async def test_a_service_that_a_region_does_not_offer_is_refused(tmp_path: Path) -> None:
    """
    As at the start.
    """
    (tmp_path / "policy.yaml").write_text(text(2, "block", "services: [baselineCheck_cb]"))
    watched = Watched(tmp_path)
    watched.watch = PolicyWatch(
        watched.files,
        partial(policy_of, regions=["cn-shanghai"]),
        watched.in_force,
        watched.clock,
        in_thread=watched.at_once,
    )
    (tmp_path / "policy.yaml").write_text(text(2, "block", "services: [baselineCheck_global]"))

    await watched.look()

    with pytest.raises(Misconfigured) as refused:
        load_policies(watched.files, ["cn-shanghai"])
    assert watched.version == 1
    assert watched.watch.warnings()[0].endswith(refused.value.problems[0])


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Be nobody for a while, where this process may read everything."""
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)


def forbidden(file: Path) -> None:
    file.write_text(text(2))
    file.chmod(0)


UNREADABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "vanished": (lambda file: None, "cannot be read: No such file or directory"),
    "forbidden": (forbidden, "cannot be read: Permission denied"),
    "a folder": (lambda file: file.mkdir(), "cannot be read: Is a directory"),
    "a pipe": (lambda file: os.mkfifo(file), "is no file"),
    "a link to itself": (lambda file: file.symlink_to(file), "cannot be read: Too many levels of symbolic links"),
    "10 MB": (lambda file: file.write_text(text(2) + "#" * 10_000_000), f"has more than {LARGEST:,} bytes"),
    "not UTF-8": (lambda file: file.write_bytes(text(2).encode() + b"# \xe9\n"), "is not YAML"),
    "empty": (lambda file: file.write_bytes(b""), "policy: is missing"),
    "zeros": (lambda file: file.write_bytes(b"\0" * 4_096), "is not YAML"),
    "deep": (lambda file: file.write_text("policy: " + "[" * 500), "is not YAML: nested too deeply"),
}


@pytest.mark.parametrize("wrong", UNREADABLE)
async def test_what_cannot_be_read_is_refused_and_the_policy_in_force_stays(tmp_path: Path, wrong: str) -> None:
    """
    In few words, and the start refuses it in the same.
    """
    make, words = UNREADABLE[wrong]
    watched = Watched(tmp_path)
    make(tmp_path / "policy.yaml")

    with unprivileged() if wrong == "forbidden" else contextlib.nullcontext():
        await watched.look()
        with pytest.raises(Misconfigured) as refused:
            load_policies(watched.files)

    said = watched.watch.warnings()
    assert watched.version == 1
    assert len(said[0]) < 600
    assert words in said[0]
    assert len(said) == len(refused.value.problems)
    assert all(each.endswith(problem) for each, problem in zip(said, refused.value.problems, strict=True))


async def test_an_unexpected_error_refuses_the_file_and_ends_nothing(tmp_path: Path) -> None:
    """
    The policy in force stays, and the next file is taken.
    """
    file = tmp_path / "policy.yaml"
    file.write_text(text(2))
    watched = Watched(tmp_path)
    fails = [True]

    async def in_thread(function: Callable[..., Result], /, *arguments: Any) -> Result:
        if function is not read_all and fails.pop():
            raise RecursionError
        return function(*arguments)

    watched.watch = PolicyWatch(watched.files, policy_of, watched.in_force, watched.clock, in_thread=in_thread)
    await watched.look()
    said, fails = watched.watch.warnings(), [False]
    file.write_text(text(3))
    await watched.look()

    assert said[0].endswith("meets an unexpected RecursionError")
    assert watched.version == 3


async def test_a_look_is_taken_every_few_seconds_and_at_once_where_it_is_asked_for(tmp_path: Path) -> None:
    """
    What was refused is then judged again, and told again.
    """
    file = tmp_path / "policy.yaml"
    file.write_text(text(2))
    watched = Watched(tmp_path)
    clock, moments = watched.clock, []

    async def until(version: int) -> None:
        while watched.version != version:
            await clock.sleep(0.5)
        moments.append(clock.time)

    async def changes() -> None:
        async with watched.watch.watched(300.0):
            await until(2)
            file.write_text("[")
            await clock.sleep(302.0)
            for _ in range(2):
                watched.asked.set()
                await clock.sleep(2.0)
            file.write_text(text(3))
            watched.asked.set()
            await until(3)

    began = clock.time
    with capture_logs() as logs:
        await clock.run(changes())

    assert 300 < moments[0] - began < 303
    assert moments[1] - moments[0] < 310
    assert [each["event"] for each in logs].count("policy.refused") == 3


async def test_a_read_that_does_not_end_is_told(tmp_path: Path) -> None:
    """
    Of a file system on a network that is away.
    """
    watched = Watched(tmp_path)
    hangs = asyncio.Event()

    async def in_thread(function: Callable[..., Result], /, *arguments: Any) -> Result:
        await hangs.wait()
        return function(*arguments)

    watch = PolicyWatch(watched.files, policy_of, watched.in_force, watched.clock, in_thread=in_thread)
    looking = asyncio.ensure_future(watch.look())
    await asyncio.sleep(0)

    watched.clock.time += PATIENCE + 1

    assert watch.warnings() == [f"policy: {tmp_path}/policy.yaml is being read for 31 s: changes do not take effect"]
    looking.cancel()


def test_metrics_name_the_policies_in_force() -> None:
    """
    Of a policy that is in force no more the sample is 0, so that one look shows which replica has which.
    """
    first, second = policy(1), policy(2).model_copy(update={"shadow": policy(3)})
    announce(first)
    announce(second, first)

    def info(role: str, version: int) -> float:
        labels = {"id": "of-a-test", "version": str(version), "sha256": f"{version:064x}"}
        return value("moderation_policy_info", role=role, **labels)

    assert [info("decides", 1), info("decides", 2), info("shadow", 3)] == [0, 1, 1]
