"""
A replica is killed in the middle of its work and another is started: what is lost, published twice, paid twice?

In flight at the kill are the victim's images whose call had departed and whose verdict was not yet appended. Only these
may be paid for again.
"""

import random
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

from bench.chaos import compare
from bench.chaos.report import Check, at_most, distribution, none_of
from bench.chaos.scenarios.playing import Findings, NotYet, Setting, told
from bench.chaos.stage import QUOTA, Script, Stage
from bench.chaos.work import Shape, uploads

REPLICAS = 2
CROWDED = 0.02
UPLOADED = 100_000  # bytes of an image
_START_TIMEOUT = 60.0
_FINISH_TIMEOUT = 90.0


class Run(NamedTuple):
    """What one kill led to."""

    seed: int
    finished: bool
    progress: float
    """Share of the images that had their outcome at the kill."""

    lost: int
    dead_letters: int
    published_twice: int
    told_twice: int
    """Provisional verdicts that stand there twice."""

    billed_twice: int
    billed_twice_not_in_flight: int
    in_flight: int
    told: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return it for the report."""
        return {name: value for name, value in self._asdict().items() if name != "told"} | self.told


async def kill(setting: Setting) -> Findings:
    """Kill one of two replicas, at another moment in each run."""
    return await _killed(setting, "kill", setting.script())


async def uploading(setting: Setting) -> Findings:
    """The same, in the middle of images that are fetched and uploaded: nothing of that is billed, or done for good."""
    return await _killed(setting, "uploading", setting.script(quota=200, uploads=UPLOADED))


async def _killed(setting: Setting, name: str, script: Script) -> Findings:
    images, runs = (5_000, 20) if setting.full else (2_000, 2)
    done = [await _run(setting, name, setting.seed + n, images, script) for n in range(setting.runs or runs)]
    checks = [
        none_of("runs that did not finish in time", sum(not run.finished for run in done)),
        none_of("images without outcome", sum(run.lost for run in done)),
        none_of("dead letters", sum(run.dead_letters for run in done)),
        none_of("verdict ids published twice", sum(run.published_twice for run in done)),
        none_of("provisional verdict ids published twice", sum(run.told_twice for run in done)),
        none_of(
            "images billed twice that were not in flight at the kill",
            sum(run.billed_twice_not_in_flight for run in done),
        ),
        at_most(
            "most images in flight at a kill (max_in_flight)",
            max(run.in_flight for run in done),
            script.max_in_flight,
        ),
    ]
    return Findings(checks, {"images in a run": images, **_spread(done), "runs": [run.to_json() for run in done]})


class Contestant(NamedTuple):
    """Who is put through the same, and with how many images: one is slower than the others by design."""

    name: str
    program: Sequence[str]
    full: int
    short: int
    needs: str = ""
    """The package without which it cannot run."""

    members: int = 1
    """How many members of the group one process is."""


CONTESTANTS = (
    Contestant("plain loop", ("bench.chaos.contestants.loop",), 5_000, 2_000),
    Contestant("FastStream, ACK_FIRST", ("bench.chaos.contestants.stream", "ack_first"), 5_000, 2_000, "faststream"),
    Contestant(
        "FastStream, NACK_ON_ERROR",
        ("bench.chaos.contestants.stream", "nack_on_error"),
        1_500,
        600,
        "faststream",
        members=4,
    ),
)


async def contestants(setting: Setting) -> Findings:
    """Put what others would write through the same. Nothing of them is judged but that the runs took place."""
    figures: dict[str, Any] = {}
    took_place = 0
    for contestant in CONTESTANTS:
        if contestant.needs and find_spec(contestant.needs) is None:
            raise NotYet(f"{contestant.name} needs {contestant.needs}: `make chaos` installs locks/chaos.txt")
        # They know nothing of a quota that is shared: each is given its part.
        script = Script(program=contestant.program, changes={"quota": {"qps": QUOTA // REPLICAS}})
        images = contestant.full if setting.full else contestant.short
        runs = setting.runs or (3 if setting.full else 1)
        group = contestant.program[-1].rpartition(".")[2].replace("_", "-")
        done = [await _run(setting, group, setting.seed + n, images, script, contestant.members) for n in range(runs)]
        took_place += len(done)
        figures[f"{contestant.name}, {images} images"] = [run.to_json() for run in done]
    return Findings([Check("runs", took_place, "as many as asked for", took_place > 0)], figures)


def _spread(runs: Sequence[Run]) -> dict[str, Any]:
    return {
        "billed twice, of all runs": distribution([run.billed_twice for run in runs]),
        "in flight at the kill, of all runs": distribution([run.in_flight for run in runs]),
    }


async def _run(setting: Setting, name: str, seed: int, images: int, script: Script, members: int = 1) -> Run:
    dice = random.Random(f"kill {seed}")
    async with Stage.opened(setting.kafka, f"{name}-{seed}", seed, script) as stage:
        first = await stage.crew.join(REPLICAS)
        # Together before there is work: what a rebalance costs is another scenario's question.
        await stage.watch.until_members(REPLICAS * members, _START_TIMEOUT)
        await stage.upload(uploads(stage.name, images, seed, Shape(crowded=CROWDED, objects=bool(script.uploads))))
        progress = round(dice.uniform(0.2, 0.8) * images)
        await stage.watch.until_outcomes(progress, _START_TIMEOUT + images / 20)
        victim = dice.choice(first)
        moment = stage.crew.kill(victim)
        await stage.crew.join()
        finished = await stage.finished(_FINISH_TIMEOUT)
        metrics = await _metrics(stage)
        await stage.crew.leave(*stage.crew.members)
        evidence = await stage.evidence()
    billed = compare.billed_twice(evidence.calls)
    in_flight = compare.in_flight(evidence.calls, evidence.outcomes, victim.name, moment)
    return Run(
        seed=seed,
        finished=finished,
        progress=sum(outcome.at <= moment for outcome in evidence.outcomes) / images,
        lost=len(compare.lost(evidence)),
        dead_letters=evidence.dead_letters,
        published_twice=len(compare.published_twice(evidence.outcomes)),
        told_twice=len(compare.published_twice(evidence.provisional)),
        billed_twice=len(billed),
        billed_twice_not_in_flight=len(billed.keys() - in_flight),
        in_flight=len(in_flight),
        told=metrics,
    )


async def _metrics(stage: Stage) -> dict[str, float]:
    """Contestants have none."""
    return await told(stage) if stage.script.program[0] not in {c.program[0] for c in CONTESTANTS} else {}
