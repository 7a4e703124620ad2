"""
What `encode.py` writes, as JSON Schemas: the verdict's value, and a dead letter's headers.

Subscribers must allow for members that they do not know: later versions add some.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from consumer.config.privacy import LONGEST_TEXT, MOST_TEXTS
from consumer.errors import kinds
from consumer.records import STRICTNESS, Decision

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ID = "^[0-9a-f]{32}$"
_SHA256 = "^[0-9a-f]{64}$"
_FLOORS = sorted((each for each in Decision if STRICTNESS[each]), key=STRICTNESS.__getitem__)
_MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"
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
        **_object(
            "The decision about one image.",
            {
                "identity": _or_null(_IDENTITY, "string"),
                "shadow": _shadow(),
                "review": _review(),
                "supersedes": {"description": "The verdict_id that it replaces.", "type": "string", "pattern": _ID},
            },
            schema={"description": "The format and its major version.", "const": "moderation.verdict.v1"},
            verdict_id={
                "description": "Names the image of the message, the same on every repetition of its verdict.",
                "type": "string",
                "pattern": _ID,
            },
            tenant=_text("Whose upload it is: the event's word or the binding's."),
            purpose=_text("What the image is for: the event's word or the binding's."),
            subject=_object(
                "What the image belongs to.",
                id=_text("The event's; of a bucket notification, bucket and key."),
                revision=_or_null("The event's: of two verdicts the higher one is newer.", "integer"),
                type=_or_null("The event's.", "string"),
            ),
            event=_object(
                "Where the upload event was read.",
                id=_text("The event's own id, or one made from the notification's content."),
                time=_text("When it happened, as the producer wrote it."),
                topic=_text("The Kafka topic it was read from."),
                partition=_count("Its partition."),
                offset=_count("Its offset."),
            ),
            image=_object(
                "Which image of the event.",
                id=_text("The event's, or the image's index in it."),
                of={"description": "Images in the event.", "type": "integer", "minimum": 1},
                url=_or_null(
                    "The event's, where that was asked about; without its query, unless privacy.keep_query.", "string"
                ),
                ref={
                    **_object(
                        "The object, where the event names one; then that was asked about, and url is null.",
                        store=_text("oss or s3, or what a native event says."),
                        bucket=_text("Its bucket."),
                        key=_text("Its key, decoded."),
                        region=_or_null("The bucket's.", "string"),
                    ),
                    "type": ["object", "null"],
                },
                sha256=_or_null("Of the bytes that were judged; null where this service did not have them.", "string"),
                sha256_claimed=_or_null(
                    "As the event says. Compared with the image only where there is a sha256: they are the same, or "
                    "the error is fetch, changed.",
                    "string",
                ),
                mime=_or_null("As the event says.", "string"),
                bytes=_or_null("The size, as the event says.", "integer"),
                version=_or_null(
                    "The object's, where the event names one: no other was judged. Null: as it was when it was asked "
                    "about.",
                    "string",
                ),
                etag=_or_null(
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
            sequence=_count(
                "Of two verdicts about an image the one with the higher number counts, but for people's: 0 is "
                "provisional, 1 the first final one, each that supersedes another has one more."
            ),
            provisional={"description": "Whether a later verdict may replace this one.", "type": "boolean"},
            floor={
                **_object(
                    "The least that a pinned rule asks for: no overlay makes it milder. Null where none matched.",
                    rule=_text("The rule."),
                    decision={"description": "At least this.", "enum": [each.value for each in _FLOORS]},
                ),
                "type": ["object", "null"],
            },
            asked=_object(
                "What the provider was asked about the image; which service answered is in provider.calls.",
                services=_list("The provider's services; none where nothing was asked.", _text("A service.")),
                info=_list("What was to be told in hits beside the labels.", _text("A word of the provider's.")),
            ),
            coverage={
                **_object(
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
            risk_level=_or_null("The provider's overall level; null where it gave none.", "string"),
            reasons=_list("What made the decision.", _finding(rule=True)),
            findings=_list("Everything that was found.", _finding(rule=False)),
            hits=_hits(),
            provider=_object(
                "Who was asked.",
                name=_text("The provider and its API."),
                region=_or_null("The provider's region that answered, or failed last.", "string"),
                request_id=_or_null("The provider's, of the first answer: for questions to its support.", "string"),
                code=_or_null("200 where there is an answer.", "integer"),
                attempts=_count("Calls sent, failed ones included."),
                billed_calls=_count("Calls that the provider charges for; of its 1.0 API scenes."),
                calls=_list(
                    "The last call of each service, and frame, that was asked about; a minimal verdict lists none.",
                    _object(
                        "One call.",
                        service=_or_null("The provider's service; null where none was asked.", "string"),
                        region=_or_null("The provider's region.", "string"),
                        request_id=_or_null("The provider's, where it answered: for its support.", "string"),
                        code=_text("200, or why there is no answer, as in error."),
                        frame=_or_null("The image's frame that it was about, as in findings.", "integer"),
                    ),
                ),
            ),
            policy=_policy("What decided."),
            error={
                **_object(
                    "Why the image, or one service's part, could not be judged. Null where all were answered.",
                    **{
                        "class": {
                            "description": "Whose fault it is.",
                            "enum": kinds(),
                        },
                        "code": _text("The provider's or the transport's word, never free text."),
                        "service": _or_null("Which service could not answer; null where none was asked.", "string"),
                    },
                ),
                "type": ["object", "null"],
            },
            context=_or_null("The event's, as far as privacy.context shows it; null where it is in omitted.", "object"),
            attrs=_or_null("The event's, likewise.", "object"),
            omitted=_list(
                "What was left out because it was too large or could not be written: members, a dot between them.",
                _text("A member's name; extra stands for the event's members that this release does not know."),
            ),
            timing=_object(
                "When and how long.",
                {
                    "as_of": {
                        "description": "Where it supersedes another: for which moment rules that end were looked at.",
                        "type": "string",
                        "pattern": _MOMENT,
                    }
                },
                received={"description": "When the message was read.", "type": "string", "pattern": _MOMENT},
                decided={"description": "When the decision was made.", "type": "string", "pattern": _MOMENT},
                queued_ms=_or_null("From reading to the call that was answered.", "integer"),
                provider_ms=_or_null("What the answered calls took.", "integer"),
            ),
            engine=_text("Which release of this service."),
        ),
    }  # fmt: skip


def dead_letter_schema(reasons: Iterable[str]) -> Schema:
    """Describe the headers that are added to a dead letter, as texts by name; `reasons` are the decoder's words."""
    return {
        "$schema": DIALECT,
        "$id": "urn:moderation-consumer:dead-letter-headers",
        "title": "Headers of a dead letter",
        **_object(
            "Key and value are the message's own, byte for byte. Its own headers stay as well; one that has a name "
            "from here is called original_….",
            _OF_CUT_LETTERS,
            dlq_reason={"description": "A stable word.", "enum": list(reasons)},
            dlq_stage={"description": "Where it failed.", "const": "decode"},
            dlq_error={"description": "Which member, and what is wrong with it.", "type": "string", "maxLength": 256},
            dlq_source_topic=_text("Where the message was read from."),
            dlq_source_partition={"description": "Its partition.", "type": "string", "pattern": "^[0-9]+$"},
            dlq_source_offset={"description": "Its offset.", "type": "string", "pattern": "^[0-9]+$"},
            dlq_time={"description": "When it was refused.", "type": "string", "pattern": _MOMENT},
            dlq_id={"description": "Names the message, as a verdict_id does.", "type": "string", "pattern": _ID},
            source_group=_text("Which consumer group refused it."),
        ),
    }


