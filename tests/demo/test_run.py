"""The demo as a newcomer runs it."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from consumer.demo import DemoOptions, run_demo
from consumer.demo.process import read_vitals
from consumer.demo.uploads import FEWEST, KINDS
from consumer.errors import Misconfigured

ROOT = Path(__file__).parents[2]
DEADLINE = 120.0
# Of the newcomer's machine, for the world outside: nothing of the demo may be called through it.
A_PROXY = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")

FACTS = (
    "calls billed (images and frames judged)",
    "images and frames billed more than once",
    "private images fetched (their verdicts have their sha256)",
    "pictures of them uploaded to the provider (each frame is one)",
    "animations that were decided by their third frame",
    "calls over the quota",
    "outcomes without an upload",
    "verdicts that overtook an earlier one of their key and tenant",
    "messages left uncommitted",
    "exit code of the service",
)

PROGRAM = """
import sys
from pathlib import Path
from consumer.demo import DemoOptions, run_demo
sys.exit(run_demo(DemoOptions(events=int(sys.argv[1]), config=Path(sys.argv[2]))))
"""


@asynccontextmanager
async def demo(events: int, config: Path, folder: Path) -> AsyncIterator[Process]:
    """A demo of its own, with its temporary files in `folder`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, str(events), str(config)),
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder), "COLUMNS": "80", **A_PROXY},
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        async with asyncio.timeout(DEADLINE):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def read_until(process: Process, wanted: str) -> str:
    """What the demo prints, up to the first line with `wanted`."""
    assert process.stdout is not None
    text = ""
    while wanted not in text:
        line = await process.stdout.readline()
        assert line, text
        text += line.decode()
    return text


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_every_upload_comes_to_its_outcome(tmp_path: Path) -> None:
    """
    The real service, started on the embedded broker and the emulated provider, does with each upload what it must.
    """
    async with demo(60, ROOT / "config" / "demo.yaml", tmp_path) as process:
        output, _ = await process.communicate()

    text = output.decode()
    assert process.returncode == 0, text
    assert "✓ All 60 uploads came to what they must" in text
    assert "✗" not in text
    assert re.search(r"^  missing image \(404\) +review \(error: fetch\) +1 +1 +✓", text, re.MULTILINE)
    assert re.search(r"^  private, deleted meanwhile +review \(error: fetch\) +1 +1 +✓", text, re.MULTILINE)
    assert re.search(
        r"^moderation.block +one of the verdicts, shortened; frame 2 \(from 0\) decided:$", text, re.MULTILINE
    )
    assert re.search(r"^  1 of them with 5 frames: each was judged, and the third decided\.$", text, re.MULTILINE)
    assert re.search(r"^  \d+ images from a private bucket: fetched, uploaded, judged\.$", text, re.MULTILINE)
    assert re.search(r"A reviewer looked at verdict \w{8}… \(review,", text)
    assert "came to moderation.block: block, decided_by human," in " ".join(text.split())
    assert re.search(r"^exit code of the service +0 +0 +✓", text, re.MULTILINE)
    assert text.count("✓") == sum(len(kind.outcomes) for kind in KINDS) + len(FACTS) + 1
    assert all(fact in text for fact in FACTS)
    for topic in ("moderation.block", "moderation.review", "moderation.pass", "moderation.dead-letter"):
        assert f"{topic}  " in text
    assert list(tmp_path.iterdir()) == []


async def test_an_interrupted_demo_leaves_nothing_behind(tmp_path: Path) -> None:
    """
    SIGINT in the middle ends the service first; no process and no file is left.
    """
    async with demo(600, ROOT / "config" / "demo.yaml", tmp_path) as process:
        text = await read_until(process, "published")
        service = int(re.findall(r"\(pid (\d+)\)", text)[0])
        was_running = is_running(service)
        process.send_signal(signal.SIGINT)
        output, _ = await process.communicate()

    assert was_running
    assert process.returncode == 130
    assert "Interrupted. Nothing is left running." in output.decode()
    assert not is_running(service)
    assert list(tmp_path.iterdir()) == []


async def test_a_service_that_does_not_start_is_told_with_its_log(tmp_path: Path) -> None:
    """
    Where the service cannot run, the demo says so, shows its log, keeps it and fails.
    """
    config = tmp_path / "demo.yaml"
    config.write_text(f"{{health: {{host: 192.0.2.1}}, policy: {ROOT / 'config' / 'policy.yaml'}}}")
    logs = tmp_path / "logs"
    logs.mkdir()

    async with demo(FEWEST, config, logs) as process:
        output, _ = await process.communicate()

    text = output.decode()
    assert process.returncode == 1
    assert "✗ The service ended at its start, with exit code 2." in text
    assert "192.0.2.1" in text
    assert [file.name for file in logs.rglob("service.log")] == ["service.log"]


def test_options_are_checked_before_anything_starts() -> None:
    """
    Every option that cannot be is told at once.
    """
    with pytest.raises(Misconfigured) as wrong:
        run_demo(DemoOptions(events=FEWEST - 1, qps=0))

    assert wrong.value.problems == (
        f"--events: from {FEWEST} to 10000, given {FEWEST - 1}",
        "--qps: from 1 to 200, given 0",
    )


def test_vitals_are_read_from_the_metrics_page() -> None:
    """
    Calls in flight and ignored messages by reason are taken from Prometheus' text.
    """
    page = """
# TYPE moderation_messages_total counter
moderation_messages_total{outcome="submitted",reason=""} 52.0
moderation_messages_total{outcome="ignored",reason="no_value"} 2.0
# TYPE moderation_calls_in_flight gauge
moderation_calls_in_flight 64.0
"""

    vitals = read_vitals(page)

    assert vitals.calls_in_flight == 64
    assert vitals.ignored == {"no_value": 2}
