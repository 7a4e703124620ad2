"""
What people said of images, and what that changes. Pure.

Assumed: feedback holds from its answer on, in its scenes, for every similar image; what was said last wins; the
account's libraries come before it, and it before what the image is judged to be. Whether the vendor's 2.0 API goes by
it is not established: here it does not.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

from consumer.emulator.scan.likeness import Print


@dataclass(frozen=True, slots=True)
class Said:
    """One feedback. `image` is the URL without its query."""

    id: int
    suggestion: Literal["pass", "block"]
    scenes: tuple[str, ...]
    image: str
    label: str
    note: str
    print: Print

    def json(self) -> dict[str, Any]:
        """As `GET /emulator/feedback` shows it."""
        return {
            "id": self.id,
            "suggestion": self.suggestion,
            "scenes": list(self.scenes),
            "image": self.image,
            "label": self.label,
            "note": self.note,
            "sha256": self.print.sha256,
        }


@dataclass(slots=True)
class FeedbackStore:
    """All feedback of one account, oldest first."""

    _said: list[Said] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    def __iter__(self) -> Iterator[Said]:
        return iter(tuple(self._said))

    def __len__(self) -> int:
        return len(self._said)

    def add(self, said: Said) -> None:
        """Take one more."""
        self._said.append(said)

    def next_id(self) -> int:
        """An id that was never used."""
        return next(self._ids)

    def find(self, scene: str, seen: Print) -> Said | None:
        """What counts for an image in a scene, or None."""
        return next((said for said in reversed(self._said) if scene in said.scenes and said.print.is_like(seen)), None)

    def replace(self, said: Iterable[Said]) -> None:
        """Have this feedback alone. New ids are higher than its, and than all before."""
        self._said = list(said)
        self._ids = count(max(next(self._ids), *(each.id + 1 for each in self._said), 0))

    def reset(self) -> None:
        """Forget everything; ids go on."""
        self._said.clear()

    def json(self) -> list[dict[str, Any]]:
        """Everything, as `GET /emulator/feedback` shows it."""
        return [said.json() for said in self._said]
