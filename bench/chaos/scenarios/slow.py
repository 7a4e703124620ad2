"""
One image in a hundred is answered after six seconds. Are the others any slower for it?

The same images are asked about in both runs; in the one that is compared with, none of them is slow.
"""

from typing import NamedTuple

from bench.chaos import compare
from bench.chaos.report import Check, at_least, at_most
from bench.chaos.scenarios.playing import Findings, Setting, nothing_lost_or_repeated
from bench.chaos.stage import LATENCY, QUOTA, Stage
from bench.chaos.work import Shape, uploads

SHARE = 0.01
SLOW = 6.0  # seconds
_START_TIMEOUT = 60.0
_FINISH_TIMEOUT = 120.0


class Measured(NamedTuple):
    """How the images fared that are not slow."""

    per_second: float
    p99: float
    checks: list[Check]


async def slow(setting: Setting) -> Findings:
    """Measure throughput over a backlog, and delays at three quarters of the quota."""
    lasts = 30.0 if setting.full else 8.0
    backlog = {slowly: await _run(setting, lasts, None, slowly=slowly) for slowly in (False, True)}
    steady = {slowly: await _run(setting, lasts, 0.75 * QUOTA, slowly=slowly) for slowly in (False, True)}
    rates = {slowly: measured.per_second for slowly, measured in backlog.items()}
    p99 = {slowly: measured.p99 for slowly, measured in steady.items()}
    checks = [
        *backlog[True].checks,
        at_least("others' verdicts a second, with slow images ÷ without", rates[True] / rates[False], 0.98),
        at_most("others' p99, with slow images ÷ without", p99[True] / p99[False], 1.2),
    ]
    figures = {
        "others' verdicts a second": {"without": rates[False], "with": rates[True]},
        "others' p99 in seconds": {"without": p99[False], "with": p99[True]},
    }
    return Findings(checks, figures)


async def _run(setting: Setting, lasts: float, rate: float | None, *, slowly: bool) -> Measured:
    """Let one replica carry what `lasts` seconds take: all at once, or `rate` a second."""
    script = setting.script(
        latency=LATENCY,
        mean_latency=LATENCY + SHARE * SLOW,
        provider={"latencies": {"/slow/": SLOW}} if slowly else None,
    )
    name = f"slow-{'with' if slowly else 'without'}-{'backlog' if rate is None else 'rate'}-{setting.seed}"
    async with Stage.opened(setting.kafka, name, setting.seed, script) as stage:
        await stage.crew.join()
        await stage.watch.until_members(1, _START_TIMEOUT)
        await stage.until_whole(_START_TIMEOUT)
        # The same uploads in every run: their URLs are of the seed, not of the run.
        records = uploads(f"slow-{setting.seed}", round((rate or QUOTA) * lasts), setting.seed, Shape(slow=SHARE))
        if rate is None:
            await stage.upload(records)
        else:
            await stage.feed(records, rate)
        finished = await stage.finished(_FINISH_TIMEOUT)
        await stage.crew.leave(*stage.crew.members)
        evidence = await stage.evidence()
    others = {image for upload in evidence.uploads for image in upload.images if "/slow/" not in image}
    appended = compare.first_appends(evidence.outcomes)
    return Measured(
        per_second=compare.steady_rate(at for image, at in appended.items() if image in others),
        p99=compare.percentile(compare.delays(evidence, others), 0.99),
        checks=nothing_lost_or_repeated(evidence, finished),
    )
