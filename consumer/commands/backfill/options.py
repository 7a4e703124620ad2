"""What the command line asks for. Values only."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from consumer.config import Config

RUN = "backfill"
"""The run that a command is, unless it says another."""
LANE = "backfill"
"""The lane that is taken where there is one of this name."""
_RUN_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillOptions:
    """The options of `backfill`, as they were given."""

    manifest: Path | None = None
    bucket: str | None = None
    topic: str | None = None
    config: Path | None = None
    overrides: Sequence[str] = ()
    lane: str | None = None
    into: str | None = None
    run: str = RUN
    rate: float | None = None  # events a second
    price: float | None = None  # of a thousand calls
    skip_wrong: bool = False
    dry_run: bool = False
    yes: bool = False
    json: bool = False


class Target(NamedTuple):
    """Where events go."""

    topic: str
    lane: str
    calls: int  # a second that the lane is due


class Bucket(NamedTuple):
    """A bucket, or the part of it below a prefix, of a store of the configuration's."""

    store: str
    bucket: str
    prefix: str


def contradictions(options: BackfillOptions) -> Iterator[str]:
    """Say what is wrong with the options whatever the configuration."""
    given = [options.manifest, options.bucket, options.topic]
    if sum(each is not None for each in given) != 1:
        yield "--manifest, --bucket, --topic: say one of them: where the images are named"
    if _RUN_NAME.fullmatch(options.run) is None:
        yield f"--run: {options.run[:80]!r} must be 1 to 64 of the characters A-Z a-z 0-9 . _ -"


def bucket_of(text: str, config: Config, problems: list[str]) -> Bucket | None:
    """Read STORE/BUCKET[/PREFIX]; None where it is wrong, and `problems` say why."""
    store, _, rest = text.partition("/")
    bucket, _, prefix = rest.partition("/")
    if not bucket:
        problems.append(f"--bucket: {text[:200]!r} must be STORE/BUCKET, or STORE/BUCKET/PREFIX")
        return None
    if store not in config.stores:
        known = ", ".join(sorted(config.stores)) or "none"
        problems.append(f"--bucket: {store[:80]!r} is not under stores of the configuration, where there are: {known}")
        return None
    return Bucket(store, bucket, prefix)


def target_of(options: BackfillOptions, config: Config, problems: list[str]) -> Target | None:
    """The lane's topic that is written to; None where that is not clear, and `problems` say why."""
    lanes = config.all_lanes
    lane = options.lane or (LANE if LANE in lanes else next(iter(lanes)) if len(lanes) == 1 else None)
    if lane is None or lane not in lanes:
        wrong = f"--lane: {options.lane[:80]!r} is no lane" if options.lane else "--lane: say which lane"
        problems.append(f"{wrong}: there are {', '.join(sorted(lanes))}")
        return None
    topics = lanes[lane].topics
    topic = options.into or (topics[0] if len(topics) == 1 else None)
    if topic is None or topic not in topics:
        wrong = f"--into: {topic[:249]!r} is no topic of lane {lane}" if topic else "--into: say which topic"
        problems.append(f"{wrong}: lane {lane} has {', '.join(topics)}")
        return None
    return Target(topic, lane, config.calls_by_lane[lane])
