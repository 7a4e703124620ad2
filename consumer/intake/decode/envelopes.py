"""
What carries an event of another kind inside: queues' and topics' messages.

Envelopes are opened, their content is named by its path and read as any message is. A text that holds JSON is one too
(`format.py`), and so is a CloudEvent, with rules of its own: `cloudevents.py`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from consumer.intake.decode.format import Format, read_held
from consumer.intake.decode.members import Document
from consumer.intake.decode.notifications import MAX_RECORDS
from consumer.intake.decode.origin import Origin
from consumer.intake.decode.reasons import Rejection
from consumer.records import Decoded, Ignored, Submission, source_id


class Content(NamedTuple):
    """Something that an envelope holds, and its path in the envelope."""

    held: object
    path: str


def _fits_sns(document: Document) -> bool:
    """`Message`, beside SNS's `TopicArn`, `MessageId` or type `Notification`, also as `Records[].Sns`."""
    return any(content.path.endswith("Message") for content in _contents(document)[:1])


def _fits_sqs(document: Document) -> bool:
    """`body` or `Body`, also as `Records[]` or `Messages[]`; so do Argo Events wrap what its sources receive."""
    return bool(_contents(document))


def _read(document: Document, origin: Origin) -> Decoded:
    """
    Read what an envelope holds, all or nothing. Of several parts each image's id begins with its part's index.

    Nothing is read twice: what is opened is smaller than what it was in, and there are few of them inside one another.

    Raises:
        Undecodable: some part is no upload that can be read.
    """
    parts = _contents(document)
    if len(parts) > MAX_RECORDS:
        raise Rejection.TOO_MANY.at(parts[0].path.partition("[")[0], f"more than {MAX_RECORDS}")
    inner = origin.inside()
    read = [read_held(part.held, part.path, inner) for part in parts]
    if len(read) == 1:
        return read[0]
    kept = [(index, each) for index, part in enumerate(read) if not isinstance(part, Ignored) for each in part]
    if not kept:
        return next(part for part in read if isinstance(part, Ignored))
    if len(kept) > MAX_RECORDS:
        raise Rejection.TOO_MANY.at(parts[0].path.partition("[")[0], f"more than {MAX_RECORDS} images")
    return tuple(_renamed(each, f"{index}.{each.image.id}", len(kept), origin) for index, each in kept)


SNS = Format(name="sns", fits=_fits_sns, read=_read)
SQS = Format(name="sqs", fits=_fits_sqs, read=_read)


def _contents(document: Document) -> Sequence[Content]:
    """Return what an envelope holds; nothing of what is none."""
    if _is_sns(document):
        return [Content(document["Message"], "Message")]
    for member in ("Records", "Messages"):
        entries = document.get(member)
        if isinstance(entries, list) and entries:
            contents = [each for index, entry in enumerate(entries) for each in _of_entry(entry, f"{member}[{index}]")]
            if len(contents) == len(entries):
                return contents
    return _of_body(document, "")


def _is_sns(document: Document) -> bool:
    return isinstance(document.get("Message"), str) and (
        document.get("Type") == "Notification" or "TopicArn" in document or "MessageId" in document
    )


def _of_entry(entry: object, where: str) -> list[Content]:
    if not isinstance(entry, dict):
        return []
    notification = entry.get("Sns")
    if isinstance(notification, dict) and isinstance(notification.get("Message"), str):
        return [Content(notification["Message"], f"{where}.Sns.Message")]
    return _of_body(entry, f"{where}.")


def _of_body(document: Document, where: str) -> list[Content]:
    for name in ("body", "Body"):
        if isinstance(document.get(name), str | dict):
            return [Content(document[name], where + name)]
    return []


def _renamed(submission: Submission, image: str, of: int, origin: Origin) -> Submission:
    return replace(
        submission,
        id=source_id(origin.group, origin.delivery, submission.event_id, image),
        image=replace(submission.image, id=image),
        of=of,
    )
