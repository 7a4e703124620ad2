"""
What the producers of a topic may claim.
"""

from typing import Annotated

from pydantic import AfterValidator, Field

from consumer.config.base import Settings

_Name = Annotated[str, Field(min_length=1)]


def _host(glob: str) -> str:
    if not glob.isascii() or not glob.isprintable() or any(each in glob for each in "/@ ") or glob.count(":") == 1:
        raise ValueError("is not a host: write its name or address alone, such as cdn.example.com or *.example.com")
    return glob


class SourceSettings(Settings):
    """What the producers of one input topic may claim. What is not given here they may claim as they like."""

    tenants: tuple[_Name, ...] | None = Field(
        None,
        description="Globs on the tenants that the topic's messages may speak for, with regard to case: a native "
        "event's own word (`default` where it says nothing), and that of the binding of a notification's object.",
    )
    purposes: tuple[_Name, ...] | None = Field(None, description="Globs on the purposes, likewise.")
    hosts: tuple[Annotated[_Name, AfterValidator(_host)], ...] | None = Field(
        None,
        description="Globs on the hosts of native events' image URLs, without regard to case; an empty list allows no "
        "URL. Which hosts a binding's template leads to is the operator's word, and not looked at.",
    )
    buckets: tuple[_Name, ...] | None = Field(
        None,
        description="Globs on the buckets that native events and notifications may name, with regard to case. Each "
        "needs a binding all the same, or `oss.buckets`.",
    )
    max_images: Annotated[int, Field(ge=1, le=64)] | None = Field(
        None, description="The most images of one message; without it 16 of a native event and 64 of anything else."
    )
