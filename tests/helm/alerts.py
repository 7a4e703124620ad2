"""
The chart's alerts, made from those of docs/operations.md.

    python -m tests.helm.alerts     writes them
"""

import re

from tests.helm.chart import CHART
from tests.rig.replica import ROOT

ALERTS = CHART / "files" / "alerts.yaml"
_FENCED = re.compile(r"^```yaml prometheus\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def alerts_of(page: str) -> str:
    """The groups of alerts that a page has, as YAML. Raises ValueError where it does not have them once."""
    [text] = _FENCED.findall(page)
    return str(text)


if __name__ == "__main__":
    ALERTS.write_text(alerts_of((ROOT / "docs" / "operations.md").read_text()))
