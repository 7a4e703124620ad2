"""
What `encode.py` writes of a verdict, as a JSON Schema.

Subscribers must allow for members that they do not know: later versions add some.
"""

from consumer.errors import kinds
from consumer.records import STRICTNESS, Decision
from consumer.verdicts.hits_schema import hits_schema
from consumer.verdicts.shapes import DIALECT, ID, MOMENT, Schema, a_count, a_list, a_text, an_object, or_null

_FLOORS = sorted((each for each in Decision if STRICTNESS[each]), key=STRICTNESS.__getitem__)
_IDENTITY = (
    "By what a rollout knows the image: `sha256:` and the hash of the bytes that were judged, or `version:` and the "
    "object's bucket, key and version, or else `event:` and the ids of event and image. Null where it is in omitted."
)


def verdict_schema() -> Schema:
    """Describe `moderation.verdict.v1`, the value of a verdict."""
    return {
        "$schema": DIALECT,
        "$id": "urn:moderation-consumer:moderation.verdict.v1",
        "title": "moderation.verdict.v1",
        **an_object(
            "The decision about one image.",
            {
                "identity": or_null(_IDENTITY, "string"),
                "shadow": _shadow(),
                "review": _review(),
                "supersedes": {"description": "The verdict_id that it replaces.", "type": "string", "pattern": ID},
            },
            schema={"description": "The format and its major version.", "const": "moderation.verdict.v1"},
            verdict_id={
                "description": "Names the image of the message, the same on every repetition of its verdict.",
                "type": "string",
                "pattern": ID,
            },
            tenant=a_text("Whose upload it is: the event's word or the binding's."),
            purpose=a_text("What the image is for: the event's word or the binding's."),
            subject=an_object(
                "What the image belongs to.",
                id=a_text("The event's; of a bucket notification, bucket and key."),
                revision=or_null("The event's: of two verdicts the higher one is newer.", "integer"),
                type=or_null("The event's.", "string"),
            ),
            event=an_object(
                "Where the upload event was read.",
                id=a_text("The event's own id, or one made from the notification's content."),
                time=a_text("When it happened, as the producer wrote it."),
                topic=a_text("The Kafka topic it was read from."),
                partition=a_count("Its partition."),
                offset=a_count("Its offset."),
            ),
            image=an_object(
                "Which image of the event.",
                id=a_text("The event's, or the image's index in it."),
                of={"description": "Images in the event.", "type": "integer", "minimum": 1},
                url=or_null(
                    "The event's, where that was asked about; without its query, unless privacy.keep_query.", "string"
                ),
                ref={
                    **an_object(
                        "The object, where the event names one; then that was asked about, and url is null.",
                        store=a_text("oss or s3, or what a native event says."),
                        bucket=a_text("Its bucket."),
                        key=a_text("Its key, decoded."),
                        region=or_null("The bucket's.", "string"),
                    ),
                    "type": ["object", "null"],
                },
                sha256=or_null("Of the bytes that were judged; null where this service did not have them.", "string"),
                sha256_claimed=or_null(
                    "As the event says. Compared with the image only where there is a sha256: they are the same, or "
                    "the error is fetch, changed.",
                    "string",
                ),
                mime=or_null("As the event says.", "string"),
                bytes=or_null("The size, as the event says.", "integer"),
                version=or_null(
                    "The object's, where the event names one: no other was judged. Null: as it was when it was asked "
                    "about.",
                    "string",
                ),
                etag=or_null(
                    "The object's, as the event says. Where this service read it from a store, and version is null, no "
                    "object with another ETag was judged.",
                    "string",
                ),
            ),
            decision={
                "description": "What is to become of the image.",
                "enum": [decision.value for decision in Decision],
            },
            decided_by={
                "description": "policy; fallback for an image that could not be judged; breaker, where a block became "
                "a review because too many were to be blocked; human.",
                "enum": ["policy", "fallback", "breaker", "human"],
            },
            cause={
                "description": "Why there is this verdict: an upload; deadline, where no answer came in time; "
                "policy_change, where it was decided again; rescan, where it was asked about again; human.",
                "enum": ["upload", "deadline", "policy_change", "rescan", "human"],
            },
            sequence=a_count(
                "Of two verdicts about an image the one with the higher number counts, but for people's: 0 is "
                "provisional, 1 the first final one, each that supersedes another has one more."
            ),
            provisional={"description": "Whether a later verdict may replace this one.", "type": "boolean"},
            floor={
                **an_object(
                    "The least that a pinned rule asks for: no overlay makes it milder. Null where none matched.",
                    rule=a_text("The rule."),
                    decision={"description": "At least this.", "enum": [each.value for each in _FLOORS]},
                ),
                "type": ["object", "null"],
            },
            asked=an_object(
                "What the provider was asked about the image; which service answered is in provider.calls.",
                services=a_list("The provider's services; none where nothing was asked.", a_text("A service.")),
                info=a_list("What was to be told in hits beside the labels.", a_text("A word of the provider's.")),
            ),
            coverage={
                **an_object(
                    "How much of the image was looked at. Null where no service has answered.",
                    frames={
                        "description": "Frames looked at, and frames that there are; null where that is not known.",
                        "type": "array",
                        "prefixItems": [{"type": "integer", "minimum": 1}, {"type": ["integer", "null"]}],
                        "minItems": 2,
                        "maxItems": 2,
                    },
                    scaled={"description": "Whether it has fewer pixels than the image.", "type": "boolean"},
                ),
                "type": ["object", "null"],
            },
            risk_level=or_null("The provider's overall level; null where it gave none.", "string"),
            reasons=a_list("What made the decision.", _finding(rule=True)),
            findings=a_list("Everything that was found.", _finding(rule=False)),
            hits=hits_schema(),
            provider=an_object(
                "Who was asked.",
                name=a_text("The provider and its API."),
                region=or_null("The provider's region that answered, or failed last.", "string"),
                request_id=or_null("The provider's, of the first answer: for questions to its support.", "string"),
                code=or_null("200 where there is an answer.", "integer"),
                attempts=a_count("Calls sent, failed ones included."),
                billed_calls=a_count("Calls that the provider charges for; of its 1.0 API scenes."),
                calls=a_list(
                    "The last call of each service, and frame, that was asked about; a minimal verdict lists none.",
                    an_object(
                        "One call.",
                        service=or_null("The provider's service; null where none was asked.", "string"),
                        region=or_null("The provider's region.", "string"),
                        request_id=or_null("The provider's, where it answered: for its support.", "string"),
                        code=a_text("200, or why there is no answer, as in error."),
                        frame=or_null("The image's frame that it was about, as in findings.", "integer"),
                    ),
                ),
            ),
            policy=_policy("What decided."),
            error={
                **an_object(
                    "Why the image, or one service's part, could not be judged. Null where all were answered.",
                    **{
                        "class": {
                            "description": "Whose fault it is.",
                            "enum": kinds(),
                        },
                        "code": a_text("The provider's or the transport's word, never free text."),
                        "service": or_null("Which service could not answer; null where none was asked.", "string"),
                    },
                ),
                "type": ["object", "null"],
            },
            context=or_null("The event's, as far as privacy.context shows it; null where it is in omitted.", "object"),
            attrs=or_null("The event's, likewise.", "object"),
            omitted=a_list(
                "What was left out because it was too large or could not be written: members, a dot between them.",
                a_text("A member's name; extra stands for the event's members that this release does not know."),
            ),
            timing=an_object(
                "When and how long.",
                {
                    "as_of": {
                        "description": "Where it supersedes another: for which moment rules that end were looked at.",
                        "type": "string",
                        "pattern": MOMENT,
                    }
                },
                received={"description": "When the message was read.", "type": "string", "pattern": MOMENT},
                decided={"description": "When the decision was made.", "type": "string", "pattern": MOMENT},
                queued_ms=or_null("From reading to the call that was answered.", "integer"),
                provider_ms=or_null("What the answered calls took.", "integer"),
            ),
            engine=a_text("Which release of this service."),
        ),
    }  # fmt: skip


