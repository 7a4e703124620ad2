"""
The event formats, in the order in which they are tried.

A new one is a file with its `Format`, a line here, a row and a section in docs/events.md, and a sample for the tests.
"""

from typing import Final

from consumer.intake.decode import cloudevents, envelopes, eventbridge, native, oss, s3
from consumer.intake.decode.format import Formats

FORMATS: Final = Formats(
    cloudevents.STRUCTURED,
    cloudevents.BATCH,
    cloudevents.FOREIGN,
    cloudevents.BINARY,
    s3.RECORDS,
    eventbridge.EVENT,
    oss.EVENTS,
    s3.ARGO,
    native.UPLOADED,
    s3.TEST,
    oss.IN_CLOUDEVENT,
    s3.IN_CLOUDEVENT,
    envelopes.SNS,
    envelopes.SQS,
)
