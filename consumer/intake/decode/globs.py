"""Globs of the configuration, several made into one pattern."""

import re
from collections.abc import Iterable
from fnmatch import translate


def any_of(globs: Iterable[str]) -> re.Pattern[str] | None:
    """Compile globs with regard to case; None of none."""
    alternatives = "|".join(translate(glob) for glob in globs)
    return re.compile(alternatives) if alternatives else None