def _review() -> Schema:
    said = dict.fromkeys(("topic", "reviewer", "decided_at"), a_text("As the decision's record has it."))
    said |= dict.fromkeys(("partition", "offset"), a_count("Where that stands."))
    said |= dict.fromkeys(("labels_confirmed", "labels_rejected"), a_list("Likewise.", a_text("A label.")))
    said["overrides"] = or_null("The pinned rule below whose floor a lead went.", "string")
    return an_object("The decision, where decided_by is human.", **said)


def _shadow() -> Schema:
    decision = {"description": "What it would be.", "enum": [decision.value for decision in Decision]}
    rules = an_object(
        "With every rule of the policy that is in shadow, or rolled out to others; where that is another decision.",
        decision=decision,
        rules={**a_list("Those of them that make the difference; 16 at most.", a_text("A rule.")), "maxItems": 16},
    )
    candidate = an_object(
        "By the policy in shadow, where there is one.",
        policy=_policy("Which one."),
        decision=decision,
        rules={**a_list("Rules and defaults that make it; 16 at most.", a_text("A rule.")), "maxItems": 16},
        unknown={
            **a_list(
                "What it would ask for, and was not asked: it may be stricter.",
                a_text("services or info, a dot, a name."),
            ),
            "maxItems": 16,
        },
    )
    described = "What would have been decided otherwise. Nothing may act on it."
    return an_object(described, {"rules": rules, "candidate": candidate})


def _policy(description: str) -> Schema:
    return an_object(
        description,
        id=a_text("Its name."),
        version={"description": "Its version.", "type": "integer"},
        sha256=a_text("Of its file."),
    )


def _finding(*, rule: bool) -> Schema:
    described: dict[str, Schema] = {
        "service": a_text("The provider's service that found it."),
        "label": a_text("What it found. The set of labels is open."),
        "confidence": {"description": "0 to 100.", "type": ["number", "null"], "minimum": 0, "maximum": 100},
        "level": a_text("The risk level that counts: the label's own, or the overall one."),
        "frame": or_null("Which of the image's frames, from 0; null where the provider had the file.", "integer"),
    }
    if rule:
        described = {
            "rule": a_text("Which rule or default decided."),
            **described,
            "level_source": {"description": "Whose level it is.", "enum": ["label", "overall", "coverage"]},
        }
    return an_object("A finding that made the decision." if rule else "A finding.", **described)
