"""
Patterns of labels and services: case-sensitive, `*` for any characters, `!` for what is taken away. Pure.
"""

import re
from collections.abc import Callable, Collection, Sequence


def compiled(patterns: Sequence[str], only_exactly: Collection[str] = ()) -> Callable[[str], bool]:
    """
    Make a test of a name out of patterns; without any, every name passes it.

    Names in `only_exactly` are matched by no `*`.
    """
    if not patterns:
        return lambda name: True
    named = {pattern for pattern in patterns if "*" not in pattern}
    globs = _globs([pattern for pattern in patterns if "*" in pattern and not pattern.startswith("!")])
    without = {pattern[1:] for pattern in patterns if pattern.startswith("!")}
    without_globs = _globs([pattern for pattern in without if "*" in pattern])

    def matches(name: str) -> bool:
        if name in only_exactly:
            return name in named and name not in without
        is_in = name in named or globs(name)
        return is_in and name not in without and not without_globs(name)

    return matches


def _globs(patterns: Sequence[str]) -> Callable[[str], bool]:
    if not patterns:
        return lambda name: False
    # Each `*` takes as little as it can and what it took stays taken: a long name is read once for each part.
    whole = re.compile("(?s)" + "|".join(_glob(pattern) for pattern in patterns))
    return lambda name: whole.fullmatch(name) is not None


def _glob(pattern: str) -> str:
    first, *others = pattern.split("*")
    if not others:
        return re.escape(first)
    *middle, last = others
    parts = "".join(f"(?>.*?{re.escape(part)})" for part in middle if part)
    return f"{re.escape(first)}{parts}.*{re.escape(last)}"
