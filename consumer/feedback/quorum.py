"""
Who agrees with whom about an image: votes and what was sent in, what reviewers agree on out. Pure.

The newest vote of each reviewer counts. Reviewers agree once `quorum` of them said the same, each proposing that the
provider is told, and nobody says the opposite. Who escalates takes back what they said before, and says nothing else.
Nothing here depends on how often a line comes, or on the order of lines about different submissions.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from consumer.feedback import REFUSED, SCENES, About, Line, NotSent, Said, Scene, Sent, Suggestion, Vote
from consumer.locations import ObjectRef

_SUGGESTION: Mapping[Said, Suggestion] = {"approve": "pass", "remove": "block"}


@dataclass(frozen=True, slots=True)
class Agreed:
    """A quorum: all the votes that propose it, in the order of the reviewers."""

    suggestion: Suggestion
    votes: tuple[Vote, ...]

    @property
    def about(self) -> About:
        """The submission."""
        return self.votes[0].about

    @property
    def object(self) -> ObjectRef | None:
        """What was judged. It is the same in every vote: all are about one submission."""
        return self.votes[0].object


@dataclass(slots=True)
class _Image:
    """What is known of one submission."""

    votes: dict[str, Vote] = field(default_factory=dict)  # by reviewer
    told: Suggestion | None = None  # what the provider was told
    is_refused: bool = False
    noted: str = ""  # the reason that the ledger has already

    @property
    def is_over(self) -> bool:
        """Whether nothing more is sent about it."""
        return self.told is not None or self.is_refused


class Quorum:
    """Counts the votes of one partition of the ledger, or of several."""

    def __init__(self, least: int, most: int) -> None:
        """`least` reviewers must agree; of `most` submissions votes are remembered, the oldest are forgotten."""
        self._least = least
        self._most = most
        self._images: OrderedDict[About, _Image] = OrderedDict()
        self._agreed: dict[About, Agreed] = {}
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._images)

    def take(self, line: Line) -> None:
        """Take a line of the ledger."""
        image = self._image(line.about)
        match line:
            case Vote():
                earlier = image.votes.get(line.reviewer)
                if earlier is None or earlier.place <= line.place:
                    image.votes[line.reviewer] = line
            case Sent():
                image.told = line.suggestion
            case NotSent():
                image.noted = line.reason
                image.is_refused = image.is_refused or line.reason == REFUSED
        self._agreed.pop(line.about, None)
        if (agreed := self._count(image)) is not None:
            self._agreed[line.about] = agreed

    def agreed(self, about: About) -> Agreed | None:
        """What reviewers agree on, and the provider was not told yet."""
        return self._agreed.get(about)

    def _count(self, image: _Image) -> Agreed | None:
        if image.is_over:
            return None
        decided = [vote for vote in image.votes.values() if vote.said in _SUGGESTION]
        proposed = [vote for vote in decided if vote.proposes]
        if len({vote.said for vote in decided}) != 1 or len(proposed) < self._least:
            return None
        return Agreed(_SUGGESTION[decided[0].said], tuple(sorted(proposed, key=lambda vote: vote.reviewer)))

    def due(self) -> list[Agreed]:
        """All that reviewers agree on, and the provider was not told yet."""
        return list(self._agreed.values())

    def noted(self, about: About) -> str:
        """The reason that the ledger has for not sending it; empty where it has none."""
        image = self._images.get(about)
        return image.noted if image else ""

    def against(self, sent: Sent) -> tuple[str, ...]:
        """The reviewers whose newest vote is the opposite of what was sent."""
        image = self._images.get(sent.about)
        votes = image.votes.values() if image else ()
        return tuple(
            sorted(vote.reviewer for vote in votes if _SUGGESTION.get(vote.said, sent.suggestion) != sent.suggestion)
        )

    def contradicts(self, vote: Vote) -> bool:
        """Whether the provider was told the opposite of a vote, which no call can take back."""
        image = self._images.get(vote.about)
        said = _SUGGESTION.get(vote.said)
        return image is not None and None not in (image.told, said) and image.told != said

    def _image(self, about: About) -> _Image:
        image = self._images.setdefault(about, _Image())
        self._images.move_to_end(about)
        while len(self._images) > self._most:
            oldest, _ = self._images.popitem(last=False)
            self._agreed.pop(oldest, None)
            self.forgotten += 1
        return image


def agreed_scenes(votes: Sequence[Vote], least: int, scenes_of: Callable[[str], Iterable[Scene]]) -> tuple[Scene, ...]:
    """The scenes that `least` of the votes are about, in the vendor's order."""
    counts = Counter(scene for vote in votes for scene in {each for label in vote.labels for each in scenes_of(label)})
    return tuple(scene for scene in SCENES if counts[scene] >= least)
