"""
The labels that the vendor's page lists, as a file: generated from the page, with the page's date.

`moderation-consumer policy catalogue` renews it.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

import orjson

_ONE_MEMBER = re.compile(rb'\{\s+("confidence": \w+)\s+\}')

Labels = Mapping[str, bool]
"""By label, whether a finding of it has a confidence."""


class Catalogue(NamedTuple):
    """What a page lists, and the day on which the vendor changed it last."""

    updated: date
    services: Mapping[str, Labels]  # those whose labels are listed
    shared: Labels  # of every service: nothing found, or known to the allowlist


def read(data: bytes) -> Catalogue:
    """Take a catalogue from its file."""
    tree = orjson.loads(data)
    return Catalogue(
        updated=date.fromisoformat(tree["updated"]),
        services={service: _labels(rows) for service, rows in tree["services"].items()},
        shared=_labels(tree["shared"]),
    )


def written(catalogue: Catalogue) -> bytes:
    """Write a catalogue as its file: a line a label, in the page's order."""
    tree = {
        "updated": catalogue.updated.isoformat(),
        "services": {service: _rows(labels) for service, labels in catalogue.services.items()},
        "shared": _rows(catalogue.shared),
    }
    text = orjson.dumps(tree, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return _ONE_MEMBER.sub(rb"{\1}", text)


def _labels(rows: Mapping[str, Mapping[str, bool]]) -> Labels:
    return {label: row["confidence"] for label, row in rows.items()}


def _rows(labels: Labels) -> Mapping[str, Mapping[str, bool]]:
    return {label: {"confidence": has_one} for label, has_one in labels.items()}
