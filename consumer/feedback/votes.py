"""What a reviewer's decision says to the provider, if anything. Pure: decision and verdict in, vote out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from consumer.feedback import About, Place, Said, Vote
from consumer.locations import ObjectRef

MOST_LABELS: Final = 64


class Decision(Protocol):
    """What a reviewer decided, `moderation.review.v1`, as far as feedback needs it."""

    @property
    def decision(self) -> Said: ...

    @property
    def reviewer(self) -> str: ...

    @property
    def decided_at(self) -> str: ...

    @property
    def feedback(self) -> str: ...

    @property
    def labels_confirmed(self) -> Sequence[str]: ...

    @property
    def labels_rejected(self) -> Sequence[str]: ...


def vote_of(decision: Decision, place: Place, verdict: Mapping[str, Any]) -> Vote:
    """
    Read the vote in a decision about a verdict, which was compared with it and believed.

    Raises:
        KeyError, TypeError: it is no verdict.
    """
    image = verdict["image"]
    return Vote(
        about=about_of(verdict),
        tenant=verdict["tenant"],
        verdict_id=verdict["verdict_id"],
        said=decision.decision,
        proposes=decision.feedback == "propose",
        reviewer=decision.reviewer,
        place=place,
        decided_at=decision.decided_at,
        labels=_labels(decision, verdict),
        object=_object(image),
    )


def about_of(verdict: Mapping[str, Any]) -> About:
    """
    Name the submission that a verdict is about.

    Raises:
        KeyError, TypeError: it is no verdict.
    """
    event = verdict["event"]
    return About(event["topic"], event["partition"], event["offset"], verdict["image"]["id"])


def _labels(decision: Decision, verdict: Mapping[str, Any]) -> tuple[str, ...]:
    """
    The labels that a removal confirms, or that an approval rejects.

    Where the reviewer names none, they are those that were found, without those that the reviewer says the other of.
    """
    confirmed, rejected = decision.labels_confirmed, decision.labels_rejected
    named, others = (confirmed, rejected) if decision.decision == "remove" else (rejected, confirmed)
    return _bounded(named or (label for label in _found(verdict) if label not in others))


def _found(verdict: Mapping[str, Any]) -> Iterable[str]:
    """Labels with a risk. One without says that nothing was found."""
    return (each["label"] for each in verdict.get("findings") or () if each.get("level") != "none")


def _bounded(labels: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(labels)))[:MOST_LABELS]


def _object(image: Mapping[str, Any]) -> ObjectRef | None:
    ref = image.get("ref")
    if ref is None:
        return None
    return ObjectRef(
        store=ref["store"],
        bucket=ref["bucket"],
        key=ref["key"],
        region=ref.get("region"),
        version=image.get("version"),
        etag=image.get("etag"),
    )
