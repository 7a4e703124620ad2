"""
What verdicts carry of an image.
"""

from typing import Literal

from pydantic import Field

from consumer.config.base import Settings

Disclosure = Literal["none", "count", "hash", "text"]
MOST_TEXTS = 50
LONGEST_TEXT = 256  # characters


class PrivacySettings(Settings):
    """
    What verdicts carry of an image.

    Of texts: nothing, their number, their hashes (the first 16 bytes of the SHA-256 of each, in hex) or the texts,
    cut to 256 characters. Of hashes and texts at most 50.
    """

    context: Literal["all", "none"] | tuple[str, ...] = Field(
        "all",
        description="What verdicts carry of an event's `context` and `attrs`, for reviewers: `all`, `none`, or a list "
        "of the names of their members.",
    )
    keep_query: bool = Field(
        False, description="Keep the query of image URLs in verdicts. Presigned queries are credentials."
    )
    recognised_text: Disclosure = Field(
        "none",
        description="Lines of text in the image, as `hits.recognised_text`; the policy's info needs textInImage.",
    )
    public_figures: Disclosure = Field(
        "none", description="Names of people, as `hits.figures`; the policy's info needs publicFigure."
    )
    keywords: Disclosure = Field(
        "none", description="Words that were matched, as `hits.keywords`; the policy's info needs textInImage."
    )
    libraries: bool = Field(
        False,
        description="Names of your libraries that were met, and ids of the images in them, in `hits.services`; the "
        "policy's info needs customImage, of keyword libraries textInImage.",
    )
    logos: bool = Field(False, description="Names of logos, in `hits.services`; the policy's info needs logoData.")
    locations: bool = Field(
        False,
        description="Where in the image people and logos are, in `hits.services`; the policy's info needs publicFigure "
        "or logoData.",
    )
