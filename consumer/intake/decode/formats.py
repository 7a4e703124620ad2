"""
The event formats that are told by a document's shape, in the order in which they are tried.

What Kafka's headers say, and CloudEvents, come before these: `__init__.py` asks them first.
"""

from collections.abc import Callable
from dataclasses import dataclass

from consumer.intake.decode import eventbridge, native, oss, s3
from consumer.intake.decode.members import Document
from consumer.intake.decode.origin import Origin
from consumer.records import Decoded

Reader = Callable[[Origin], Decoded]


@dataclass(frozen=True, slots=True)
class Format:
    """A shape and its reader."""

    name: str
    fits: Callable[[Document], bool]
    read: Callable[[Document, Origin], Decoded]


NOTIFICATIONS = (
    Format("s3", s3.fits, s3.read),
    Format("s3_eventbridge", eventbridge.fits, eventbridge.read),
    Format("oss", oss.fits, oss.read),
    Format("argo", s3.fits_argo, s3.read_argo),
)
BARE = (
    *NOTIFICATIONS,
    Format("native", native.fits, native.read),
    Format("s3_test", s3.is_test, s3.read_test),
)
