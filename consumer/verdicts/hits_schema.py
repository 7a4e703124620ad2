"""What a verdict says of libraries, people, logos and texts that were met, as a JSON Schema."""

from consumer.config.privacy import LONGEST_TEXT, MOST_TEXTS
from consumer.verdicts.shapes import Schema, a_count, a_few, a_list, a_number, a_text, an_object, or_null


def hits_schema() -> Schema:
    """Describe a verdict's `hits`."""
    hits = an_object(
        "What libraries, people, logos and texts were met, over all services.",
        image_libraries=a_list("Ids of your image libraries.", a_text("An id.")),
        keyword_libraries=a_list("Ids of your keyword libraries.", a_text("An id.")),
        public_figures=a_count("People that were recognised."),
        logos=a_list("Labels of logos.", a_text("A label.")),
        text_lines=a_count("Lines of text in the image."),
        services=a_list("The same, by service: those that met anything.", _hits_of_a_service()),
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
    name = {"name": or_null("As you called it. Only where privacy.libraries asks for it.", "string")}
    image = {"image": or_null("The id of the image in it that was met, likewise.", "string")}
    location = an_object(
        "A part of the image, in pixels from its upper left corner.",
        x=a_number("From the left."), y=a_number("From the top."), width=a_number("Of it."), height=a_number("Of it."),
    )  # fmt: skip
    people: dict[str, Schema] = {
        "people": a_few(
            "Only where privacy.public_figures asks for hashes or texts, or privacy.locations for places.",
            an_object(
                "A person that was recognised.",
                {
                    "name": or_null("The name or code, or its hash, as privacy.public_figures says.", "string"),
                    "locations": a_few("Where, as privacy.locations says.", location),
                },
            ),
        )
    }
    logo = an_object(
        "A logo that was recognised.",
        {
            "name": or_null("Only where privacy.logos asks for it.", "string"),
            "location": {**location, "type": ["object", "null"], "description": "As privacy.locations says."},
        },
        label=a_text("Its label."),
        confidence={"description": "0 to 100.", "type": ["number", "null"], "minimum": 0, "maximum": 100},
    )
    return an_object(
        "What one service met.",
        people | {"frame": a_count("The image's frame that it was met in, as in findings.")},
        service=a_text("The provider's service."),
        image_libraries=a_few("Of your images.", an_object("A library.", {**name, **image}, id=a_text("Its id."))),
        keyword_libraries=a_few("Of your keywords.", an_object("A library.", name, id=a_text("Its id."))),
        logos=a_few("Logos.", logo),
        public_figures=a_count("People that were recognised."),
        text_lines=a_count("Lines of text in the image."),
        left_out=a_count("Parts that were not as the provider documents them, or beyond the bounds of these lists."),
    )
