"""
Why a message is refused or left out: each word once, with the sentence an operator reads.

The words are metric labels, dead-letter headers and documentation, so they never change their meaning.
"""

from enum import StrEnum
from typing import Self

from consumer.errors import Undecodable
from consumer.records import Ignored


class Explained(StrEnum):
    """A stable word and what it means."""

    sentence: str

    def __new__(cls, word: str, sentence: str) -> Self:
        member = str.__new__(cls, word)
        member._value_ = word
        member.sentence = sentence
        return member


class Rejection(Explained):
    """Why a message is a dead letter."""

    BATCH_TOO_LARGE = "batch_too_large", "A batch of records that is larger than `kafka.max_batch_bytes` once unpacked."
    BATCH_DAMAGED = "batch_damaged", "A damaged batch of records that `kafka.skip_damaged` names."
    TOO_LARGE = (
        "too_large",
        "Key, value and headers together are larger than `kafka.max_message_bytes`.",
    )
    NOT_JSON = "not_json", "The value is no JSON document in UTF-8, or nests more deeply than a parser follows."
    UNRECOGNISED = "unrecognised", "The message has the shape of no known upload event; it may be one all the same."
    UNKNOWN_TYPE = (
        "unknown_type",
        "A CloudEvent that is no known upload; `cloudevents.ignore` does not list its type.",
    )
    UNKNOWN_CREATION = (
        "unknown_creation",
        "A notification of a kind that this release does not know.",
    )
    CLOUDEVENTS_BATCH = "cloudevents_batch", "A batch of CloudEvents, which Kafka's binding does not define."
    UNKNOWN_SCHEMA = "unknown_schema", "The schema's name or major version is one that this release cannot read."
    MISSING_MEMBER = "missing_member", "A required member is absent, null or empty."
    BAD_MEMBER = "bad_member", "A member has the wrong type or a value outside its rules."
    TOO_LONG = "too_long", "A text or URL is longer than its limit."
    TOO_MANY = "too_many", "More than 16 images in an event, or more than 64 records in a notification."
    TOO_DEEP = "too_deep", "A member that is carried on nests too deeply to be written as JSON again."
    DUPLICATE_IMAGE = "duplicate_image", "Two images of one event have the same id."
    AMBIGUOUS = (
        "ambiguous",
        "An image has both `url` and `ref`, and no binding for the object says where it is.",
    )
    BAD_URL = (
        "bad_url",
        "A URL is not http or https, or its readers would not agree on its host, port or user part.",
    )
    BAD_KEY = "bad_key", "An object's key is not UTF-8 once decoded, or no URL can name the object."
    UNBOUND_BUCKET = (
        "unbound_bucket",
        "No binding covers the object, so nothing says whose it is or where; nor does `oss.buckets` open its bucket.",
    )
    NOT_ALLOWED = "not_allowed", "The message claims more than `sources` allows the producers of its topic."
    NO_REGION = "no_region", "The provider is to read the bucket, but neither event nor binding says its region."
    INTERNAL = "internal", "A bug of this service: it could not decode the message, and `dlq_error` names the error."

    def at(self, where: str, what: str) -> Undecodable:
        """Make the error: `where` is the member's path, `what` never holds the member's value."""
        return Undecodable(self.value, f"{where}: {what}")


class Omission(Explained):
    """Why a message asks for nothing."""

    NO_VALUE = "no_value", "A Kafka record without a value, such as a tombstone."
    NOT_AN_UPLOAD = "not_an_upload", "A CloudEvent that is no upload, of a type that `cloudevents.ignore` lists."
    NOT_A_CREATION = (
        "not_a_creation",
        "A notification of a kind that creates no object: a removal, a part, a tag.",
    )
    NOT_INCLUDED = (
        "not_included",
        "The binding's `include` leaves the object out.",
    )
    TEST_EVENT = "test_event", "The message that S3 sends once when notifications are set up."

    @property
    def ignored(self) -> Ignored:
        """The outcome of a message for which this is the reason."""
        return Ignored(self.value)
