"""
A test that fails is named at once: what ends a run from outside, as a limit of time does, leaves no summary.
"""

import pytest


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
