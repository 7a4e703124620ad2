"""What `policy backtest` does, but for how it is shown."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consumer.commands.policy.backtesting.files import lines, size_of
from consumer.commands.policy.backtesting.progress import Watching
from consumer.commands.policy.backtesting.signatures import Signatures
from consumer.commands.policy.durations import seconds_in
from consumer.config import Config
from consumer.config.loading import load_config, validated
from consumer.config.origins import Origins
from consumer.config.yaml_file import read_yaml
from consumer.errors import ConsumerError, Misconfigured
from consumer.policy.backtest.alike import moment_of
from consumer.policy.backtest.counts import NOT_VERDICTS, Counts
from consumer.policy.backtest.gates import Gates, GatesFile
from consumer.policy.backtest.intervals import BLOCKS, ROUNDS
from consumer.policy.backtest.people import People
from consumer.policy.backtest.result import result_of
from consumer.policy.schema import Policy, load_policy

_USUAL = "14d"
"""Where topics are read and nothing is said."""
GATE = 4
"""The exit status where a gate does not hold: no failure, no wrong use, and no error that nobody expected."""

_PIECE = 2_000  # lines of a file between two looks at the progress bar

Watch = Callable[[int | None], AbstractContextManager[Watching]]


class NothingReplayed(ConsumerError):
    """There is no result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is asked for."""

    candidate: Path
    current: Path
    verdicts: Sequence[Path] = ()  # files; none: the topics of the configuration
    config: Path | None = None
    overrides: Sequence[str] = ()
    since: str | None = None
    share: float = 1.0
    decisions: Sequence[Path] = ()
    decisions_topic: str | None = None
    gates: Path | None = None
    gates_given: Mapping[str, float] | None = None
    seconds_per_review: float | None = None


def backtest(options: Options, environment: Mapping[str, str], watching: Watch) -> dict[str, Any]:
    """
    Read, decide, count. `watching` shows how far it is.

    Raises:
        Misconfigured: what is asked for is wrong, or a file cannot be read.
        NotAnswered: Kafka does not answer.
        NothingReplayed: nothing that was read could be decided about again.
        TooManyDecisions: people's decisions do not fit into memory.
    """
    current, candidate, gates = _read(options)
    back = options.since or (None if options.verdicts else _USUAL)
    since = time.time() - seconds_in(back) if back else 0.0
    people = People()
    # Files alone need no configuration: where one is named, it says what verdicts keep.
    config = load_config(options.config, environment, options.overrides)
    counts = Counts(
        current, candidate, share=options.share, since=moment_of(since) if since else "", people=people,
        kept=config.privacy.context,
    )  # fmt: skip
    began = time.monotonic()
    if options.verdicts:
        source = _from_files(options, counts, watching)
    else:
        source = asyncio.run(_from_topics(options, config, counts, since, watching))
    counts.end()
    if not counts.replayed:
        raise NothingReplayed(_why_nothing(counts))
    source = {**source, "seconds": round(time.monotonic() - began, 3)}
    return result_of(counts, draws(), gates, options.seconds_per_review, source)


def _read(options: Options) -> tuple[Policy, Policy, Gates]:
    """Load all that is given; `Misconfigured` has every problem."""
    problems: list[str] = []
    loaded: list[Any] = []
    parts: list[Callable[[], Any]] = [
        lambda: load_policy(options.current),
        lambda: load_policy(options.candidate),
        lambda: _gates(options),
    ]
    for load in parts:
        try:
            loaded.append(load())
        except Misconfigured as error:
            problems += [each for each in error.problems if each not in problems]
    if problems:
        raise Misconfigured(problems)
    return loaded[0], loaded[1], loaded[2]


def _gates(options: Options) -> Gates:
    given = dict(options.gates_given or {})
    if options.gates is None:
        return Gates.model_validate(given)
    file = read_yaml(options.gates)
    named = validated(GatesFile, file.tree, Origins(file)).gates
    return Gates.model_validate(named.model_dump(exclude_unset=True) | given)


def draws() -> list[list[int]]:
    """Blocks drawn by lot for the bootstrap: the same in every run."""
    lot = random.Random(16)  # noqa: S311 — no secret
    return [lot.choices(range(BLOCKS), k=BLOCKS) for _ in range(ROUNDS)]


def _from_files(options: Options, counts: Counts, watching: Watch) -> dict[str, Any]:
    verdicts, decisions = list(options.verdicts), list(options.decisions)
    total = size_of([*verdicts, *decisions])
    _read_decisions(options, counts.people)
    with watching(total) as progress:
        before = 0
        for path in verdicts:
            name, read = str(path), 0
            for value, number, read in lines(path):
                counts.add(value, name, None, number)
                if not number % _PIECE:
                    progress.told(before + read, counts.read)
            before += read
    return {"files": [str(each) for each in verdicts]}


def _read_decisions(options: Options, people: People) -> None:
    """`Misconfigured` escapes with the first lines that are none, `TooManyDecisions` where there are too many."""
    problems: list[str] = []
    for path in options.decisions:
        for value, number, _ in lines(path):
            if why := _refused(people, value):
                problems.append(f"{path}:{number}: is no decision of moderation.review.v1: {why}")
                if len(problems) == 10:
                    break
    if problems:
        raise Misconfigured(problems)


def _refused(people: People, decision: Any) -> str | None:
    """Take a decision; say why it is none."""
    try:
        people.add(decision)
    except KeyError as error:
        return f"{error} is missing, or not known there"
    except NOT_VERDICTS as error:
        return type(error).__name__ if decision is not None else "not JSON"
    return None


async def _from_topics(
    options: Options, config: Config, counts: Counts, since: float, watching: Watch
) -> dict[str, Any]:
    from consumer.commands.policy.backtesting.topics import opened, parsed

    settings, signatures = config.kafka, Signatures.of(config, time.time)
    _read_decisions(options, counts.people)
    if options.decisions_topic:
        async with opened(settings, [options.decisions_topic], since) as reading:
            async for piece in reading.pieces():
                for record in piece.records:
                    counts.left_out["not_a_decision"] += _refused(counts.people, parsed(record)) is not None
    topics = list(settings.outputs.by_decision.values())
    async with opened(settings, topics, since) as reading:
        with watching(reading.total) as progress:
            async for piece in reading.pieces():
                for record in piece.records:  # one after the other: what is held at a time makes collections slow
                    if signatures is not None and not signatures.are_believed(record):
                        counts.leave_out("not_believed")
                        continue
                    counts.add(parsed(record), record.topic, record.partition, record.offset)
                progress.told(piece.read, counts.read)
    unsigned = {} if signatures is None else {"unsigned": signatures.unsigned}
    return {"topics": topics, "since": moment_of(since), **unsigned}


def _why_nothing(counts: Counts) -> str:
    if not counts.read:
        return "there is no verdict to replay: look at --since, or name other files"
    why = {**counts.left_out, **counts.not_replayed}
    told = ", ".join(f"{name} {count:,}" for name, count in sorted(why.items(), key=lambda each: -each[1])[:5])
    at = f"; first at {counts.not_verdicts[0]}" if counts.not_verdicts else ""
    return f"none of {counts.read:,} records could be replayed: {told}{at}"


def exit_status(result: Mapping[str, Any]) -> int:
    """`GATE` where one does not hold, else 0."""
    return 0 if all(each["held"] for each in result["gates"]) else GATE
