"""
The service with one mechanism switched off: `python -m bench.chaos.without NAME run --config FILE`.

Only the chaos runs start it, to see that they would notice. A mechanism is a function that patches one class of the
service before its command line takes over.
"""

import sys
from collections.abc import Callable, Mapping

from consumer.records import Delivery, SourceId


class NotYet(Exception):
    """This mechanism cannot be switched off; the message says which."""


def journal() -> None:
    """Find nothing in the outputs."""
    from consumer.intake.journal import Journal

    def holds(self: Journal, delivery: Delivery, outcome: SourceId) -> bool:
        return False

    Journal.holds = holds  # type: ignore[method-assign]


def registry() -> None:
    """Forget what is in flight when a partition is revoked."""
    raise NotYet("registry: nobody has written how to switch it off")


def committer() -> None:
    """Commit whenever and whatever, after an eviction too."""
    raise NotYet("committer: nobody has written how to switch its rules off")


MECHANISMS: Mapping[str, Callable[[], None]] = {"journal": journal, "registry": registry, "committer": committer}


def main() -> None:
    """Switch the mechanism off and hand over to the service's command line."""
    name = sys.argv.pop(1)
    try:
        MECHANISMS[name]()
    except NotYet as reason:
        sys.exit(f"not yet: {reason}")
    from consumer import cli

    cli.main()


if __name__ == "__main__":
    main()
