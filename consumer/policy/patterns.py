"""
Patterns of labels and services: case-sensitive, `*` for any characters, `!` for what is taken away. Pure.
"""

import re
from collections.abc import Callable, Collection, Sequence


def compiled(patterns: Sequence[str], only_exactly: Collection[str] = ()) -> Callable[[str], object]:
    """
    Make a test of a name out of patterns, true where they are about it; without any, every name passes it.

    Names in `only_exactly` are matched by no `*`.
    """
    return _globs(patterns, only_exactly) if patterns else lambda name: True


def _globs(patterns: Sequence[str], only_exactly: Collection[str]) -> Callable[[str], object]:
    # One expression: what a label costs that nobody has met is asking each rule about it.
    wanted = _any_of([each for each in patterns if not each.startswith("!")], only_exactly)
    taken_away = _any_of([each[1:] for each in patterns if each.startswith("!")], only_exactly)
    return re.compile(rf"(?s)(?!{taken_away}\Z){wanted}" if taken_away else f"(?s){wanted}").fullmatch


def _any_of(patterns: Sequence[str], only_exactly: Collection[str]) -> str:
    either = [_glob(each, only_exactly) if "*" in each else re.escape(each) for each in patterns]
    return f"(?:{'|'.join(either)})" if either else ""


def _glob(pattern: str, only_exactly: Collection[str]) -> str:
    # Each `*` takes as little as it can and what it took stays taken: a long name is read once for each part.
    first, *middle, last = pattern.split("*")
    but = "".join(rf"(?!{re.escape(each)}\Z)" for each in only_exactly if each.startswith(first))
    parts = "".join(f"(?>.*?{re.escape(part)})" for part in middle if part)
    return f"{but}{re.escape(first)}{parts}.*{re.escape(last)}"
