"""
Is an unexpected exception the image's fault or the service's? Values only: nothing here waits or reads a clock.

It is the image's own once enough *other* images were judged since its first one. Until then it may be ours, and the
image is held and tried again, with exponential backoff. After as many images in a row without one that was judged it
certainly looks like ours: work is halted then, and one image in an interval, held or new, is tried until one is judged.

"Image" stands for a whole message where that could not even be decoded.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from consumer.records import SourceId

OTHERS_JUDGED = 20
IN_A_ROW = 20
FIRST_DELAY = 1.0  # seconds
MAX_DELAY = 60.0  # seconds
CLOCK_TICK = 0.001  # seconds: shorter waits are none, as a clock may not move by so little


@dataclass(slots=True)
class Held:
    """An image that met an unexpected error, and may be tried again."""

    since: float  # by the clock's `now`
    judged_before: int
    errors: int
    latest: str  # the exception's class
    may_end: bool  # by an error of its own; what may not is tried until it meets none


class UnexpectedErrors:
    """Those of one process. Moments are the clock's `now`."""

    def __init__(self, trial_interval: float = 1.0, longest: float = inf) -> None:
        """An image that may end is its own fault after `longest` seconds too, unless work is halted."""
        self._trial_interval = trial_interval
        self._longest = longest
        self._judged = 0
        self._held: dict[SourceId, Held] = {}  # the oldest first
        self._in_a_row: set[SourceId] = set()  # held images, since the last one that was judged
        self._next_trial = 0.0

    @property
    def held(self) -> int:
        """How many images are held."""
        return len(self._held)

    @property
    def is_halted(self) -> bool:
        """Whether it looks as if no image could be judged."""
        return len(self._in_a_row) >= IN_A_ROW

    def met(self, image: SourceId, error: str, now: float, *, may_end: bool = True) -> float | None:
        """
        Note an image's error. Return the seconds after which it is tried again; None where it is the image's own, and
        it `may_end` by that.
        """
        held = self._held.setdefault(image, Held(now, self._judged, 0, error, may_end))
        held.errors += 1
        held.latest = error
        judged, lasted = self._judged - held.judged_before, now - held.since
        if may_end and (judged >= OTHERS_JUDGED or (lasted >= self._longest and not self.is_halted)):
            self.forget(image)
            return None
        self._in_a_row.add(image)
        return float(min(MAX_DELAY, FIRST_DELAY * 2.0 ** min(held.errors - 1, 16)))

    def judged(self, image: SourceId) -> None:
        """Note that an image was judged: deciding and encoding its verdict met no unexpected error."""
        self._judged += 1
        self._in_a_row.clear()
        self.forget(image)

    def forget(self, image: SourceId) -> None:
        """Hold an image no longer: it has ended, or is another replica's."""
        self._held.pop(image, None)
        self._in_a_row.discard(image)

    def wait(self, now: float) -> float:
        """Seconds until an image may be tried; 0 where that is now."""
        wait = self._next_trial - now if self.is_halted else 0.0
        return wait if wait > CLOCK_TICK else 0.0

    def tried(self, now: float) -> None:
        """Note that an image is tried now."""
        if self.is_halted:
            self._next_trial = now + self._trial_interval

    def reasons_not_ready(self) -> list[str]:
        """Say that work is halted."""
        if not self.is_halted:
            return []
        errors = _errors(self._held.values())
        return [
            f"internal: {len(self._in_a_row)} images in a row met an unexpected error ({errors}); one image in "
            f"{self._trial_interval:g} s is tried, the others wait; the log's submission.unexpected_error has the place"
        ]

    def degraded(self, now: float) -> list[str]:
        """Say that images are held, where the rest goes on."""
        if self.is_halted:
            return []
        reasons = []
        if ending := [each for each in self._held.values() if each.may_end]:
            reasons.append(
                f"internal: {len(ending)} images that met an unexpected error ({_errors(ending)}) are held for up to "
                f"{now - ending[0].since:.0f} s; each goes to review once {OTHERS_JUDGED} others were judged"
            )
        if lasting := [each for each in self._held.values() if not each.may_end]:
            reasons.append(
                f"internal: {len(lasting)} messages that met an unexpected error ({_errors(lasting)}) stay open for up "
                f"to {now - lasting[0].since:.0f} s; each is tried again until it meets none"
            )
        return reasons


def _errors(held: Iterable[Held]) -> str:
    names = sorted({each.latest for each in held})
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
