"""
Look at a policy's files every few seconds, and let what has changed take effect without a restart.

They are read, not watched: kernels tell of changes (inotify) neither on every network's file system nor past the link
that Kubernetes turns to a new folder, and a look every few seconds costs nothing. What is read is judged in a thread:
Python needs a quarter of a second for a policy of 20 kB.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Protocol, TypeVar

import structlog

from consumer import background
from consumer.clock import Clock
from consumer.config import PolicyFiles
from consumer.errors import Misconfigured
from consumer.observability import metrics
from consumer.observability.tracebacks import frames_of
from consumer.policy.in_force import InForce, ReadyPolicy
from consumer.policy.schema import Policy
from consumer.policy_files.changes import Changes, Next, noteworthy, says_the_same
from consumer.policy_files.reading import FilesRead, read_all

log = structlog.get_logger()

SETTLED = 1.0  # seconds after which the files must be the same
PATIENCE = 30.0  # seconds after which a look that does not end is told
MOST_PROBLEMS = 20  # of one refusal, in the log

Result = TypeVar("Result")


class InThread(Protocol):
    """Calls a function where it holds up nobody."""

    def __call__(self, function: Callable[..., Result], /, *arguments: Any) -> Awaitable[Result]: ...


class PolicyWatch:
    """Keeps the policy in force as its files are, unless these are refused."""

    def __init__(
        self,
        files: PolicyFiles,
        load: Callable[[FilesRead, date], Policy],
        in_force: InForce,
        clock: Clock,
        asked: asyncio.Event | None = None,
        in_thread: InThread = asyncio.to_thread,
    ) -> None:
        """`load` is `policy_of`. `asked` is set where somebody wants a look at once."""
        self._files = files
        self._load = load
        self._in_force = in_force
        self._clock = clock
        self._asked = asked or asyncio.Event()
        self._in_thread = in_thread
        self._changes = Changes()
        self._looking_since: float | None = None
        self._refused_since: float | None = None
        self._problems: tuple[str, ...] = ()

    @contextlib.asynccontextmanager
    async def watched(self, interval: float) -> AsyncIterator[None]:
        """Look every so many seconds until the context ends."""
        async with background.running(self._look_on(interval), "the policy's files"):
            yield

    async def look(self) -> None:
        """Look once; where the files have changed, until they stay."""
        self._looking_since = self._clock.now()
        try:
            read = await self._in_thread(read_all, self._files)
            while (then := self._changes.read(read.digest)) is Next.READ_AGAIN:
                await self._clock.sleep(SETTLED)
                read = await self._in_thread(read_all, self._files)
            if then is Next.JUDGE:
                await self._judge(read)
            elif self._changes.refused is None:
                self._nothing_is_refused()
        finally:
            self._looking_since = None

    def warnings(self) -> list[str]:
        """Say so where the policy in force is not the one that its files hold."""
        now = self._clock.now()
        if self._looking_since is not None and (seconds := now - self._looking_since) >= PATIENCE:
            return [f"policy: {self._files.file} is being read for {seconds:.0f} s: changes do not take effect"]
        if self._refused_since is None:
            return []
        name, seconds = self._in_force.ready().name, now - self._refused_since
        return [
            f"policy: what the files hold is refused for {seconds:.0f} s, and a restart would not start; {name.id} "
            f"version {name.version} stays in force: {each}"
            for each in self._problems
        ]

    async def _look_on(self, interval: float) -> None:
        while True:
            await self._until_asked(interval)
            if self._asked.is_set():
                self._asked.clear()
                self._changes.judge_again()
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 — the next look may succeed
                log.error("policy.unexpected_error", error=type(error).__name__, frames=frames_of(error))  # noqa: TRY400

    async def _until_asked(self, seconds: float) -> None:
        waits = [asyncio.ensure_future(self._asked.wait()), asyncio.ensure_future(self._clock.sleep(seconds))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    async def _judge(self, read: FilesRead) -> None:
        try:
            ready = await self._in_thread(self._made_ready, read)
        except Misconfigured as error:
            self._refuse(read, error.problems)
        except Exception as error:  # noqa: BLE001 — whatever files hold, the policy in force stays
            log.error("policy.unexpected_error", error=type(error).__name__, frames=frames_of(error))  # noqa: TRY400
            self._refuse(read, [f"{self._files.file}: meets an unexpected {type(error).__name__}"])
        else:
            self._take(read, ready)

    def _made_ready(self, read: FilesRead) -> ReadyPolicy:
        return ReadyPolicy(self._load(read, datetime.fromtimestamp(self._clock.wall(), UTC).date()))

    def _refuse(self, read: FilesRead, problems: Sequence[str]) -> None:
        name = self._in_force.ready().name
        self._changes.refuse(read.digest)
        self._problems = tuple(problems)
        self._refused_since = self._clock.now() if self._refused_since is None else self._refused_since
        metrics.POLICY_RELOADS.labels("refused").inc()
        metrics.POLICY_RELOAD_FAILED.set(1)
        log.error(
            "policy.refused", problems=list(problems[:MOST_PROBLEMS]), more=max(0, len(problems) - MOST_PROBLEMS),
            in_force=name.id, version=name.version, sha256=name.sha256,
        )  # fmt: skip

    def _take(self, read: FilesRead, ready: ReadyPolicy) -> None:
        before = self._in_force.ready().policy
        is_new, is_first = not says_the_same(before, ready.policy), self._changes.taken is None
        self._changes.take(read.digest)
        self._nothing_is_refused()
        if is_new:
            self._in_force.replace(ready)
            metrics.POLICY_RELOADS.labels("taken").inc()
            for each in noteworthy(before, ready.policy):
                log.warning("policy.noteworthy", reason=f"{self._files.file}: {each}")
            announce(ready.policy, before)
        elif not is_first:
            log.info("policy.unchanged", meaning="the files have changed, and say the same")

    def _nothing_is_refused(self) -> None:
        self._refused_since, self._problems = None, ()
        metrics.POLICY_RELOAD_FAILED.set(0)


def announce(policy: Policy, before: Policy | None = None) -> None:
    """Let log and metrics say which policy is in force, and what is not as it should be."""
    if before is not None:
        _show(before, 0)
    _show(policy, 1)
    metrics.POLICY_UNSAFE.set(sum(len(each.unsafe) for each in _both(policy)))
    log.info(
        "policy.in_force", id=policy.settings.policy, version=policy.settings.version, sha256=policy.sha256,
        shadow=policy.shadow and policy.shadow.sha256,
    )  # fmt: skip
    for each in _both(policy):
        for reason in each.warnings:
            log.warning("policy.may_not_be_told", reason=reason)
        for reason in each.unsafe:
            log.warning("policy.unsafe", reason=reason)


def _show(policy: Policy, value: int) -> None:
    for role, each in zip(("decides", "shadow"), _both(policy), strict=False):
        metrics.POLICY_INFO.labels(role, each.settings.policy, each.settings.version, each.sha256).set(value)


def _both(policy: Policy) -> Sequence[Policy]:
    return [policy] if policy.shadow is None else [policy, policy.shadow]