def _review() -> Schema:
    said = dict.fromkeys(("topic", "reviewer", "decided_at"), _text("As the decision's record has it."))
    said |= dict.fromkeys(("partition", "offset"), _count("Where that stands."))
    said |= dict.fromkeys(("labels_confirmed", "labels_rejected"), _list("Likewise.", _text("A label.")))
    said["overrides"] = _or_null("The pinned rule below whose floor a lead went.", "string")
    return _object("The decision, where decided_by is human.", **said)


def _shadow() -> Schema:
    decision = {"description": "What it would be.", "enum": [decision.value for decision in Decision]}
    rules = _object(
        "With every rule of the policy that is in shadow, or rolled out to others; where that is another decision.",
        decision=decision,
        rules={**_list("Those of them that make the difference; 16 at most.", _text("A rule.")), "maxItems": 16},
    )
    candidate = _object(
        "By the policy in shadow, where there is one.",
        policy=_policy("Which one."),
        decision=decision,
        rules={**_list("Rules and defaults that make it; 16 at most.", _text("A rule.")), "maxItems": 16},
        unknown={
            **_list(
                "What it would ask for, and was not asked: it may be stricter.",
                _text("services or info, a dot, a name."),
            ),
            "maxItems": 16,
        },
    )
    described = "What would have been decided otherwise. Nothing may act on it."
    return _object(described, {"rules": rules, "candidate": candidate})


def _policy(description: str) -> Schema:
    return _object(
        description,
        id=_text("Its name."),
        version={"description": "Its version.", "type": "integer"},
        sha256=_text("Of its file."),
    )


