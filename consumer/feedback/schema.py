"""The ledger's lines as a JSON Schema, from the names that `lines.py` reads by."""

from typing import get_args

from consumer.feedback import REASONS, SCENES, Said, Suggestion
from consumer.feedback.lines import SCHEMA
from consumer.feedback.votes import MOST_LABELS
from consumer.verdicts.shapes import DIALECT, Schema, a_count, a_list, a_text, an_object, or_null


def feedback_schema() -> Schema:
    """Describe `moderation.feedback.v1`: a vote, what the provider was told, or why it was not."""
    return {
        "$schema": DIALECT,
        "$id": f"urn:moderation-consumer:{SCHEMA}",
        "title": SCHEMA,
        "description": "A line of the ledger of feedback. The Kafka key is the same for all that is about one "
        "submission. Where the service has keys, the header feedback_signature seals it. Members that are not named "
        "here are left out.",
        "oneOf": [_vote(), _sent(), _not_sent()],
    }


def _line(description: str, kind: str, **members: Schema) -> Schema:
    return an_object(
        description,
        schema={"description": "The format and its major version.", "const": SCHEMA},
        kind={"description": "Which kind of line.", "const": kind},
        about=an_object(
            "The submission: an image of an upload event.",
            topic=a_text("Where the event was read."),
            partition=a_count("Its partition."),
            offset=a_count("Its offset."),
            image=a_text("Which image of the event."),
        ),
        tenant=a_text("Whose upload it is."),
        **members,
    )


def _vote() -> Schema:
    return _line(
        "What one reviewer decided. Of each reviewer the one with the highest place counts.",
        "vote",
        verdict_id=a_text("The verdict that the reviewer saw."),
        said={"description": "An escalation takes back what was said before.", "enum": list(get_args(Said))},
        proposes={"description": "Whether the provider is to be told.", "type": "boolean"},
        reviewer=a_text("An opaque id."),
        place=an_object(
            "Where the decision stands.",
            topic=a_text("Its topic."),
            partition=a_count("Its partition."),
            offset=a_count("Its offset."),
        ),
        decided_at=a_text("As the review tool wrote it."),
        labels={
            **a_list("That it confirms, of a removal; that it rejects, of an approval.", a_text("A label.")),
            "maxItems": MOST_LABELS,
        },
        object={
            **an_object(
                "That was judged; null where the event named a URL alone.",
                store=a_text("oss or s3, or what a native event says."),
                bucket=a_text("Its bucket."),
                key=a_text("Its key, decoded."),
                region=or_null("The bucket's.", "string"),
                version=or_null("The object's.", "string"),
                etag=or_null("The object's.", "string"),
            ),
            "type": ["object", "null"],
        },
    )


def _sent() -> Schema:
    return _line(
        "What the provider was told. No call takes it back.",
        "sent",
        suggestion=_suggestion(),
        scenes=a_list("What it was told to be, or not to be.", {"description": "One.", "enum": list(SCENES)}),
        url=a_text("Where the provider finds the image."),
        reviewers=a_list("Those who agreed.", a_text("An opaque id.")),
        verdict_ids=a_list("The verdicts that they saw.", a_text("A verdict_id.")),
        sent_at=a_text("RFC 3339."),
        request_id=or_null("The provider's.", "string"),
    )


def _not_sent() -> Schema:
    return _line(
        "Why the provider is not told what reviewers agree on.",
        "not_sent",
        suggestion=_suggestion(),
        reason={"description": "A stable word.", "enum": list(REASONS)},
        code=a_text("The provider's, where it refused; else empty."),
        noted_at=a_text("RFC 3339."),
    )


def _suggestion() -> Schema:
    return {"description": "What the provider is told of the image.", "enum": list(get_args(Suggestion))}
