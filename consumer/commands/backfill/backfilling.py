"""A backfill from its options to its exit status."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from aiokafka.errors import KafkaError

from consumer.clock import Clock, SystemClock
from consumer.commands.backfill.checking import Checking
from consumer.commands.backfill.earlier import earlier
from consumer.commands.backfill.options import BackfillOptions, Target, bucket_of, contradictions, target_of
from consumer.commands.backfill.showing import Plan, Showing
from consumer.commands.backfill.sources import Copied, Listing, Manifest, Named
from consumer.commands.backfill.spool import Spool
from consumer.commands.backfill.uploads import HEADER, Making, digest_of
from consumer.commands.inputs import tried
from consumer.commands.offsets import NotAnswered
from consumer.commands.publishing import Publishing
from consumer.commands.topics import Topics
from consumer.config import Config
from consumer.config.loading import load_config
from consumer.config.operation import LogSettings
from consumer.errors import Misconfigured, Undecodable
from consumer.intake.decode import Bindings
from consumer.kafka.admin import admin_client
from consumer.kafka.security import KafkaAccess
from consumer.observability.logs import set_up_logs
from consumer.policy.schema import Policy
from consumer.policy_files.loading import load_policies
from consumer.verdicts.bounds import rfc3339

DONE, NOT_SENT, UNFINISHED = 0, 1, 3
"""Exit statuses; 2 is a wrong use."""
MOST_PROBLEMS = 1_000  # that are listed
TWICE = "named twice"


class Inputs(NamedTuple):
    """What is read before anything else."""

    config: Config
    policy: Policy
    target: Target
    source: "Manifest | Listing | Copied"
    told: str  # what the source is called


def run(options: BackfillOptions, environment: Mapping[str, str]) -> int:
    """
    Backfill, and return the exit status.

    Raises:
        Misconfigured: with all that is wrong; nothing was sent then.
        ConsumerError: it could not go on. What was sent stays, and the same command goes on behind it.
    """
    set_up_logs(LogSettings(level="warning"))
    clock = SystemClock()
    inputs, access = _inputs(options, environment, clock)
    return asyncio.run(Backfill(options, inputs, access, clock).run())


def _inputs(options: BackfillOptions, environment: Mapping[str, str], clock: Clock) -> tuple[Inputs, KafkaAccess]:
    problems = list(contradictions(options))
    config = tried(lambda: load_config(options.config, environment, options.overrides), problems)
    if config is None:
        raise Misconfigured(problems)
    regions = [region.name for region in config.provider.regions]
    policy = tried(lambda: load_policies(config.policies, regions, config), problems)
    target = target_of(options, config, problems)
    access = KafkaAccess(config.kafka)
    source: Manifest | Listing | Copied | None = None
    told = ""
    if options.manifest is not None:
        path, told = options.manifest, str(options.manifest)
        source = tried(lambda: Manifest(path), problems)
    elif options.bucket is not None and (bucket := bucket_of(options.bucket, config, problems)):
        source, told = Listing(config, bucket, environment, clock), f"bucket {options.bucket}"
    elif options.topic is not None:
        source = Copied(Topics(config.kafka, access, (options.topic,), HEADER, "read_committed"))
        told = f"topic {options.topic}"
        if target is not None and target.topic == options.topic:
            problems.append(f"--topic: {options.topic} is where it is sent into: name another")
    if problems or policy is None or target is None or source is None:
        raise Misconfigured(problems)
    return Inputs(config, policy, target, source, told), access


class Backfill:
    """One run of the command."""

    def __init__(self, options: BackfillOptions, inputs: Inputs, access: KafkaAccess, clock: Clock) -> None:
        self._options = options
        self._inputs = inputs
        self._access = access
        self._clock = clock
        self._topics = Topics(inputs.config.kafka, access, (inputs.target.topic,), HEADER)
        self._showing = Showing(as_json=options.json, is_confirmed=options.yes)
        self._plan = Plan(
            source=inputs.told, target=inputs.target, run=options.run, price=options.price,
            rate=options.rate or float(inputs.target.calls), pictures=inputs.config.images.frames_asked_about,
            units=inputs.config.units_per_call,
        )  # fmt: skip

    async def run(self) -> int:
        """See `run`."""
        try:
            with Spool() as spool:
                return await self._run(spool)
        except KafkaError as error:
            servers = self._inputs.config.kafka.bootstrap_servers
            raise NotAnswered(f"kafka.bootstrap_servers: {servers}: {error or type(error).__name__}") from error

    async def _run(self, spool: Spool) -> int:
        if isinstance(self._inputs.source, Copied):
            await self._look_at_topics()
        await self._gather(spool)
        if not isinstance(self._inputs.source, Copied):
            await self._look_at_topics()
        before = await earlier(self._topics, self._options.run, self._clock)
        self._weigh(spool, before.digests, deleted=before.deleted)
        for line in self._plan.lines():
            self._showing.say(line)
        if self._options.dry_run or not self._plan.events:
            self._showing.say("Nothing was sent." if self._options.dry_run else "There is nothing to send.")
            self._showing.ended(self._plan, "dry_run" if self._options.dry_run else "done")
            return DONE
        if not self._showing.may_send(self._plan):
            self._showing.say("Nothing was sent.")
            self._showing.ended(self._plan, "declined")
            return NOT_SENT
        return self._conclude(finished=await self._send(spool, before.digests))

    async def _look_at_topics(self) -> None:
        """Look whether Kafka lets us in and has the topics: a broker may create one that is asked for by name."""
        if refusal := await self._access.probe():
            raise NotAnswered(f"kafka.bootstrap_servers: {refusal.reason}")
        async with admin_client(self._access) as admin:
            there = {each["topic"] for each in await admin.describe_topics() if not each["error_code"]}
        wanted = [self._inputs.target.topic, *([self._options.topic] if self._options.topic else [])]
        if missing := [each for each in wanted if each not in there]:
            raise Misconfigured([f"topic {each}: does not exist, or this user may not see it" for each in missing])

    async def _gather(self, spool: Spool) -> None:
        """Read all of the source, and check it. `Misconfigured` escapes, with every problem."""
        config, policy, target, source, _ = self._inputs
        now = self._clock.wall()
        checking = Checking.of(config, policy, target.topic)
        making = Making(self._options.run, Bindings.of(config), rfc3339(now))
        problems: list[str] = []
        async for named in source.named(making):
            problem = named if isinstance(named, str) else self._take(named, checking, spool, now)
            if problem is not None:
                problems.append(problem)
        if isinstance(source, Listing) and source.not_included:
            self._plan.passed_over["folders, and what bindings do not include"] += source.not_included
        if problems and not self._options.skip_wrong:
            raise Misconfigured(list(_listed(problems)))
        if problems:
            self._plan.passed_over["wrong"] += len(problems)
            for problem in _listed(problems):
                self._showing.say(f"! left out: {problem}")

    def _take(self, named: Named, checking: Checking, spool: Spool, now: float) -> str | None:
        """Keep what is to be sent; return what is wrong with it."""
        try:
            checked = checking.check(named.upload, now)
        except Undecodable as error:
            return named.told(error)
        if checked.ignored is not None:
            self._plan.passed_over[checked.ignored] += 1
        elif spool.add(named.upload, checked):
            self._plan.named += 1
        else:
            self._plan.passed_over[TWICE] += 1
        return None

    def _weigh(self, spool: Spool, before: frozenset[bytes], *, deleted: bool) -> None:
        plan = self._plan
        plan.sent_before, plan.deleted = len(spool.digests & before), deleted
        for upload, checked in spool:
            if digest_of(upload.name) not in before:
                plan.events += 1
                plan.images += checked.images
                plan.calls += checked.calls
                plan.not_asked += checked.not_asked

    async def _send(self, spool: Spool, before: frozenset[bytes]) -> bool:
        """Send what was not sent before; say whether that is all of it, or a signal came."""
        stopping = asyncio.Event()
        with self._showing.bar(self._plan) as bar, self._interruptible(stopping):
            async with Publishing.opened(self._topics, self._clock, self._plan.rate) as publishing:
                for upload, _ in spool:
                    if digest_of(upload.name) in before:
                        continue
                    if stopping.is_set():
                        return False
                    await publishing.publish(upload.name, self._inputs.target.topic, upload.record, bar.sent)
        return True

    @contextlib.contextmanager
    def _interruptible(self, stopping: asyncio.Event) -> Iterator[None]:
        """Stop at SIGINT or SIGTERM; at the second one end at once."""
        loop, awaited = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)

        def ignore_no_more() -> None:
            for each in awaited:
                loop.remove_signal_handler(each)

        def on_signal() -> None:
            ignore_no_more()
            self._showing.say("! interrupted: what is on its way is waited for; the same signal again ends at once")
            stopping.set()

        for each in awaited:
            loop.add_signal_handler(each, on_signal)
        try:
            yield
        finally:
            ignore_no_more()

    def _conclude(self, *, finished: bool) -> int:
        plan = self._plan
        told = f"{plan.sent:,} of {plan.events:,} events sent into {plan.target.topic}"
        self._showing.say(f"{told}." if finished else f"! not finished: {told}; the same command goes on behind them.")
        self._showing.ended(plan, "done" if finished else "interrupted")
        return DONE if finished else UNFINISHED


def _listed(problems: list[str]) -> Iterator[str]:
    yield from problems[:MOST_PROBLEMS]
    if len(problems) > MOST_PROBLEMS:
        yield f"and {len(problems) - MOST_PROBLEMS:,} more"
