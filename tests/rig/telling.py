"""
A test that fails is named at once: what ends a run from outside, as a limit of time does, leaves no summary. A worker
that dies is told with its exit status, which xdist does not say: a negative one is the signal that ended it.
"""

import subprocess
from typing import Any

import pytest

LONGEST_END = 10.0  # seconds


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Telling(reporter))


class Telling:
    """Writes a line for each test that failed, and how."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            reason = (report.longreprtext.strip() or "no reason").splitlines()[-1]
            self._reporter.ensure_newline()
            self._reporter.write_line(f"FAILED at {report.when}: {report.nodeid} - {reason}")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        process: subprocess.Popen[bytes] | None = getattr(node.gateway._io, "popen", None)
        if error is None or process is None:
            return
        try:
            status = process.wait(LONGEST_END)
        except subprocess.TimeoutExpired:
            self._reporter.write_line(f"{node.gateway.id} says nothing any more, and has not ended")
        else:
            self._reporter.write_line(f"{node.gateway.id} ended with status {status}")
