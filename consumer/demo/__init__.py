"""
The whole service on one machine, with everything it talks to, and a check that all came to what it should.

    this process    broker · images · a private bucket · emulated provider · uploads ─► Kafka ─► the outputs, compared
    its child       the real service, started as its users start it

`uploads.py` says what is uploaded and what must become of it, `outcomes.py` compares, `run.py` is the course of events.
Nothing of the service's own code is used here but its configuration: the demo sees what any subscriber sees.
"""

from dataclasses import dataclass
from pathlib import Path

from consumer.extras import extra


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the command line asks for."""

    events: int = 600
    qps: int = 100
    keep: bool = False
    """Leave everything running after the report, until Ctrl-C."""
    config: Path = Path("config/demo.yaml")


def run_demo(options: DemoOptions) -> int:
    """
    Run the demo on standard output. Returns 0 if all came to what was expected, 1 if not, 130 after Ctrl-C.

    Raises:
        Misconfigured: an option or the configuration is wrong, or what the demo needs is not installed.
    """
    with extra("demo", "The demo"):
        from consumer.demo.run import run

    return run(options)
