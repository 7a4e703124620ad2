"""
pytest fixtures for the chart. What happens to their tests on a machine without helm is `tests/rig/needs.py`'s.
"""

import pytest

from tests.helm.chart import Charts
from tests.rig.go_tools import HELM


@pytest.fixture(scope="session")
def helm_charts() -> Charts:
    """The chart, and a helm that renders it. Raises `ToolMissing`."""
    return Charts(HELM.command())
