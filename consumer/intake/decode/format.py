"""
What a format of events is: one value, in a file of its own, and one line in `formats.py`.

A format may be recognised by three things: a message's headers, the type of the CloudEvent that carries it, the
shape of the document. Each is asked of all formats in their order, and the first that answers counts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from consumer.errors import Undecodable
from consumer.intake.decode.members import Document, document_in
from consumer.intake.decode.origin import Origin
from consumer.intake.decode.reasons import Rejection
from consumer.records import Decoded, Headers

TEXT = "text"

Reader = Callable[[Origin], Decoded]
HeadersByName = Mapping[str, bytes | None]
"""In lower case; of a name that repeats, the last counts."""


def never(_: object) -> bool:
    """Recognise nothing: for formats that are recognised by something else."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How a message or a document is recognised as a format, and how it is read."""

    name: str
    """Metrics and `decode` show it."""
    read: Callable[[Any, Origin], Decoded]
    """Read a document of this format. `Undecodable` escapes, and nothing else."""
    declared: Callable[[HeadersByName], bool] = never
    """Tell whether a message's headers say that it is of this format."""
    reads_bytes: bool = False
    """Whether `read` takes the value of a message whose headers declare the format as it is, not parsed."""
    fits: Callable[[Document], bool] = never
    """Tell whether a document has this format's shape."""
    shape: Mapping[str, Any] | None = None
    """What `fits` asks for, as a JSON Schema. A format needs it if it comes before the native one."""
    in_cloudevent: Callable[[str, Document], Document | None] | None = None
    """
    Return what `read` shall read where a CloudEvent of this type carries this data, None where that is not of this
    format. Without it `fits` decides, as everywhere else.
    """
    promised_by: tuple[str, ...] = ()
    """How the types of CloudEvents begin that promise an upload: what does not keep the promise is never ignored."""
    not_uploads: tuple[str, ...] = ()
    """How the types of CloudEvents begin that are known to be about no object."""


class Recognised(NamedTuple):
    """The name of a format, and how to read what was found to be of it."""

    format: str
    read: Reader
    """`Undecodable` escapes, and nothing else."""


class Formats:
    """The formats that are known, in their order."""

    def __init__(self, *formats: Format) -> None:
        self.all = formats
        self.promised_by = tuple(beginning for each in formats for beginning in each.promised_by)
        self.not_uploads = tuple(beginning for each in formats for beginning in each.not_uploads)
        # Most messages are native: no format is asked what it cannot answer.
        self.by_headers = [each for each in formats if each.declared is not never]
        self.by_shape = [each for each in formats if each.fits is not never]
        self._by_cloudevent = [(each, each.in_cloudevent) for each in formats if each.in_cloudevent is not None]
        self._shapes_of_data = [each for each in self.by_shape if each.in_cloudevent is None]

    def declared(self, headers: Headers) -> Format | None:
        """Return the format that a message's headers declare, if they do."""
        if not headers:
            return None
        names = by_name(headers)
        return next((each for each in self.by_headers if each.declared(names)), None)

    def recognised(self, held: object) -> Recognised | None:
        """
        Tell the format of what a value or an envelope holds; None of what has an upload's shape nowhere.

        A text is looked into: it is one more envelope.
        """
        if isinstance(held, str):
            inside = document_in(held)
            return None if inside is None else Recognised(TEXT, partial(_read_text, inside))
        return _by_shape(held, self.by_shape) if isinstance(held, dict) else None

    def in_cloudevent(self, kind: str, data: Document) -> Recognised | None:
        """Tell the format of what a CloudEvent of this type carries."""
        for each, tell in self._by_cloudevent:
            if (document := tell(kind, data)) is not None:
                return Recognised(each.name, partial(each.read, document))
        return _by_shape(data, self._shapes_of_data)


def list_shape(member: str, holding: str) -> Mapping[str, Any]:
    """Describe a document with a list of which some object holds a member."""
    some = {"type": "array", "contains": {"type": "object", "required": [holding]}}
    return {"required": [member], "properties": {member: some}}


def by_name(headers: Headers) -> HeadersByName:
    """Of a name that repeats the last counts, as for Kafka's own clients; HTTP bridges capitalise names."""
    return {name.lower(): value for name, value in headers}


def read_held(held: object, path: str, origin: Origin) -> Decoded:
    """
    Read what an envelope holds at a path.

    Raises:
        Undecodable: it is no upload that can be read.
    """
    found = origin.formats.recognised(held)
    if found is None:
        raise Rejection.UNRECOGNISED.at(path or "value", "holds no JSON object with the shape of a known event")
    try:
        return found.read(origin)
    except Undecodable as error:
        raise Undecodable(error.reason, (f"{path}." if path else "") + error.detail) from None


def _by_shape(document: Document, formats: list[Format]) -> Recognised | None:
    for each in formats:
        if each.fits(document):
            return Recognised(each.name, partial(each.read, document))
    return None


def _read_text(inside: Document, origin: Origin) -> Decoded:
    return read_held(inside, "", origin.inside())
