"""
Whether an outage floods anybody who reads provisional verdicts: `python -m bench.deadline`.

A backlog waits, every upload has a deadline of a few seconds, and the provider cannot be connected to. What counts is
what stands in the review topic, by Kafka's own timestamps: how many in the worst sliding minute, and none about an
image twice; and the service's memory. `--held` lets it read so many messages at once, where it holds 2,000 by default.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.chaos.sampling import resident_bytes, sampled
from bench.events import upload_events
from tests.rig.kafka import DownloadFailed, KafkaCluster, StartFailed, ToolMissing, publish, read_all
from tests.rig.replica import Replica
from tests.rig.stage import Stage
from tests.rig.windows import busiest_window

NOBODY = "http://127.0.0.1:9"
MINUTE = 60.0  # seconds
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Course:
    """What one run is."""

    backlog: int
    seconds: float
    deadline: float
    per_minute: int
    held: int | None  # messages; None: as the service has it by default


def main() -> None:
    """Parse the command line, play the outage, and print what came of it; exit 1 where that is a flood."""
    parser = argparse.ArgumentParser(prog="python -m bench.deadline", description="Does an outage flood anybody?")
    parser.add_argument("--backlog", type=int, default=100_000, help="uploads that wait at the start")
    parser.add_argument("--seconds", type=float, default=150.0, help="how long the outage is watched")
    parser.add_argument("--deadline", type=float, default=5.0, help="seconds")
    parser.add_argument("--per-minute", type=int, default=600, help="provisional verdicts")
    parser.add_argument("--held", type=int, help="messages that the service may hold")
    options = parser.parse_args()
    course = Course(options.backlog, options.seconds, options.deadline, options.per_minute, options.held)
    try:
        flooded = asyncio.run(play(course))
    except (ToolMissing, DownloadFailed, StartFailed) as fault:
        sys.exit(str(fault))
    sys.exit(1 if flooded else 0)


async def play(course: Course) -> bool:
    """Watch one replica through the outage; say whether it published more than it may, or any twice."""
    async with KafkaCluster.start(brokers=1) as kafka:
        stage = Stage(kafka, "deadline")
        await stage.set_up()
        await publish(kafka.bootstrap_servers, stage.uploads, upload_events(course.backlog))
        with tempfile.TemporaryDirectory() as folder:
            async with Replica.started(Path(folder), _config(stage, course)) as replica:
                await replica.until_metric("moderation_records_held", at_least=1)
                began = time.monotonic()

                async def look() -> tuple[float, int]:
                    return time.monotonic() - began, resident_bytes(replica.pid)

                async with sampled(look, 1.0) as samples:
                    await asyncio.sleep(course.seconds)
                held = await replica.metric("moderation_records_held")
                held_back = await replica.metric("moderation_provisional_verdicts_total", outcome="held_back")
        told = await read_all(kafka.bootstrap_servers, stage.outputs["review"])
        others = [
            len(await read_all(kafka.bootstrap_servers, stage.outputs[each]))
            for each in ("pass", "block", "dead_letter")
        ]
    worst = busiest_window([record.timestamp / 1000 for record in told], MINUTE)
    twice = len(told) - len({dict(record.headers)["ce_id"] for record in told})
    sizes = [size / _MIB for _, size in samples]
    print(
        f"{course.backlog} uploads waiting, {course.seconds:.0f} s without a provider, deadline {course.deadline:g} s\n"
        f"provisional verdicts  {len(told)} in all, {worst} in the worst sliding minute ({course.per_minute} allowed), "
        f"{twice} twice\n"
        f"held back             {held_back:.0f} messages of {held:.0f} that were read\n"
        f"other outcomes        {sum(others)}\n"
        f"memory, MiB           {sizes[0]:.0f} at the start, {max(sizes):.0f} at the most, {sizes[-1]:.0f} at the end"
    )
    return worst > course.per_minute or twice > 0 or sum(others) > 0


def _config(stage: Stage, course: Course) -> dict[str, object]:
    wide = (
        {"max_records": course.held, "max_records_per_partition": course.held, "max_bytes": 2**30}
        if course.held
        else {}
    )
    deadline = {"default": course.deadline, "per_minute": course.per_minute}
    return stage.config(NOBODY, deadline=deadline, admission=wide)


if __name__ == "__main__":
    main()
