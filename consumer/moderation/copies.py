"""
The copies of one image in the provider's temporary stores: which regions hold one, and since when. Values only.

Of one file there may be many: frames that were taken out of it are pictures of their own, numbered from 0.

Vendor: an image that was uploaded is kept for 30 minutes, and a copy belongs to the region that gave the token. So a
copy is asked about for 25 minutes, and in its own region; after that the image is fetched and uploaded again.
"""

from dataclasses import dataclass, field

from consumer.locations import ByObject

ASKED_ABOUT = 1500.0
"""Seconds for which a copy is asked about."""


@dataclass(frozen=True, slots=True)
class Copy:
    """An object in a region's temporary store."""

    location: ByObject
    until: float  # monotonic seconds
    sha256: str  # of the file's bytes
    frames: int | None  # that they have, where that can be told
    frame: int | None = None  # of them, that it is; None for the file itself
    scaled: bool = False  # whether any picture of the file was made smaller


@dataclass(slots=True, eq=False)
class Copies:
    """Those of one image. Its services share them, so that it is uploaded once."""

    claimed_sha256: str | None = None  # the producer's word
    judged: list[Copy] = field(default_factory=list)  # that answers are about
    only_these: bool = False  # whether the image could not be fetched again
    pictures: int = 1  # that the file is uploaded as; known once it has been
    _by_region: dict[tuple[str, int], Copy] = field(default_factory=dict)

    def in_region(self, region: str, now: float, nth: int = 0) -> Copy | None:
        """Return the copy of the nth picture that may be asked about, at `now` in monotonic seconds."""
        copy = self._by_region.get((region, nth))
        return copy if copy is not None and now < copy.until else None

    def any(self, now: float, nth: int = 0) -> bool:
        """Tell whether any region has one of the nth picture that may be asked about."""
        return any(now < copy.until for (_, each), copy in self._by_region.items() if each == nth)

    def frame(self, nth: int) -> int | None:
        """Return which of the file's frames the nth picture is, where it is one and was uploaded."""
        return next((copy.frame for (_, each), copy in self._by_region.items() if each == nth), None)

    def holds(self, region: str, location: ByObject, now: float) -> bool:
        """Tell whether an object is one of the region's that may be asked about."""
        copies = (copy for (each, _), copy in self._by_region.items() if each == region)
        return any(copy.location == location and now < copy.until for copy in copies)

    def uploaded_as(self, region: str, location: ByObject) -> tuple[int, Copy] | None:
        """Return which picture an object of the region's store is, and its copy; None where it is none of these."""
        copies = ((nth, copy) for (each, nth), copy in self._by_region.items() if each == region)
        return next(((nth, copy) for nth, copy in copies if copy.location == location), None)

    def add(self, region: str, copy: Copy, nth: int = 0) -> None:
        """Note what was uploaded."""
        self._by_region[region, nth] = copy

    def goes_with(self, copy: Copy) -> bool:
        """Tell whether a copy is of the same bytes as those that were judged."""
        return all(each.sha256 == copy.sha256 for each in self.judged)

    def most_pictures(self, most: int) -> int:
        """Return how many pictures the file is uploaded as, or `most` while nothing is."""
        return self.pictures if self._by_region or self.pictures > 1 else most

    @property
    def are_mixed(self) -> bool:
        """Whether two versions of a file were judged, a part of each: together they say nothing of either."""
        return len({copy.sha256 for copy in self.judged}) > 1

    def forget(self, region: str, nth: int = 0) -> None:
        """Note that the copy is not there any more."""
        self._by_region.pop((region, nth), None)

    def known(self, answers: int) -> Copy | None:
        """Return the copy that so many answers are all about, or one with the same bytes; None where they are not."""
        same = {copy.sha256 for copy in self.judged}
        return self.judged[0] if len(self.judged) == answers and len(same) == 1 else None
