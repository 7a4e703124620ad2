"""
The service with one mechanism switched off: `python -m bench.chaos.without NAME run --config FILE`.

Only the chaos runs start it, to see that they would notice. A mechanism is a function that patches one class of the
service before its command line takes over.
"""

import itertools
import sys
from collections.abc import Callable, Mapping

from consumer.records import Delivery, SourceId


def journal() -> None:
    """Find nothing in the outputs."""
    from consumer.journal.journal import Journal

    def holds(self: Journal, delivery: Delivery, outcome: SourceId) -> bool:
        return False

    Journal.holds = holds  # type: ignore[method-assign]


def registry() -> None:
    """Begin a record anew when it is read again, whatever was begun of it before the rebalance."""
    from consumer import service

    readings = itertools.count()

    def name(delivery: Delivery) -> service.RecordName:
        return service.RecordName(delivery.topic_partition, delivery.offset, next(readings), delivery.epoch)

    service._name = name


def committer() -> None:
    """Commit all that was read, not what lies behind the lowest open record."""
    from consumer.intake.ledger import PartitionLedger

    PartitionLedger.watermark = property(lambda self: self._next)  # type: ignore[assignment,method-assign]


MECHANISMS: Mapping[str, Callable[[], None]] = {"journal": journal, "registry": registry, "committer": committer}


def main() -> None:
    """Switch the mechanism off and hand over to the service's command line."""
    MECHANISMS[sys.argv.pop(1)]()
    from consumer import cli

    cli.main()


if __name__ == "__main__":
    main()