def _finding(*, rule: bool) -> Schema:
    described: dict[str, Schema] = {
        "service": _text("The provider's service that found it."),
        "label": _text("What it found. The set of labels is open."),
        "confidence": {"description": "0 to 100.", "type": ["number", "null"], "minimum": 0, "maximum": 100},
        "level": _text("The risk level that counts: the label's own, or the overall one."),
        "frame": _or_null("Which of the image's frames, from 0; null where the provider had the file.", "integer"),
    }
    if rule:
        described = {
            "rule": _text("Which rule or default decided."),
            **described,
            "level_source": {"description": "Whose level it is.", "enum": ["label", "overall", "coverage"]},
        }
    return _object("A finding that made the decision." if rule else "A finding.", **described)


def _hits() -> Schema:
    hits = _object(
        "What libraries, people, logos and texts were met, over all services.",
        image_libraries=_list("Ids of your image libraries.", _text("An id.")),
        keyword_libraries=_list("Ids of your keyword libraries.", _text("An id.")),
        public_figures=_count("People that were recognised."),
        logos=_list("Labels of logos.", _text("A label.")),
        text_lines=_count("Lines of text in the image."),
        services=_list("The same, by service: those that met anything.", _hits_of_a_service()),
    )
    for name, setting in (
        ("recognised_text", "recognised_text"),
        ("figures", "public_figures"),
        ("keywords", "keywords"),
    ):
        hits["properties"][name] = {
            "description": f"Only where privacy.{setting} asks for it: a count, hashes or texts.",
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "array", "maxItems": MOST_TEXTS, "items": {"type": "string", "maxLength": LONGEST_TEXT}},
            ],
        }
    return hits


def _hits_of_a_service() -> Schema:
    name = {"name": _or_null("As you called it. Only where privacy.libraries asks for it.", "string")}
    image = {"image": _or_null("The id of the image in it that was met, likewise.", "string")}
    location = _object(
        "A part of the image, in pixels from its upper left corner.",
        x=_number("From the left."), y=_number("From the top."), width=_number("Of it."), height=_number("Of it."),
    )  # fmt: skip
    people: dict[str, Schema] = {
        "people": _few(
            "Only where privacy.public_figures asks for hashes or texts, or privacy.locations for places.",
            _object(
                "A person that was recognised.",
                {
                    "name": _or_null("The name or code, or its hash, as privacy.public_figures says.", "string"),
                    "locations": _few("Where, as privacy.locations says.", location),
                },
            ),
        )
    }
    logo = _object(
        "A logo that was recognised.",
        {
            "name": _or_null("Only where privacy.logos asks for it.", "string"),
            "location": {**location, "type": ["object", "null"], "description": "As privacy.locations says."},
        },
        label=_text("Its label."),
        confidence={"description": "0 to 100.", "type": ["number", "null"], "minimum": 0, "maximum": 100},
    )
    return _object(
        "What one service met.",
        people | {"frame": _count("The image's frame that it was met in, as in findings.")},
        service=_text("The provider's service."),
        image_libraries=_few("Of your images.", _object("A library.", {**name, **image}, id=_text("Its id."))),
        keyword_libraries=_few("Of your keywords.", _object("A library.", name, id=_text("Its id."))),
        logos=_few("Logos.", logo),
        public_figures=_count("People that were recognised."),
        text_lines=_count("Lines of text in the image."),
        left_out=_count("Parts that were not as the provider documents them, or beyond the bounds of these lists."),
    )


_OF_CUT_LETTERS: dict[str, Schema] = {
    "dlq_truncated": {"description": "The value is only the beginning of the message's.", "const": "true"},
    "dlq_size": {"description": "Bytes of the message's value.", "type": "string", "pattern": "^[0-9]+$"},
    "dlq_sha256": {"description": "Of the message's value.", "type": "string", "pattern": _SHA256},
    "dlq_key_size": {"description": "Bytes of the key, which is not kept.", "type": "string", "pattern": "^[0-9]+$"},
    "dlq_key_sha256": {"description": "Of the key; it is the letter's key.", "type": "string", "pattern": _SHA256},
    "dlq_headers_omitted": {
        "description": "How many of the message's headers are not kept.",
        "type": "string",
        "pattern": "^[0-9]+$",
    },
}
"""Headers of a dead letter whose message is too large to be kept whole."""


def _object(description: str, optional: Mapping[str, Schema] | None = None, /, **members: Schema) -> Schema:
    return {
        "description": description,
        "type": "object",
        "required": list(members),
        "properties": {**members, **(optional or {})},
    }


def _list(description: str, items: Schema) -> Schema:
    return {"description": description, "type": "array", "items": items}


def _few(description: str, items: Schema) -> Schema:
    return {**_list(description, items), "maxItems": MOST_TEXTS}


def _number(description: str) -> Schema:
    return {"description": description, "type": "number"}


def _text(description: str) -> Schema:
    return {"description": description, "type": "string"}


def _count(description: str) -> Schema:
    return {"description": description, "type": "integer", "minimum": 0}


def _or_null(description: str, kind: str) -> Schema:
    return {"description": description, "type": [kind, "null"]}
